"""Choose each camera's lens model by views that were held out, never by RMS: more terms always fit better."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

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
# By their number of terms: of two that explain held-out views alike, the one with fewer is taken.
_RICHER: tuple[LensModel, ...] = ("fisheye", "rational")
# Corners that are further off than this on the whole point to a start that went astray.
_POOR_PX = 0.4


def choose_lens(
    views: Sequence[View], model: BoardModel, forced: LensModel | None, *, bend: bool = True
) -> tuple[tuple[CameraFit, CameraFit], dict[str, object]]:
    """Choose the lens models of both cameras.

    Gives each camera solved alone from all its pictures, and per side the held-out RMS (px) of the models compared.
    """
    chosen: list[CameraFit] = []
    told: dict[str, object] = {}
    for side in ("left", "right"):
        found = [one for view in views if (one := getattr(view, side)) is not None]
        if forced is not None:
            chosen.append(_forced(found, model, forced, bend))
            continue
        fit, told[side] = choose_for_camera(found, model, bend=bend)
        chosen.append(fit)
    return (chosen[0], chosen[1]), told


def choose_for_camera(
    found: Sequence[Detection], model: BoardModel, *, bend: bool = True
) -> tuple[CameraFit, dict[str, float]]:
    """Choose the lens model of one camera from all its pictures."""
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
    if len(found) < 2 * _FOLDS or not rivals:
        # Too few views to hold any out: only a lens that a pinhole cannot describe at all is given another model.
        if rivals and min(fits[name].noise.sigma_px for name in rivals) < 0.5 * plain:
            return fits[min(rivals, key=lambda name: fits[name].noise.sigma_px)], {}
        return fits["pinhole"], {}
    best: LensModel = "pinhole"
    errors = {name: heldout_errors(model, found, fits[name], bend=bend) for name in (best, *rivals)}
    for name in rivals:
        if _better(errors[name], errors[best]):
            best = name
    return fits[best], {name: float(np.sqrt(np.median(error))) for name, error in errors.items()}


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
    fold = np.arange(len(found)) % _FOLDS
    bound = (WILD_SIGMA * fit.noise.sigma_px) ** 2
    for k in range(_FOLDS):
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
    gain = old - new
    error = float(np.std(gain, ddof=1)) / np.sqrt(len(gain))
    return bool(gain.mean() > 2 * error and new.mean() < (1 - _GAIN) ** 2 * old.mean())
