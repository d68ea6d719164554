"""Faults of cameras, rig and scene, each made at two strengths in a clean sequence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

# The folder of this file holds a calibration.py, which must not stand before the package of that name.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from doctor_sets import COUNT

from calibration.rectify import make_rectification
from calibration.rig import StereoRig
from calibration.rigfile import RigFile
from livestereo.diagnosis.evidence import Evidence
from livestereo.types import CaptureStats, SourceInfo


def on_right(change: Callable[[np.ndarray, int], np.ndarray]) -> Callable[[Evidence], Evidence]:
    def apply(e: Evidence) -> Evidence:
        frames = [replace(f, right=replace(f.right, image=change(f.right.image, i))) for i, f in enumerate(e.frames)]
        return replace_evidence(e, frames=frames)

    return apply


def on_both(change: Callable[[np.ndarray, int], np.ndarray]) -> Callable[[Evidence], Evidence]:
    def apply(e: Evidence) -> Evidence:
        frames = [
            replace(
                f,
                left=replace(f.left, image=change(f.left.image, i)),
                right=replace(f.right, image=change(f.right.image, i)),
            )
            for i, f in enumerate(e.frames)
        ]
        return replace_evidence(e, frames=frames)

    return apply


def replace_evidence(e: Evidence, **changes: object) -> Evidence:
    fields = {name: getattr(e, name) for name in Evidence.__dataclass_fields__}
    return Evidence(**{**fields, **changes})


def gain(factor: float, offset: float = 0.0) -> Callable[[np.ndarray, int], np.ndarray]:
    return lambda image, _i: np.clip(image * factor + offset, 0, 255).astype(np.uint8)


def colour(blue: float, red: float) -> Callable[[np.ndarray, int], np.ndarray]:
    return lambda image, _i: np.clip(image * np.array([blue, 1.0, red]), 0, 255).astype(np.uint8)


def blurred(sigma: float) -> Callable[[np.ndarray, int], np.ndarray]:
    return lambda image, _i: cv2.GaussianBlur(image, (0, 0), sigma * image.shape[1] / 640)


def jpeg(quality: int) -> Callable[[np.ndarray, int], np.ndarray]:
    return lambda image, _i: cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1)


def bands(amount: float) -> Callable[[np.ndarray, int], np.ndarray]:
    def apply(image: np.ndarray, i: int) -> np.ndarray:
        rows = np.arange(image.shape[0])[:, None, None]
        wave = 1 + amount * np.sin(2 * np.pi * (3.3 * rows / image.shape[0] + 0.37 * i))
        return np.clip(image * wave, 0, 255).astype(np.uint8)

    return apply


def zoomed(step: float) -> Callable[[np.ndarray, int], np.ndarray]:
    def apply(image: np.ndarray, i: int) -> np.ndarray:
        h, w = image.shape[:2]
        matrix = cv2.getRotationMatrix2D((w / 2, h / 2), 0, 1 + step * i / (COUNT - 1))
        return cv2.warpAffine(image, matrix, (w, h), borderMode=cv2.BORDER_REFLECT)

    return apply


def lowered(pixels: float) -> Callable[[np.ndarray, int], np.ndarray]:
    return lambda image, _i: cv2.warpAffine(
        image, np.float32([[1, 0, 0], [0, 1, pixels]]), image.shape[1::-1], borderMode=cv2.BORDER_REFLECT
    )


def rolled(degrees: float) -> Callable[[np.ndarray, int], np.ndarray]:
    def apply(image: np.ndarray, _i: int) -> np.ndarray:
        h, w = image.shape[:2]
        return cv2.warpAffine(
            image, cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1), (w, h), borderMode=cv2.BORDER_REFLECT
        )

    return apply


def spot(radius: float) -> Callable[[Evidence], Evidence]:
    """A highlight that lies elsewhere in each picture, on a textured place."""

    def apply(e: Evidence) -> Evidence:
        points = e.matches.left_px
        h, w = e.grays[0].shape
        inside = points[(np.abs(points[:, 0] - w / 2) < 0.3 * w) & (np.abs(points[:, 1] - h / 2) < 0.3 * h)]
        middle = np.median(inside, axis=0)
        frames = []
        for f in e.frames:
            sides = []
            for image, shift in ((f.left.image, 0.0), (f.right.image, -0.19 * w)):
                glow = np.zeros(image.shape[:2], np.float32)
                cv2.circle(glow, (int(middle[0] + shift), int(middle[1])), int(radius * w), 1.0, -1)
                glow = cv2.GaussianBlur(glow, (0, 0), 0.15 * radius * w)[..., None]
                sides.append(np.clip(image * (1 - glow) + 262 * glow, 0, 255).astype(np.uint8))
            frames.append(replace(f, left=replace(f.left, image=sides[0]), right=replace(f.right, image=sides[1])))
        return replace_evidence(e, frames=frames)

    return apply


def exchanged(e: Evidence) -> Evidence:
    return replace_evidence(e, frames=[replace(f, left=f.right, right=f.left) for f in e.frames])


def still(count: int) -> Callable[[Evidence], Evidence]:
    def apply(e: Evidence) -> Evidence:
        first = e.frames[COUNT - 1 - count].right.image
        frames = [
            replace(f, right=replace(f.right, image=first)) if i >= COUNT - 1 - count else f
            for i, f in enumerate(e.frames)
        ]
        return replace_evidence(e, frames=frames)

    return apply


def other_rig(turn_deg: float, focal: float) -> Callable[[Evidence], Evidence]:
    def apply(e: Evidence) -> Evidence:
        assert e.rig_file is not None
        rig = e.rig_file.rig
        R = cv2.Rodrigues(np.radians([turn_deg, 0.4 * turn_deg, 0.5 * turn_deg]))[0]
        K = rig.right.K * np.array([[focal, 1, 1], [1, focal, 1], [1, 1, 1]])
        changed = StereoRig(rig.left, replace(rig.right, K=K), R @ rig.R_right_left, rig.t_right_left_m)
        return replace_evidence(e, rig_file=RigFile(rig=changed), rectification=make_rectification(changed))

    return apply


def disparities(count: int, least: int = 0) -> Callable[[Evidence], Evidence]:
    return lambda e: replace_evidence(e, settings={"num_disparities": count, "min_disparity": least})


def far_range(share: float) -> Callable[[Evidence], Evidence]:
    """A range that begins beyond the given share of the largest disparity of the scene."""

    def apply(e: Evidence) -> Evidence:
        points = e.rectified_points
        assert points is not None
        high = float(np.percentile(points[0][:, 0] - points[1][:, 0], 99))
        return replace_evidence(e, settings={"num_disparities": 16, "min_disparity": int(high * share)})

    return apply


def near_range(share: float) -> Callable[[Evidence], Evidence]:
    """A range that ends at the given percentile of the scene's disparities."""

    def apply(e: Evidence) -> Evidence:
        points = e.rectified_points
        assert points is not None
        limit = float(np.percentile(points[0][:, 0] - points[1][:, 0], share))
        return replace_evidence(e, settings={"num_disparities": max(8, int(limit)), "min_disparity": 0})

    return apply


def live(fps_right: float = 30.0, row_skew_s: float = 0.0) -> Callable[[Evidence], Evidence]:
    def apply(e: Evidence) -> Evidence:
        info = SourceInfo(e.info.name, live=True, fps=30.0)
        stats = CaptureStats(fps_left=30.0, fps_right=fps_right, row_skew_s=row_skew_s)
        return replace_evidence(e, info=info, stats=stats)

    return apply


def uncompressed(size_wh: tuple[int, int], fps: float) -> Callable[[Evidence], Evidence]:
    """Two cameras on one USB port that send plain pictures; they come as fast as the port lets them."""

    def apply(e: Evidence) -> Evidence:
        info = SourceInfo(
            e.info.name, True, size_wh, size_wh, 30.0, left_id="usb:046d-0825@1-2", right_id="usb:046d-0825@1-3",
            capture={"formats": ("YUYV", "YUYV")},
        )  # fmt: skip
        return replace_evidence(e, info=info, stats=CaptureStats(fps_left=fps, fps_right=fps))

    return apply


def skewed(ms: float) -> Callable[[Evidence], Evidence]:
    return lambda e: replace_evidence(e, frames=[replace(f, skew_s=ms / 1e3) for f in e.frames])


def smaller(share: float) -> Callable[[Evidence], Evidence]:
    def change(image: np.ndarray, _i: int) -> np.ndarray:
        return cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)

    return lambda e: replace_evidence(on_right(change)(e), rig_file=None, rectification=None)


def turned(code: int) -> Callable[[np.ndarray, int], np.ndarray]:
    return lambda image, _i: cv2.rotate(image, code)


def blank(strength: float) -> Callable[[np.ndarray, int], np.ndarray]:
    """A wall in front of nearly everything."""

    def apply(image: np.ndarray, i: int) -> np.ndarray:
        h = image.shape[0]
        wall = np.full_like(image, 150)
        wall = np.clip(wall + np.random.default_rng(i).normal(0, 0.6, wall.shape), 0, 255).astype(np.uint8)
        made = image.copy()
        made[: int(h * strength)] = wall[: int(h * strength)]
        return made

    return apply


def fence(share: float) -> Callable[[np.ndarray, int], np.ndarray]:
    def apply(image: np.ndarray, _i: int) -> np.ndarray:
        h, w = image.shape[:2]
        x = np.arange(w)
        stripes = (127 + 70 * np.sign(np.sin(2 * np.pi * x / (0.035 * w)))).astype(np.uint8)
        made = image.copy()
        made[: int(h * share)] = stripes[None, :, None]
        return made

    return apply


FAULTS: list[tuple[str, str, Callable[[Evidence], Evidence], Callable[[Evidence], Evidence]]] = [
    ("exchanged / exchanged, rig kept", "swapped", exchanged, exchanged),
    (
        "mirrored right / left",
        "mirrored",
        on_right(lambda i, _n: i[:, ::-1].copy()),
        on_right(lambda i, _n: i[::-1].copy()),
    ),
    ("turned 180° / 90°", "rotated", on_right(turned(cv2.ROTATE_180)), on_right(turned(cv2.ROTATE_90_CLOCKWISE))),
    ("right picture half / 3/4 as large", "size", smaller(0.5), smaller(0.75)),
    ("exposure x1.6 / x1.25", "exposure", on_right(gain(0.62)), on_right(gain(0.8))),
    ("white balance 30 % / 15 %", "white_balance", on_right(colour(1.3, 0.8)), on_right(colour(1.15, 0.95))),
    ("right out of focus, 3 / 1.7 px", "focus", on_right(blurred(3.0)), on_right(blurred(1.7))),
    ("both blurred, 4 / 2.6 px", "blur", on_both(blurred(4.0)), on_both(blurred(2.6))),
    ("dark, x0.08 / x0.16", "dark", on_both(gain(0.08)), on_both(gain(0.16))),
    ("over-exposed, x3.5 / x2.4", "bright", on_both(gain(3.5, 40)), on_both(gain(2.4, 40))),
    ("right frozen for 5 / 3 pictures", "frozen", still(5), still(3)),
    ("flicker bands 15 % / 5 %", "flicker", on_both(bands(0.15)), on_both(bands(0.05))),
    ("JPEG quality 6 / 14", "compression", on_both(jpeg(6)), on_both(jpeg(14))),
    ("right zooms 6 % / 2.5 %", "framing", on_right(zoomed(0.06)), on_right(zoomed(0.025))),
    ("highlight of 6 % / 3 % of the width", "glare", spot(0.06), spot(0.03)),
    ("rows off by 4 / 1.5 px", "vertical", on_right(lowered(4.0)), on_right(lowered(1.5))),
    ("right rolled by 1° / 0.5°", "vertical", on_right(rolled(1.0)), on_right(rolled(0.5))),
    ("rig of other cameras", "wrong_rig", other_rig(6.0, 1.15), other_rig(3.0, 1.05)),
    ("range ends at 60 % / 85 % of the points", "disparity_range", near_range(60), near_range(85)),
    ("nothing in range", "out_of_range", far_range(1.5), far_range(1.1)),
    ("16 / 10 ms apart", "skew", skewed(16.0), skewed(10.0)),
    ("15 / 20 pictures per second of 30", "frame_rate", live(fps_right=15.0), live(fps_right=20.0)),
    (
        "plain pictures, 1280x720 / 640x480",
        "bandwidth",
        uncompressed((1280, 720), 10.0),
        uncompressed((640, 480), 20.0),
    ),
    ("rows read out differently, 20 / 10 ms", "row_time", live(row_skew_s=0.020), live(row_skew_s=0.010)),
    ("a blank wall, 95 % / 85 %", "texture", on_both(blank(0.95)), on_both(blank(0.85))),
    ("a fence, 60 % / 30 %", "repetition", on_both(fence(0.6)), on_both(fence(0.3))),
]
