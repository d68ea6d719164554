"""Choose each camera's lens model by views that were held out, never by RMS: more terms always fit better."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from calibration.bundle import Array, BoardModel, adjust
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


def choose_lens(
    views: Sequence[View], model: BoardModel, forced: LensModel | None, *, bend: bool = True
) -> tuple[tuple[LensModel, LensModel], dict[str, object]]:
    """Choose the lens models of both cameras. Gives them and, per side, the held-out RMS (px) of those compared."""
    if forced is not None:
        return (forced, forced), {}
    chosen: list[LensModel] = []
    told: dict[str, object] = {}
    for side in ("left", "right"):
        found = [one for view in views if (one := getattr(view, side)) is not None]
        best, compared = choose_for_camera(found, model, bend=bend)
        chosen.append(best)
        told[side] = compared
    return (chosen[0], chosen[1]), told


def choose_for_camera(
    found: Sequence[Detection], model: BoardModel, *, bend: bool = True
) -> tuple[LensModel, dict[str, float]]:
    """Choose the lens model of one camera from all its pictures."""
    fits: dict[LensModel, CameraFit] = {"pinhole": solve_camera(model, found, "pinhole", bend=bend)}
    for other in ("rational", "fisheye"):
        fits[other] = solve_camera(model, found, other, bend=bend)
    plain = fits["pinhole"].noise.sigma_px
    rivals = [name for name in ("rational", "fisheye") if fits[name].noise.sigma_px < (1 - _WORTH) * plain]
    if len(found) < 2 * _FOLDS or not rivals:
        # Too few views to hold any out: only a lens that a pinhole cannot describe at all is given another model.
        if rivals and min(fits[name].noise.sigma_px for name in rivals) < 0.5 * plain:
            return min(rivals, key=lambda name: fits[name].noise.sigma_px), {}
        return "pinhole", {}
    errors = {name: heldout_errors(model, found, fits[name], bend=bend) for name in ["pinhole", *rivals]}
    best: LensModel = "pinhole"
    for name in rivals:
        if _better(errors[name], errors[best]):
            best = name
    return best, {name: float(np.sqrt(np.median(error))) for name, error in errors.items()}


def heldout_errors(model: BoardModel, found: Sequence[Detection], fit: CameraFit, *, bend: bool = True) -> Array:
    """Mean squared residual (V,) of each picture under a camera solved without its fold; wild corners bounded."""
    answer = np.full(len(found), np.nan)
    fold = np.arange(len(found)) % _FOLDS
    bound = (WILD_SIGMA * fit.noise.sigma_px) ** 2
    for k in range(_FOLDS):
        inside, outside = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
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


