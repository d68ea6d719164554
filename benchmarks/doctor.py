"""Faults made in clean pictures, and whether the doctor names them: `python benchmarks/doctor.py [--quick]`.

Each fault is made at two strengths in real pairs (where `../shared/data` is there) and in the rendered room. Right
means that its check is first or second of the failed ones. Clean pairs must give no fault of rig or capture.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

# The folder of this file holds a calibration.py, which must not stand before the package of that name.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from calibration.rectify import make_rectification
from calibration.rig import Intrinsics, StereoRig
from calibration.rigfile import RigFile
from livestereo.diagnosis.evidence import Evidence
from livestereo.diagnosis.examine import examine
from livestereo.sources.demo import DemoSource
from livestereo.types import CaptureStats, Frame, SourceInfo, StereoFrame

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
SCENE_CHECKS = {"texture", "repetition", "baseline"}
COUNT = 6


@dataclass(frozen=True)
class Clean:
    """A clean sequence with its rig."""

    name: str
    evidence: Evidence


def pairs(images: list[tuple[np.ndarray, np.ndarray]], fps: float = 30.0, skew_s: float = 0.0) -> list[StereoFrame]:
    return [
        StereoFrame(Frame(left, i / fps, i), Frame(right, i / fps + skew_s, i), i, skew_s)
        for i, (left, right) in enumerate(images)
    ]


def rectified_rig(w: int, h: int, focal: float, baseline: float) -> RigFile:
    K = np.array([[focal, 0, (w - 1) / 2], [0, focal, (h - 1) / 2], [0, 0, 1]])
    camera = Intrinsics(K, np.zeros(5), "pinhole", (w, h))
    return RigFile(rig=StereoRig(camera, camera, np.eye(3), np.array([-baseline, 0, 0])))


def make(name: str, images: list[tuple[np.ndarray, np.ndarray]], rig: RigFile, disparities: int) -> Clean:
    evidence = Evidence(
        pairs(images), SourceInfo(name, live=False), rig_file=rig, rectification=make_rectification(rig.rig),
        settings={"num_disparities": disparities, "min_disparity": 0},
    )  # fmt: skip
    return Clean(name, evidence)


# folder, left, right, focal length px, baseline m, disparities
PHOTOS: tuple[tuple[str, str, str, float, float, int], ...] = (
    *(
        ("oakd_stereodemo", f"{name}_left.png", f"{name}_right.png", 451.0, 0.075, 96)
        for name in (
            "toy", "living_room", "kid_bedroom", "cycles", "bedroom_chair", "corridor", "desk", "donkey_toy",
            "pov_controllers", "pov_hands", "selfie", "stairs",
        )
    ),
    ("skimage_motorcycle", "motorcycle_left.png", "motorcycle_right.png", 995.0, 0.193, 80),
    ("pandora_cones", "cones_left_color.png", "cones_right_color.png", 500.0, 0.16, 64),
    ("opencv_aloe", "aloeL.jpg", "aloeR.jpg", 1300.0, 0.16, 224),
    ("tsukuba_gt", "tsukuba_l.png", "tsukuba_r.png", 615.0, 0.1, 32),
)  # fmt: skip


def real_sets() -> Iterator[Clean]:
    """Hand-held and studio pairs, made into sequences by noise and a slow pan; a drive."""
    for folder, left_name, right_name, focal, baseline, disparities in PHOTOS:
        left, right = (_read(DATA / folder, name) for name in (left_name, right_name))
        if left is None or right is None:
            continue
        h, w = left.shape[:2]
        name = left_name.split("_left")[0] if folder.startswith("oakd") else folder
        yield make(name, moving(left, right), rectified_rig(w, h, focal, baseline), disparities)
    yield from drive()


def _read(folder: Path, name: str) -> np.ndarray | None:
    found = sorted(folder.rglob(name))
    return cv2.imread(str(found[0])) if found else None


def drive() -> Iterator[Clean]:
    """The beginning and the middle of a drive: a real sequence."""
    videos = [cv2.VideoCapture(str(DATA / "kitti_drive" / f"{side}.mp4")) for side in ("left", "right")]
    read = [[frame for ok, frame in iter(video.read, (False, None)) if ok] for video in videos]
    for first in (0, 30):
        images = list(zip(read[0], read[1]))[first : first + COUNT]
        if len(images) == COUNT:
            h, w = images[0][0].shape[:2]
            yield make(f"kitti_drive {first}", images, rectified_rig(w, h, 707.0, 0.54), 96)


def moving(left: np.ndarray, right: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    made = []
    for i in range(COUNT):
        shift = np.float32([[1, 0, 0.7 * i], [0, 1, 0]])
        sides = []
        for image in (left, right):
            moved = cv2.warpAffine(image, shift, image.shape[1::-1], borderMode=cv2.BORDER_REFLECT).astype(np.float32)
            sides.append(np.clip(moved + rng.normal(0, 1.0, moved.shape), 0, 255).astype(np.uint8))
        made.append((sides[0], sides[1]))
    return made


def demo_set(scene: str, seed: int) -> Clean:
    with DemoSource(scene, seed=seed) as source:
        images = []
        for _ in range(COUNT):
            frame = source.read(1.0)
            assert frame is not None
            images.append((frame.left.image, frame.right.image))
        return make(f"demo:{scene},seed={seed}", images, source.rig, 128)


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


def live(**figures: float) -> Callable[[Evidence], Evidence]:
    def apply(e: Evidence) -> Evidence:
        info = SourceInfo(e.info.name, live=True, fps=30.0)
        stats = CaptureStats(**{"fps_left": 30.0, "fps_right": 30.0, **figures})  # type: ignore[arg-type]
        return replace_evidence(e, info=info, stats=stats)

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
    ("rows read out differently, 20 / 10 ms", "row_time", live(row_skew_s=0.020), live(row_skew_s=0.010)),
    ("a blank wall, 95 % / 85 %", "texture", on_both(blank(0.95)), on_both(blank(0.85))),
    ("a fence, 60 % / 30 %", "repetition", on_both(fence(0.6)), on_both(fence(0.3))),
]


def failed(e: Evidence) -> list[str]:
    return [finding.check for finding in examine(e) if not finding.ok]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="faults in two real sets and one rendered one")
    parser.add_argument("--only", default="", help="faults of this check alone")
    parser.add_argument("--clean", action="store_true", help="no faults")
    options = parser.parse_args()
    real = list(real_sets())
    rendered = [demo_set("room", seed) for seed in range(1, 7)] + [demo_set("clean", 1), demo_set("plane", 1)]
    alarms = 0
    print("| clean set | named |\n|---|---|")
    for clean in [*real, *rendered]:
        found = [finding for finding in examine(clean.evidence) if not finding.ok]
        alarms += any(finding.check not in SCENE_CHECKS for finding in found)
        told = "; ".join(f"{finding.check}: {finding.what}" for finding in found)
        print(f"| {clean.name} | {told or 'nothing'} |", flush=True)
    print(f"\n{alarms} false alarms in {len(real) + len(rendered)} clean sets")
    if options.clean:
        return 0
    # Every other real set carries the faults: small rooms, a corridor, a drive, studio pairs.
    chosen = real[::2] if not options.quick else real[:2]
    carriers = [*chosen, *(rendered[:6] if not options.quick else rendered[:1])]
    print("\n| fault | check | strong | weak | missed |\n|---|---|---|---|---|")
    right = total = 0
    for words, check, strong, weak in FAULTS:
        if options.only and options.only != check:
            continue
        cells, missed = [], []
        for fault in (strong, weak):
            good = 0
            for clean in carriers:
                named = failed(fault(clean.evidence))
                hit = check in named[:2]
                good += hit
                if not hit:
                    missed.append(f"{clean.name}: {', '.join(named[:3]) or 'nothing'}")
            cells.append(f"{good}/{len(carriers)}")
            right, total = right + good, total + len(carriers)
        print(f"| {words} | {check} | {cells[0]} | {cells[1]} | {'; '.join(missed)} |", flush=True)
    print(f"\n{right} of {total} right ({100 * right / max(total, 1):.1f} %)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
