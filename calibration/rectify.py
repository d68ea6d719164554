"""Rectification: maps computed once from a rig, applied to every pair.

    rectification = make_rectification(rig)
    left, right = rectification.apply(left_raw, "left"), rectification.apply(right_raw, "right")

The rectified pair has one size, one focal length and epipolar lines on rows. A vertical
baseline (cameras above each other) is turned by 90° inside the maps, so that matching always
runs along rows; `to_display` turns an array back. Maps are CV_16SC2 with 5 fractional bits,
always, so that results do not depend on the machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.errors import CalibrationError
from calibration.framing import choose_frame
from calibration.lens import fold_angle, project_rays, rays_of_pixels
from calibration.rig import Array, Intrinsics, StereoRig

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
# A rig counts as rectified where the maps would move no pixel by more than this: less than the maps' own step.
_STILL_PX = 0.01


@dataclass(frozen=True)
class Rectification:
    """How two pictures become a rectified pair.

    size_wh: size of the rectified pictures. focal_px, cx_px, cy_px: the rectified *left* camera (fx = fy).
    baseline_m: metres (units of the board's squares, or 1, where `metric` is False). doffs_px = cx_right − cx_left.
    roi: (x, y, w, h) where both pictures have content. source_size_wh: what `apply` expects on each side.
    maps: per side (map1 CV_16SC2, map2 CV_16UC1), or None where the pictures are rectified already.
    R_rect_left, R_rect_right: (3,3) rotations from each camera's frame into the rectified frame.
    metric: depth is in metres; otherwise it is relative, and the user is told.
    display_turns: quarter turns (np.rot90 k) that bring a rectified array upright for display.
    min_disparity_px: the smallest disparity that occurs, where it is known (negative after rectification from
    matches); None otherwise. disparity_span_px: likewise how many.
    notes: what a person should know of it. rig: what it was made from, or None.
    """

    size_wh: tuple[int, int]
    focal_px: float
    cx_px: float
    cy_px: float
    baseline_m: float
    doffs_px: float = 0.0
    roi: tuple[int, int, int, int] = (0, 0, 0, 0)
    source_size_wh: dict[str, tuple[int, int]] = field(default_factory=dict)
    maps: dict[str, tuple[NDArray[Any], NDArray[Any]]] = field(default_factory=dict, repr=False)
    R_rect_left: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    R_rect_right: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    metric: bool = True
    display_turns: int = 0
    min_disparity_px: int | None = None
    disparity_span_px: int | None = None
    notes: tuple[str, ...] = ()
    rig: StereoRig | None = field(default=None, repr=False)

    def apply(self, image: NDArray[np.uint8], side: Side) -> NDArray[np.uint8]:
        """Rectify one picture, (h,w) or (h,w,3) uint8, bilinear; outside is black."""
        if side not in self.maps:
            return image
        map1, map2 = self.maps[side]
        made = cv2.remap(image, map1, map2, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(made, np.uint8)

    def to_display(self, array: NDArray[Any]) -> NDArray[Any]:
        """Turn a rectified array upright."""
        return np.ascontiguousarray(np.rot90(array, self.display_turns)) if self.display_turns else array

    def projection(self, side: Side) -> Array:
        """Give the rectified camera's P (3,4): pixels of a point in the rectified *left* frame, metres."""
        P = np.array([[self.focal_px, 0, self.cx_px, 0], [0, self.focal_px, self.cy_px, 0], [0, 0, 1, 0]])
        if side == "right":
            P[0, 2] += self.doffs_px
            P[0, 3] = -self.focal_px * self.baseline_m
        return P

    def rectify_points(self, points_px: Array, side: Side) -> Array:
        """Move points (N,2) px of a raw picture to the rectified one, exactly (not through the maps).

        NaN where the lens model does not reach or the direction lies behind the rectified picture.
        """
        points = np.asarray(points_px, dtype=np.float64).reshape(-1, 2)
        if side not in self.maps and self._is_identity:
            return points.copy()
        camera, R = self._camera(side)
        return self._from_rays(rays_of_pixels(camera, points), R, side)

    def unrectify_points(self, points_px: Array, side: Side) -> Array:
        """Move points (N,2) px of a rectified picture to the raw one; the inverse of `rectify_points`."""
        points = np.asarray(points_px, dtype=np.float64).reshape(-1, 2)
        if side not in self.maps and self._is_identity:
            return points.copy()
        camera, R = self._camera(side)
        P = self.projection(side)
        plane = (points - P[:2, 2]) / self.focal_px
        return project_rays(camera, np.column_stack([plane, np.ones(len(plane))]) @ R)

    @property
    def _is_identity(self) -> bool:
        return self.rig is None or is_rectified(self.rig)

    def _camera(self, side: Side) -> tuple[Intrinsics, Array]:
        if self.rig is None:
            raise CalibrationError("This rectification knows no rig, so points cannot be moved.")
        return (self.rig.left, self.R_rect_left) if side == "left" else (self.rig.right, self.R_rect_right)

    def _from_rays(self, rays: Array, R: Array, side: Side) -> Array:
        turned = rays @ R.T
        with np.errstate(divide="ignore", invalid="ignore"):
            plane = np.where(turned[:, 2:] > 1e-6, turned[:, :2] / turned[:, 2:], np.nan)
        return np.asarray(plane * self.focal_px + self.projection(side)[:2, 2])


def identity_rectification(size_wh: tuple[int, int], focal_px: float | None = None) -> Rectification:
    """Take pictures as rectified, with no rig: relative depth.

    focal_px: if known, else one picture width, which is an ordinary lens.
    """
    w, h = size_wh
    focal = float(focal_px or w)
    return Rectification(
        size_wh=size_wh, focal_px=focal, cx_px=(w - 1) / 2, cy_px=(h - 1) / 2, baseline_m=1.0,
        roi=(0, 0, w, h), source_size_wh={"left": size_wh, "right": size_wh}, metric=False,
    )  # fmt: skip


def make_rectification(
    rig: StereoRig,
    *,
    metric: bool = True,
    sizes_wh: tuple[tuple[int, int], tuple[int, int]] | None = None,
    maps: bool = True,
) -> Rectification:
    """Rectify a rig: choose the common picture and compute the maps.

    A rig that is rectified already (same orientation, no distortion, one focal length, baseline along x) gives
    no maps and keeps its numbers, doffs among them. `metric`: lengths of the rig are metres. `sizes_wh`: size of
    the left and right pictures, px, for a rig that does not know it. `maps`: False leaves the maps out, for who
    wants only the geometry (the ROI is then the whole picture).

    Raises:
        CalibrationError: the picture size is unknown, the cameras look too far apart (the angle is told), one stands
            in front of the other, or the views have too little in common.
    """
    sizes = _sizes(rig, sizes_wh)
    if is_rectified(rig) and sizes["left"] == sizes["right"]:
        w, h = sizes["left"]
        K = rig.left.K
        return Rectification(
            size_wh=(w, h), focal_px=float(K[0, 0]), cx_px=float(K[0, 2]), cy_px=float(K[1, 2]),
            baseline_m=rig.baseline_m, doffs_px=float(rig.right.K[0, 2] - K[0, 2]), roi=(0, 0, w, h),
            source_size_wh=sizes, metric=metric, rig=rig,
        )  # fmt: skip
    frame = choose_frame(rig, sizes)
    result = Rectification(
        size_wh=frame.size_wh, focal_px=frame.focal_px, cx_px=frame.cx_left_px, cy_px=frame.cy_px,
        baseline_m=rig.baseline_m, doffs_px=frame.cx_right_px - frame.cx_left_px, roi=(0, 0, *frame.size_wh),
        source_size_wh=sizes, R_rect_left=frame.R_left, R_rect_right=frame.R_right, metric=metric,
        display_turns=frame.turns, notes=frame.notes, rig=rig,
    )  # fmt: skip
    return with_maps(result) if maps else result


def with_maps(rectification: Rectification) -> Rectification:
    """Compute the maps and the ROI of a rectification that has a rig."""
    maps: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {}
    valid = np.ones(rectification.size_wh[::-1], dtype=np.bool_)
    for side in SIDES:
        x, y, seen = _float_maps(rectification, side)
        whole, fraction = cv2.convertMaps(x, y, cv2.CV_16SC2)
        maps[side] = (np.asarray(whole), np.asarray(fraction))
        valid &= seen
    return replace(rectification, maps=maps, roi=largest_rectangle(valid))


def is_rectified(rig: StereoRig) -> bool:
    """Tell whether a rig's pictures are rectified as they come."""
    left, right = rig.left, rig.right
    reach = 1000.0 if left.size_wh is None else float(max(left.size_wh))
    if left.model == "fisheye" or right.model == "fisheye":
        return False
    if left.distortion.any() or right.distortion.any() or left.size_wh != right.size_wh:
        return False
    focal = np.array([left.K[0, 0], left.K[1, 1], right.K[0, 0], right.K[1, 1]])
    sideways = float(np.hypot(rig.t_right_left_m[1], rig.t_right_left_m[2])) / rig.baseline_m
    return bool(
        float(np.ptp(focal)) / focal[0] * reach < _STILL_PX
        and abs(left.K[1, 2] - right.K[1, 2]) < _STILL_PX
        and float(np.abs(rig.R_right_left - np.eye(3)).max()) * max(focal[0], reach) < _STILL_PX
        and rig.t_right_left_m[0] < 0
        and sideways * max(focal[0], reach) < _STILL_PX
    )


def scale_rig(rig: StereoRig, left_size_wh: tuple[int, int], right_size_wh: tuple[int, int] | None = None) -> StereoRig:
    """Give the rig as seen in pictures of another size, if they show the same field.

    A pixel (0, 0) is a centre, so a scale s moves c to (c + 0.5) s − 0.5. Whether the camera's other mode really
    shows the same field (and is no crop) cannot be seen from the sizes.

    Raises:
        CalibrationError: the rig does not know its size, or the aspect differs by more than 1 %.
    """
    wanted = {"left": left_size_wh, "right": right_size_wh or left_size_wh}
    scaled: dict[str, Intrinsics] = {}
    for side, camera in (("left", rig.left), ("right", rig.right)):
        if camera.size_wh is None:
            raise CalibrationError(
                f"The rig does not say for which picture size its {side} camera was calibrated.",
                "Write size_wh into the rig file.",
            )
        sx, sy = (new / old for new, old in zip(wanted[side], camera.size_wh))
        if abs(sx / sy - 1) > 0.01:
            raise CalibrationError(
                "The rig was made at {}x{} ({}), and {}x{} has another shape: it shows another field.".format(
                    *camera.size_wh, side, *wanted[side]
                ),
                "Take pictures at the rig's size, or calibrate at this one.",
            )
        K = camera.K.copy()
        K[0] *= sx
        K[1] *= sy
        K[0, 2] += sx / 2 - 0.5
        K[1, 2] += sy / 2 - 0.5
        scaled[side] = replace(camera, K=K, size_wh=wanted[side])
    return replace(rig, left=scaled["left"], right=scaled["right"])


def with_sizes(rig: StereoRig, left_size_wh: tuple[int, int], right_size_wh: tuple[int, int]) -> StereoRig:
    """Give the rig with picture sizes filled in where it does not know them."""
    return replace(
        rig,
        left=replace(rig.left, size_wh=rig.left.size_wh or left_size_wh),
        right=replace(rig.right, size_wh=rig.right.size_wh or right_size_wh),
    )


def swap_rig(rig: StereoRig) -> StereoRig:
    """Exchange left and right."""
    R = rig.R_right_left.T
    return StereoRig(left=rig.right, right=rig.left, R_right_left=R, t_right_left_m=-R @ rig.t_right_left_m)


def largest_rectangle(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Give the largest rectangle (x, y, w, h) of a mask (H,W) that is all True; zeros if there is none.

    Row by row, over the heights of the columns above (the stack method for the largest rectangle in a histogram).
    """
    best, answer = 0, (0, 0, 0, 0)
    heights = np.zeros(mask.shape[1], dtype=np.int64)
    for bottom, row in enumerate(mask):
        heights = np.where(row, heights + 1, 0)
        # A row of which every column stands equally high needs no search; most rows of a valid mask are such.
        if heights[0] == heights[-1] and (heights == heights[0]).all():
            candidates = [(int(heights[0]), 0, len(heights))]
        else:
            candidates = _histogram(heights.tolist())
        for height, start, end in candidates:
            if height * (end - start) > best:
                best = height * (end - start)
                answer = (start, bottom + 1 - height, end - start, height)
    return answer


def _histogram(heights: list[int]) -> list[tuple[int, int, int]]:
    stack: list[tuple[int, int]] = []
    found: list[tuple[int, int, int]] = []
    for i, height in enumerate([*heights, 0]):
        start = i
        while stack and stack[-1][1] >= height:
            start, top = stack.pop()
            found.append((top, start, i))
        stack.append((start, height))
    return found


def _sizes(rig: StereoRig, given: tuple[tuple[int, int], tuple[int, int]] | None) -> dict[str, tuple[int, int]]:
    sizes: dict[str, tuple[int, int]] = {}
    for i, (side, camera) in enumerate((("left", rig.left), ("right", rig.right))):
        size = camera.size_wh or (given[i] if given else None)
        if size is None:
            raise CalibrationError(
                f"The rig does not say the picture size of its {side} camera.",
                "Name the pictures' size, or write size_wh into the rig file.",
            )
        sizes[side] = size
    return sizes


def _float_maps(
    rectification: Rectification, side: Side
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Maps (H,W) float32 x, y of one side and where they hit the picture; −2 where the lens model ends."""
    camera, R = rectification._camera(side)
    P = rectification.projection(side)[:, :3]
    size = rectification.size_wh
    if camera.model == "fisheye":
        map_x, map_y = cv2.fisheye.initUndistortRectifyMap(camera.K, camera.distortion, R, P, size, cv2.CV_32FC1)
    else:
        map_x, map_y = cv2.initUndistortRectifyMap(camera.K, camera.distortion, R, P, size, cv2.CV_32FC1)
    u, v = np.meshgrid((np.arange(size[0]) - P[0, 2]) / P[0, 0], (np.arange(size[1]) - P[1, 2]) / P[1, 1])
    # Beyond the angle where the model folds back, content would be shown a second time.
    forward = u * R[0, 2] + v * R[1, 2] + R[2, 2]
    reached = forward > np.cos(fold_angle(camera)) * np.sqrt(u * u + v * v + 1)
    x = np.where(reached, map_x, -2).astype(np.float32)
    y = np.where(reached, map_y, -2).astype(np.float32)
    w, h = rectification.source_size_wh[side]
    # A map's step is 1/32 px, and a float32 near 2000 is good to 1e-4: half a step is on the picture still.
    step = 1 / 64
    inside = (x >= -step) & (y >= -step) & (x <= w - 1 + step) & (y <= h - 1 + step)
    return x, y, np.asarray(reached & inside)
