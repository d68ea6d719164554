"""Choose each camera's lens model by views that were held out, never by RMS: more terms always fit better."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.board_model import BoardModel
from calibration.bundle import Array, adjust
from calibration.detection import Detection
from calibration.rig import LensModel
from calibration.robust import WILD_SIGMA
from calibration.solve_start import CameraFit, gather, solve_camera
from calibration.views import View

# A richer model must explain held-out views better by this share of the RMS, and by twice the standard error.
_GAIN = 0.015
# In-sample gain below which held-out views cannot show one.
_WORTH = 0.01
_FOLDS = 5
# With fewer views than this none can be held out; with fewer than twice the folds, they are held out one by one.
_LEAST_HELD_OUT = 6
# With views too few to hold any out, a richer model must beat one with fewer terms by this.
_ALIKE = 1.25
# Natural logarithm of the focal lengths' ratio up to which two cameras of one size are of one kind.
_ALIKE_FOCAL = 0.1
# By their number of terms: of two that explain held-out views alike, the one with fewer is taken.
_RICHER: tuple[LensModel, ...] = ("fisheye", "rational")
# Corners that are further off than this on the whole point to a start that went astray.
_POOR_PX = 0.4


@dataclass(frozen=True)
class _Compared:
    """One camera under each lens model. errors: held-out, of the models that were worth it. kept: the model chosen."""

    found: tuple[Detection, ...]
    fits: dict[LensModel, CameraFit]
    errors: dict[LensModel, Array]
    kept: LensModel

    def told(self) -> dict[str, float]:
        """Give the typical held-out distance of each model compared, px."""
        return {name: float(np.sqrt(np.median(error))) for name, error in self.errors.items()}


def choose_lens(
    views: Sequence[View], model: BoardModel, forced: LensModel | None, *, bend: bool = True
) -> tuple[tuple[CameraFit, CameraFit], dict[str, object]]:
    """Choose the lens models of both cameras; two that are alike get the same.

    Gives each camera solved alone from all its pictures, and per side the held-out RMS (px) of the models compared.
    """
    found = [[one for view in views if (one := getattr(view, side)) is not None] for side in ("left", "right")]
    if forced is not None:
        return (_forced(found[0], model, forced, bend), _forced(found[1], model, forced, bend)), {}
    sides = [_compare(one, model, bend=bend) for one in found]
    if sides[0].kept != sides[1].kept and _alike(*sides):
        sides = _together(sides, model, bend=bend)
    left, right = sides
    return (left.fits[left.kept], right.fits[right.kept]), {"left": left.told(), "right": right.told()}


def choose_for_camera(
    found: Sequence[Detection], model: BoardModel, *, bend: bool = True
) -> tuple[CameraFit, dict[str, float]]:
    """Choose the lens model of one camera from all its pictures."""
    compared = _compare(found, model, bend=bend)
    return compared.fits[compared.kept], compared.told()


def _compare(found: Sequence[Detection], model: BoardModel, *, bend: bool) -> _Compared:
    fits: dict[LensModel, CameraFit] = {"pinhole": solve_camera(model, found, "pinhole", bend=bend)}
    for other in _RICHER:
        fits[other] = solve_camera(model, found, other, bend=bend, start=fits["pinhole"])
    if min(fit.noise.sigma_px for fit in fits.values()) > _POOR_PX:
        # The start itself may have been wrong: a lens of more than about 120° has no pinhole start.
        again = solve_camera(model, found, "fisheye", bend=bend)
        if again.noise.sigma_px < 0.9 * fits["fisheye"].noise.sigma_px:
            fits["fisheye"] = again
            plainer: tuple[LensModel, ...] = ("pinhole", "rational")
            for other in plainer:
                redone = solve_camera(model, found, other, bend=bend, start=again)
                if redone.noise.sigma_px < fits[other].noise.sigma_px:
                    fits[other] = redone
    plain = fits["pinhole"].noise.sigma_px
    rivals = [name for name in _RICHER if fits[name].noise.sigma_px < (1 - _WORTH) * plain]
    if len(found) < _LEAST_HELD_OUT or not rivals:
        # Too few views to hold any out: only a lens that a pinhole cannot describe at all is given another model.
        best = min((fits[name].noise.sigma_px for name in rivals), default=plain)
        kept: LensModel = "pinhole"
        if best < 0.5 * plain:
            kept = next(name for name in rivals if fits[name].noise.sigma_px < _ALIKE * best)
        return _Compared(tuple(found), fits, {}, kept)
    names: list[LensModel] = ["pinhole", *rivals]
    errors = {name: heldout_errors(model, found, fits[name], bend=bend) for name in names}
    return _Compared(tuple(found), fits, errors, _best(errors))


def _best(errors: dict[LensModel, Array]) -> LensModel:
    """Of models in the order of their terms, each with its held-out errors, the plainest that none clearly beats."""
    best, *others = errors
    for name in others:
        if _better(errors[name], errors[best]):
            best = name
    return best


def _alike(left: _Compared, right: _Compared) -> bool:
    """Whether two cameras are of one kind: the same size, nearly the same focal length."""
    ratio = left.fits[left.kept].camera[0] / right.fits[right.kept].camera[0]
    return left.found[0].size_wh == right.found[0].size_wh and abs(np.log(ratio)) < _ALIKE_FOCAL


def _together(sides: list[_Compared], model: BoardModel, *, bend: bool) -> list[_Compared]:
    """Decide between what two cameras of one kind were given, by the held-out views of both."""
    order: tuple[LensModel, ...] = ("pinhole", *_RICHER)
    names = [name for name in order if name in (sides[0].kept, sides[1].kept)]
    pooled = {
        name: np.concatenate(
            [
                side.errors[name]
                if name in side.errors
                else heldout_errors(model, side.found, side.fits[name], bend=bend)
                for side in sides
            ]
        )
        for name in names
    }
    return [dataclasses.replace(side, kept=_best(pooled)) for side in sides]


def _forced(found: Sequence[Detection], model: BoardModel, lens: LensModel, bend: bool) -> CameraFit:
    fit = solve_camera(model, found, lens, bend=bend)
    if fit.noise.sigma_px > _POOR_PX and lens == "rational":
        return min(
            (fit, solve_camera(model, found, lens, bend=bend, start=solve_camera(model, found, "fisheye", bend=bend))),
            key=lambda one: one.noise.sigma_px,
        )
    return fit


def heldout_errors(model: BoardModel, found: Sequence[Detection], fit: CameraFit, *, bend: bool = True) -> Array:
    """Mean squared residual (V,) of each picture under a camera solved without its fold; wild corners bounded."""
    answer = np.full(len(found), np.nan)
    fold = np.arange(len(found)) % (_FOLDS if len(found) >= 2 * _FOLDS else len(found))
    bound = (WILD_SIGMA * fit.noise.sigma_px) ** 2
    for k in range(fold.max() + 1):
        inside, outside = np.flatnonzero(fold != k).tolist(), np.flatnonzero(fold == k).tolist()
        start = dataclasses.replace(fit, R=fit.R[inside], t=fit.t[inside])
        trained = solve_camera(model, [found[i] for i in inside], fit.model, bend=bend, start=start)
        seen = gather([(found[i], None) for i in outside])
        state = dataclasses.replace(trained.fit.state, R=fit.R[outside], t=fit.t[outside])
        held = adjust(model, seen, state, free=(), iterations=12)
        squares = np.minimum(np.sum(held.residuals_px**2, axis=1), bound)
        total = np.bincount(seen.view, weights=squares, minlength=len(outside))
        answer[outside] = total / np.bincount(seen.view, minlength=len(outside))
    return answer


def _better(new: Array, old: Array) -> bool:
    """Whether new errors are smaller than old ones, beyond chance.

    By their ratios: views at the picture's rim, which a model misses by far, would hide in the spread of differences
    that it misses nearly all.
    """
    gain = np.log(old / new)
    error = float(np.std(gain, ddof=1)) / np.sqrt(len(gain))
    return bool(gain.mean() > 2 * error and new.mean() < (1 - _GAIN) ** 2 * old.mean())
