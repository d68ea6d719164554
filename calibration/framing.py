"""Choose what a rectified pair shows: its rotations, focal length, principal points and size.

The rectified x axis is the baseline, from the left camera to the right one; z is the mean of the two optical
axes made square to it; y follows. That alone fixes both rotations, whichever way the cameras stand: beside
each other, above each other, swapped, or one upside down. (Fusiello, Trucco and Verri 2000, with the mean
axis in place of the old one, so that both views are warped alike.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.errors import CalibrationError
from calibration.lens import project_rays, rays_of_pixels
from calibration.rig import Array, Intrinsics, StereoRig

Mask = NDArray[np.bool_]

# Between the optical axes; beyond this the two views of a surface differ too much to be matched along rows.
MAX_CONVERGENCE_DEG = 45.0
# Between a camera's axis and the rectified one: a camera that stands in front of the other needs more.
MAX_TURN_DEG = 40.0
# A wide lens is cut rather than shown with its middle shrunk below this share of its resolution there.
_LEAST_RESOLUTION = 0.55
_LEAST_FIELD = 0.04
_GRID = 320


@dataclass(frozen=True)
class Frame:
    """A rectified pair's geometry. See `Rectification` for the fields; `turns` is its `display_turns`."""

    R_left: Array
    R_right: Array
    focal_px: float
    cx_left_px: float
    cx_right_px: float
    cy_px: float
    size_wh: tuple[int, int]
    turns: int
    notes: tuple[str, ...]


def rotations(rig: StereoRig) -> tuple[Array, Array, int]:
    """Give the rotations from the left and the right camera's frame into the rectified one, and the turns back.

    Raises:
        CalibrationError: the optical axes converge or diverge too much, or one camera stands in front of the other;
            the message gives the angle.
    """
    R = rig.R_right_left
    to_right = -R.T @ rig.t_right_left_m
    x = to_right / np.linalg.norm(to_right)
    axis_left, axis_right = np.array([0.0, 0.0, 1.0]), R[2]
    apart = _angle_deg(axis_left, axis_right)
    if apart > MAX_CONVERGENCE_DEG:
        raise CalibrationError(
            f"The cameras look {apart:.0f}° apart; a pair can be rectified up to {MAX_CONVERGENCE_DEG:.0f}°.",
            "Turn the cameras so that they look the same way, and calibrate again.",
            details={"angle_deg": apart},
        )
    mean = axis_left + axis_right
    z = mean - (mean @ x) * x
    if np.linalg.norm(z) > 1e-6:
        z /= np.linalg.norm(z)
    turn = max(_angle_deg(axis_left, z), _angle_deg(axis_right, z)) if np.linalg.norm(z) > 0.5 else 90.0
    if turn > MAX_TURN_DEG:
        raise CalibrationError(
            f"One camera stands in front of the other: the views would have to be turned by {turn:.0f}°, "
            f"and {MAX_TURN_DEG:.0f}° is the most that leaves a common field.",
            "Mount the cameras side by side or one above the other, and calibrate again.",
            details={"angle_deg": turn},
        )
    R_left = np.stack([x, np.cross(z, x), z])
    if abs(x[0]) >= abs(x[1]):
        turns = 0 if x[0] > 0 else 2
    else:
        turns = 3 if x[1] > 0 else 1
    return R_left, R_left @ R.T, turns


def choose_frame(rig: StereoRig, sizes: dict[str, tuple[int, int]]) -> Frame:
    """Choose the largest picture of the common field in which every pixel is seen by both cameras (alpha 0).

    Cameras of one size keep it (turned with the picture); of different sizes, the picture gets about the
    resolution of the coarser one. Both principal points are the same (doffs 0) unless the cameras converge so
    much that this costs a quarter of the field.

    Raises:
        CalibrationError: as `rotations`; also if the views have too little in common.
    """
    R_left, R_right, turns = rotations(rig)
    apart = _angle_deg(np.array([0.0, 0.0, 1.0]), rig.R_right_left[2])
    cameras = {"left": (rig.left, R_left, sizes["left"]), "right": (rig.right, R_right, sizes["right"])}
    same = sizes["left"] == sizes["right"]
    aspect = math.sqrt(math.prod(w / h for w, h in sizes.values()))
    if turns % 2:
        aspect = 1 / aspect
    density = {side: camera.focal_px for side, (camera, _, _) in cameras.items()}

    box = _common_box([_rim(*cameras[side]) for side in cameras], apart)
    middle = {side: _middle(*cameras[side]) for side in cameras}
    reach = {side: sizes[side][turns % 2] / 2 / (_LEAST_RESOLUTION * density[side]) for side in cameras}
    xs, ys, seen = _visible(cameras, box, aspect, middle, reach)
    joint = _widest(seen["left"] & seen["right"], xs, ys, (middle["left"] + middle["right"]) / 2)
    single = {side: cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_C, 3) for side, mask in seen.items()}
    rows = np.minimum(single["left"].max(1), single["right"].max(1))
    notes: list[str] = []
    if rows.max() > 1.33 * joint[2] and apart > 5:
        height = (middle["left"][1] + middle["right"][1]) / 2
        row = int(np.argmin(np.where(rows >= 0.92 * rows.max(), np.abs(ys - height), np.inf)))
        columns = {
            side: int(np.argmin(np.where(distance[row] >= 0.92 * rows[row], np.abs(xs - middle[side][0]), np.inf)))
            for side, distance in single.items()
        }
        notes.append(f"The cameras look {apart:.0f}° apart: each view keeps its own middle, and far things are cut.")
    else:
        row = joint[1]
        columns = {"left": joint[0], "right": joint[0]}
        if joint[2] < 1:
            raise CalibrationError(
                f"The two views have nothing in common (the cameras look {apart:.0f}° apart).",
                "Turn the cameras so that they look at the same scene, and calibrate again.",
                details={"angle_deg": apart},
            )
    centre = {side: float(xs[columns[side]]) for side in columns}
    middle_y = float(ys[row])
    half = _fit(cameras, centre, middle_y, aspect)
    fields = {s: _half_width(camera, size, turns) for s, (camera, _, size) in cameras.items()}
    if half < _LEAST_FIELD * min(fields.values()):
        raise CalibrationError(
            f"The two views have almost nothing in common (the cameras look {apart:.0f}° apart).",
            "Turn the cameras so that they look at the same scene, and calibrate again.",
            details={"angle_deg": apart},
        )
    if same:
        width, height = sizes["left"][:: -1 if turns % 2 else 1]
        coarse = _LEAST_RESOLUTION * min(density.values())
        focal = max((width - 1) / 2 / half, coarse)
        if focal == coarse:
            notes.append("The lens is very wide: the rectified picture shows its middle part.")
    else:
        low, high = sorted(density.values())
        focal = min(math.sqrt(low * high), 1.25 * low)
        width = max(16, 2 * round(half * focal))
        focal = (width - 1) / 2 / half
        height = max(16, 2 * int((half / aspect * focal * 2 + 1) / 2))
        notes.append(f"The cameras differ in size: both views are brought to {width}x{height}.")
    cx = {side: (width - 1) / 2 - focal * centre[side] for side in centre}
    cy = (height - 1) / 2 - focal * middle_y
    if turns == 2:
        notes.append("The right camera stands to the left of the left one: the views are turned inside.")
    elif turns:
        notes.append("The cameras stand above each other: the views are turned by 90° inside, and back for display.")
    return Frame(R_left, R_right, focal, cx["left"], cx["right"], cy, (width, height), turns, tuple(notes))


_Cameras = dict[str, tuple[Intrinsics, Array, tuple[int, int]]]


def _angle_deg(a: Array, b: Array) -> float:
    return math.degrees(math.atan2(float(np.linalg.norm(np.cross(a, b))), float(a @ b)))


def _half_width(camera: Intrinsics, size: tuple[int, int], turns: int) -> float:
    return size[turns % 2] / 2 / camera.focal_px


def _rim(camera: Intrinsics, R: Array, size: tuple[int, int]) -> Array:
    """Where a picture's content lies in the rectified plane z = 1: points (N,2) of it, coarsely, within 80°."""
    w, h = size
    u, v = np.meshgrid(np.linspace(0, w - 1, 41), np.linspace(0, h - 1, 41))
    rays = rays_of_pixels(camera, np.column_stack([u.ravel(), v.ravel()])) @ R.T
    rays = rays[np.isfinite(rays).all(1) & (rays[:, 2] > math.cos(math.radians(80)))]
    return np.asarray(rays[:, :2] / rays[:, 2:])


def _common_box(rims: list[Array], apart: float) -> tuple[float, float, float, float]:
    """Box (x0, x1, y0, y1) of the rectified plane in which both fields lie."""
    if any(len(rim) < 3 for rim in rims):
        raise CalibrationError(
            "The lens model does not describe the whole picture.",
            "Calibrate again with board views that reach the corners, or with another lens model.",
        )
    y0, y1 = max(rim[:, 1].min() for rim in rims), min(rim[:, 1].max() for rim in rims)
    x0, x1 = min(rim[:, 0].min() for rim in rims), max(rim[:, 0].max() for rim in rims)
    if not (y1 > y0 and x1 > x0):
        raise CalibrationError(
            f"The two views have nothing in common (the cameras look {apart:.0f}° apart).",
            "Turn the cameras so that they look at the same scene, and calibrate again.",
            details={"angle_deg": apart},
        )
    return float(x0), float(x1), float(y0), float(y1)


def sees(camera: Intrinsics, R: Array, size: tuple[int, int], plane: Array) -> Mask:
    """Tell which points (N,2) of the rectified plane z = 1 a camera sees; (N,) bool."""
    rays = np.column_stack([plane, np.ones(len(plane))]) @ R
    pixels = project_rays(camera, rays)
    with np.errstate(invalid="ignore"):
        inside = (pixels >= 0).all(1) & (pixels[:, 0] <= size[0] - 1) & (pixels[:, 1] <= size[1] - 1)
    return np.asarray(inside)


def _middle(camera: Intrinsics, R: Array, size: tuple[int, int]) -> Array:
    """Where the middle of a picture lies in the rectified plane z = 1, (2,)."""
    ray = rays_of_pixels(camera, np.array([[(size[0] - 1) / 2, (size[1] - 1) / 2]]))[0] @ R.T
    return np.asarray(ray[:2] / max(float(ray[2]), 0.2) if np.isfinite(ray).all() else np.zeros(2))


def _visible(
    cameras: _Cameras,
    box: tuple[float, float, float, float],
    aspect: float,
    middle: dict[str, Array],
    reach: dict[str, float],
) -> tuple[Array, Array, dict[str, Mask]]:
    """Masks of what each camera sees, on a grid whose cells have the picture's aspect (so squares fit pictures).

    A very wide lens counts only within `reach` of its middle: its rim, huge in a plane, would draw the picture away.
    """
    x0, x1, y0, y1 = box
    cell = max((x1 - x0) / aspect, y1 - y0) / _GRID
    xs = np.arange(x0, x1 + cell * aspect, cell * aspect)
    ys = np.arange(y0, y1 + cell, cell)
    gx, gy = np.meshgrid(xs, ys)
    plane = np.column_stack([gx.ravel(), gy.ravel()])
    masks: dict[str, Mask] = {}
    for side, (camera, R, size) in cameras.items():
        near = (np.abs(plane - middle[side]) <= [reach[side], reach[side] / aspect]).all(1)
        mask = (near & sees(camera, R, size, plane)).reshape(gx.shape)
        mask[[0, -1]] = False
        mask[:, [0, -1]] = False
        masks[side] = mask
    return xs, ys, masks


def _widest(mask: Mask, xs: Array, ys: Array, middle: Array) -> tuple[int, int, float]:
    """Column, row and half side of the largest square in a mask; of equal ones, the one nearest `middle`."""
    distance = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_C, 3)
    best = float(distance.max())
    rows, columns = np.nonzero(distance >= best - 1)
    nearest = int(np.argmin((xs[columns] - middle[0]) ** 2 + (ys[rows] - middle[1]) ** 2))
    return int(columns[nearest]), int(rows[nearest]), best


def _fit(cameras: _Cameras, centre: dict[str, float], middle_y: float, aspect: float) -> float:
    """Largest half width of a picture around the given centres whose whole rim both cameras see."""
    side = np.linspace(-1, 1, 129)
    ones = np.ones_like(side)
    rim = np.concatenate([np.column_stack(p) for p in ((side, ones), (side, -ones), (ones, side), (-ones, side))])

    def fits(half: float) -> bool:
        plane = rim * [half, half / aspect]
        return all(bool(sees(*cameras[s], plane + np.array([centre[s], middle_y])).all()) for s in cameras)

    low, high = 0.0, 1e-3
    while fits(high) and high < 20:
        low, high = high, high * 1.3
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
