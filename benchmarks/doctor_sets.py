"""Clean sequences with their rigs, real and rendered, that `doctor.py` makes its faults in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

# The folder of this file holds a calibration.py, which must not stand before the package of that name.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from calibration.rectify import make_rectification
from calibration.rig import Intrinsics, StereoRig
from calibration.rigfile import RigFile
from livestereo.diagnosis.evidence import Evidence
from livestereo.sources.demo import DemoSource
from livestereo.types import Frame, SourceInfo, StereoFrame

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
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
