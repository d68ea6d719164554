"""Each fault, made in a clean rendered pair, is named first or second; the clean pair has none."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from calibration.rectify import make_rectification
from calibration.rig import Intrinsics, StereoRig
from calibration.rigfile import RigFile
from livestereo.diagnosis import timing
from livestereo.diagnosis.evidence import Evidence, blockiness, edge_width_px
from livestereo.diagnosis.examine import examine, in_order
from livestereo.diagnosis.monitor import DEAR_EVERY, IN_TURN, Monitor
from livestereo.types import (
    CaptureStats,
    Finding,
    Frame,
    MatchResult,
    RectifiedPair,
    SourceInfo,
    StereoFrame,
    StereoResult,
)

SIZE = (480, 360)
COUNT = 6
Change = Callable[[np.ndarray, int], np.ndarray]


def texture(rng: np.random.Generator, h: int, w: int, colour: tuple[float, float, float]) -> np.ndarray:
    field = np.zeros((h, w, 3), np.float32)
    for sigma, weight in ((1.0, 26), (3.0, 22), (9.0, 20), (25.0, 16)):
        noise = cv2.GaussianBlur(rng.normal(0, 1, (h, w, 3)).astype(np.float32), (0, 0), sigma)
        field += weight * noise / noise.std()
    return np.clip(field * 0.8 + np.array(colour), 0, 255).astype(np.uint8)


def clean_pair(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A wall at 12 px and two squares at 30 and 45 px of disparity."""
    rng = np.random.default_rng(seed)
    w, h = SIZE
    wall = texture(rng, h, w + 12, (110, 120, 130))
    left, right = wall[:, :w].copy(), wall[:, 12:].copy()
    for (x, y, side), disparity, colour in (((90, 60, 130), 30, (90, 120, 150)), ((270, 170, 140), 45, (140, 120, 90))):
        patch = texture(rng, side, side, colour)
        left[y : y + side, x : x + side] = patch
        right[y : y + side, x - disparity : x - disparity + side] = patch
    return left, right


def rig_file(turn_deg: float = 0.0) -> RigFile:
    w, h = SIZE
    K = np.array([[400.0, 0, (w - 1) / 2], [0, 400.0, (h - 1) / 2], [0, 0, 1]])
    camera = Intrinsics(K, np.zeros(5), "pinhole", SIZE)
    R = cv2.Rodrigues(np.radians([turn_deg, 0.3 * turn_deg, 0.5 * turn_deg]))[0]
    return RigFile(rig=StereoRig(camera, camera, R, np.array([-0.1, 0, 0])))


def evidence(left: Change | None = None, right: Change | None = None, **more: object) -> Evidence:
    a, b = clean_pair()
    rng = np.random.default_rng(1)
    frames = []
    for i in range(COUNT):
        sides = []
        for image, change in ((a, left), (b, right)):
            noisy = np.clip(image + rng.normal(0, 1, image.shape), 0, 255).astype(np.uint8)
            sides.append(Frame(change(noisy, i) if change else noisy, i / 30, i))
        frames.append(StereoFrame(sides[0], sides[1], i))
    rig = more.pop("rig_file", rig_file())
    settings = {"num_disparities": 64, "min_disparity": 0}
    rectification = make_rectification(rig.rig) if rig is not None else None
    given = {"info": SourceInfo("test", False), "rig_file": rig, "rectification": rectification, "settings": settings}
    return Evidence(frames, **{**given, **more})


def gain(factor: float) -> Change:
    return lambda image, _i: np.clip(image * factor, 0, 255).astype(np.uint8)


def failed(e: Evidence) -> list[str]:
    return [finding.check for finding in examine(e) if not finding.ok]


def test_a_clean_pair_has_no_fault() -> None:
    assert failed(evidence()) == []


def lowered(pixels: float) -> Change:
    move = np.float32([[1, 0, 0], [0, 1, pixels]])
    return lambda image, _i: cv2.warpAffine(image, move, SIZE, borderMode=cv2.BORDER_REFLECT)


def zooming(image: np.ndarray, i: int) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((SIZE[0] / 2, SIZE[1] / 2), 0, 1 + 0.05 * i / (COUNT - 1))
    return cv2.warpAffine(image, matrix, SIZE, borderMode=cv2.BORDER_REFLECT)


def bands(image: np.ndarray, i: int) -> np.ndarray:
    wave = 1 + 0.1 * np.sin(2 * np.pi * (3.3 * np.arange(SIZE[1]) / SIZE[1] + 0.37 * i))
    return np.clip(image * wave[:, None, None], 0, 255).astype(np.uint8)


def blocks(image: np.ndarray, _i: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 8])[1], cv2.IMREAD_COLOR)


FIRST = clean_pair()[1]
LIVE = {"info": SourceInfo("live", True, fps=30.0)}
FAULTS: list[tuple[str, dict[str, object]]] = [
    ("exposure", {"right": gain(0.75)}),
    ("white_balance", {"right": lambda image, _i: np.clip(image * [1.2, 1, 0.9], 0, 255).astype(np.uint8)}),
    ("focus", {"right": lambda image, _i: cv2.GaussianBlur(image, (0, 0), 2.2)}),
    ("mirrored", {"right": lambda image, _i: image[:, ::-1].copy()}),
    ("rotated", {"right": lambda image, _i: cv2.rotate(image, cv2.ROTATE_180)}),
    ("dark", {"left": gain(0.1), "right": gain(0.1)}),
    ("bright", {"left": gain(3.0), "right": gain(3.0)}),
    ("frozen", {"right": lambda image, i: FIRST}),
    ("flicker", {"left": bands, "right": bands}),
    ("compression", {"left": blocks, "right": blocks}),
    ("framing", {"right": zooming}),
    ("vertical", {"right": lowered(2.0)}),
    ("wrong_rig", {"rig_file": rig_file(5.0)}),
    ("disparity_range", {"settings": {"num_disparities": 32, "min_disparity": 0}}),
    ("out_of_range", {"settings": {"num_disparities": 16, "min_disparity": 64}}),
    ("frame_rate", {**LIVE, "stats": CaptureStats(fps_left=30.0, fps_right=15.0)}),
    ("frozen", {**LIVE, "stats": CaptureStats(fps_left=30.0, fps_right=30.0, state_right="stalled")}),
    ("size", {"right": lambda image, _i: image[::2, ::2].copy(), "rig_file": None}),
]  # fmt: skip


@pytest.mark.parametrize(("check", "fault"), FAULTS, ids=[f"{i}-{check}" for i, (check, _) in enumerate(FAULTS)])
def test_each_fault_is_named_first_or_second(check: str, fault: dict[str, object]) -> None:
    assert check in failed(evidence(**fault))[:2]  # type: ignore[arg-type]


def test_exchanged_pictures_are_found_with_and_without_a_rig() -> None:
    for rig in (rig_file(), None):
        e = evidence(rig_file=rig)
        frames = [dataclasses.replace(f, left=f.right, right=f.left) for f in e.frames]
        turned = Evidence(frames, e.info, rig_file=e.rig_file, rectification=e.rectification, settings=e.settings)
        assert failed(turned)[0] == "swapped"


def test_a_large_skew_is_told() -> None:
    e = evidence()
    frames = [dataclasses.replace(f, skew_s=0.014) for f in e.frames]
    assert "skew" in failed(Evidence(frames, e.info, rig_file=e.rig_file, rectification=e.rectification))


@pytest.mark.parametrize("sigma", [1.5, 3.0, 5.0])
def test_edge_width_measures_the_blur(sigma: float) -> None:
    step = np.zeros((200, 300), np.float32)
    step[:, 150:] = 200
    step[100:, :] = 200 - step[100:, :]
    blurred = np.clip(cv2.GaussianBlur(step, (0, 0), sigma) + 20, 0, 255).astype(np.uint8)
    width = edge_width_px(blurred)
    # the smoothing of 0.7 px before the measurement is part of it
    assert width == pytest.approx(np.hypot(sigma, 0.7), rel=0.15)


def test_blocks_grow_with_compression() -> None:
    picture = clean_pair()[0][:, :, 1]
    smooth = cv2.GaussianBlur(picture, (0, 0), 2)

    def coded(quality: int) -> float:
        data = cv2.imencode(".jpg", smooth, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return blockiness(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))

    assert blockiness(smooth) < 1.2 < coded(30) < coded(8)


def test_what_a_worse_fault_explains_is_left_out() -> None:
    found = in_order(
        [Finding("vertical", "", severity=0.8), Finding("rotated", "", severity=1.0), Finding("size", "", ok=True)]
    )
    assert [f.check for f in found] == ["rotated", "size"]


def result_of(frame: StereoFrame, rig: RigFile) -> StereoResult:
    rectification = make_rectification(rig.rig)
    grays = [cv2.cvtColor(side.image, cv2.COLOR_BGR2GRAY) for side in (frame.left, frame.right)]
    nothing = np.full(grays[0].shape, np.nan, np.float32)
    return StereoResult(frame, RectifiedPair(frame, rectification, *grays), MatchResult(nothing), nothing)


def test_the_monitor_says_what_stands_and_forgets_what_is_mended() -> None:
    rig = rig_file()
    monitor = Monitor(SourceInfo("live", True, fps=30.0), rig)
    clean, dark = evidence(), evidence(left=gain(0.1), right=gain(0.1))
    stats = CaptureStats(fps_left=30.0, fps_right=30.0)

    def looks(e: Evidence, count: int) -> list[str]:
        named: list[str] = []
        for i in range(count):
            frame = e.frames[i % COUNT]
            named = [finding.check for finding in monitor.observe(frame, result_of(frame, rig), stats)]
        return named

    assert looks(clean, DEAR_EVERY * len(IN_TURN)) == []
    assert looks(dark, 1) == []  # once may be a hand before the lens
    assert looks(dark, 1) == ["dark"]
    assert "dark" not in looks(clean, 1)


def test_a_zoom_is_told_from_the_cameras_own_motion() -> None:
    """Both pictures change wholly between the first and the last pair, as in a car; only then one of them zooms."""

    def elsewhere(i: int) -> tuple[np.ndarray, np.ndarray]:
        return clean_pair(i)

    def run_of(zoom: float) -> Evidence:
        frames = []
        for i in range(COUNT):
            left, right = elsewhere(i)
            matrix = cv2.getRotationMatrix2D((SIZE[0] / 2, SIZE[1] / 2), 0, 1 + zoom * i / (COUNT - 1))
            right = cv2.warpAffine(right, matrix, SIZE, borderMode=cv2.BORDER_REFLECT)
            frames.append(StereoFrame(Frame(left, i / 30, i), Frame(right, i / 30, i), i))
        return Evidence(frames, SourceInfo("drive", False))

    still, zoomed = timing.framing(run_of(0.0)), timing.framing(run_of(0.04))
    assert still is not None and still.ok
    assert zoomed is not None and not zoomed.ok
