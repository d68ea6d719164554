"""The rig: two cameras and the rigid motion between them. All conventions are defined here.

Units: metres, pixels, radians inside; any other unit is part of the name.
Pixels: (0, 0) is the *centre* of the top-left pixel, x right, y down.
Camera frame: x right, y down, z forward.
Poses: `R_a_b`, `t_a_b` take a point from frame b to frame a, so chains cancel by eye:
`x_right = R_right_left @ x_left + t_right_left_m`, `R_right_board = R_right_left @ R_left_board`.
For an ordinary rig (right camera to the right of the left one) `t_right_left_m[0] < 0`.

Lens models (OpenCV's): `pinhole` k1 k2 p1 p2 k3 (5), `rational` k1 k2 p1 p2 k3 k4 k5 k6 (8),
`fisheye` k1..k4 (4, equidistant).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from calibration.errors import CalibrationError

LensModel = Literal["pinhole", "rational", "fisheye"]
DISTORTION_LENGTH: dict[str, int] = {"pinhole": 5, "rational": 8, "fisheye": 4}

Array = NDArray[np.float64]


def _frozen(value: object, shape: tuple[int, ...], name: str) -> Array:
    array = np.array(value, dtype=np.float64)
    if array.size != int(np.prod(shape)):
        raise CalibrationError(f"{name} must have shape {shape}, got {array.shape}.")
    if not np.isfinite(array).all():
        raise CalibrationError(f"{name} contains a value that is not a finite number.")
    array = array.reshape(shape)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """One camera: K (3,3) float64 px, `distortion` (n,) float64, lens `model`, `size_wh` px or None if unknown.

    Raises:
        CalibrationError: wrong shapes, a non-finite value, a focal length that is not positive.
    """

    K: Array
    distortion: Array
    model: LensModel = "pinhole"
    size_wh: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.model not in get_args(LensModel):
            raise CalibrationError(f"Unknown lens model {self.model!r}; known: {', '.join(get_args(LensModel))}.")
        object.__setattr__(self, "K", _frozen(self.K, (3, 3), "K"))
        length = DISTORTION_LENGTH[self.model]
        object.__setattr__(self, "distortion", _frozen(self.distortion, (length,), f"distortion ({self.model})"))
        if self.K[0, 0] <= 0 or self.K[1, 1] <= 0:
            raise CalibrationError("The focal lengths in K must be positive.")
        if self.size_wh is not None:
            w, h = self.size_wh
            if int(w) <= 0 or int(h) <= 0:
                raise CalibrationError(f"The picture size must be positive, got {w}x{h}.")
            object.__setattr__(self, "size_wh", (int(w), int(h)))

    @property
    def focal_px(self) -> float:
        """Mean of fx and fy, px."""
        return float((self.K[0, 0] + self.K[1, 1]) / 2)


@dataclass(frozen=True, slots=True)
class StereoRig:
    """Two cameras and their relative pose: `x_right = R_right_left @ x_left + t_right_left_m`.

    Raises:
        CalibrationError: R is not a rotation, or the baseline is zero.
    """

    left: Intrinsics
    right: Intrinsics
    R_right_left: Array
    t_right_left_m: Array

    def __post_init__(self) -> None:
        R = _frozen(self.R_right_left, (3, 3), "R_right_left")
        if not np.allclose(R @ R.T, np.eye(3), atol=1e-6) or np.linalg.det(R) < 0:
            raise CalibrationError("R_right_left is not a rotation matrix.")
        object.__setattr__(self, "R_right_left", R)
        object.__setattr__(self, "t_right_left_m", _frozen(self.t_right_left_m, (3,), "t_right_left_m"))
        if self.baseline_m <= 0:
            raise CalibrationError("The two cameras stand at the same place: the baseline is zero.")

    @property
    def baseline_m(self) -> float:
        """Distance between the two optical centres, metres."""
        return float(np.linalg.norm(self.t_right_left_m))
