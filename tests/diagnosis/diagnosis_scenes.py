"""A clean rendered pair, and every fault that the doctor can find in pictures, made in it."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from calibration.rectify import make_rectification
from calibration.rig import Intrinsics, StereoRig
from calibration.rigfile import RigFile
from livestereo.diagnosis.evidence import Evidence
from livestereo.diagnosis.examine import examine
from livestereo.types import CaptureStats, Frame, SourceInfo, StereoFrame

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


def evidence(
    left: Change | None = None, right: Change | None = None, *, exchanged: bool = False, skew_s: float = 0.0,
    far: bool = False, **more: object,
) -> Evidence:  # fmt: skip
    """Some pairs with changes made to one side or both. far: everything has 1 px of disparity."""
    a, b = clean_pair()
    if far:
        b = cv2.warpAffine(a, np.float32([[1, 0, -1], [0, 1, 0]]), SIZE, borderMode=cv2.BORDER_REFLECT)
    rng = np.random.default_rng(1)
    frames = []
    for i in range(COUNT):
        sides = []
        for image, change in ((a, left), (b, right)):
            noisy = np.clip(image + rng.normal(0, 1, image.shape), 0, 255).astype(np.uint8)
            sides.append(Frame(change(noisy, i) if change else noisy, i / 30, i))
        if exchanged:
            sides.reverse()
        frames.append(StereoFrame(sides[0], sides[1], i, skew_s))
    rig = more.pop("rig_file", rig_file())
    settings = {"num_disparities": 64, "min_disparity": 0}
    rectification = make_rectification(rig.rig) if rig is not None else None
    given = {"info": SourceInfo("test", False), "rig_file": rig, "rectification": rectification, "settings": settings}
    return Evidence(frames, **{**given, **more})


def gain(factor: float) -> Change:
    return lambda image, _i: np.clip(image * factor, 0, 255).astype(np.uint8)


def failed(e: Evidence) -> list[str]:
    return [finding.check for finding in examine(e) if not finding.ok]


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


def soft(image: np.ndarray, _i: int) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), 3.2)


def wall(image: np.ndarray, i: int) -> np.ndarray:
    """A blank wall before all but the lowest rows."""
    made = image.copy()
    blank = 150 + np.random.default_rng(i).normal(0, 0.6, made.shape)
    made[: int(0.9 * SIZE[1])] = blank[: int(0.9 * SIZE[1])]
    return made


def fence(image: np.ndarray, _i: int) -> np.ndarray:
    made = image.copy()
    stripes = 127 + 70 * np.sign(np.sin(2 * np.pi * np.arange(SIZE[0]) / 17))
    made[: SIZE[1] // 2] = stripes[None, :, None]
    return made


def spot(x: int) -> Change:
    """A lamp mirrored in something: it lies elsewhere in the other picture."""

    def change(image: np.ndarray, _i: int) -> np.ndarray:
        glow = np.zeros(image.shape[:2], np.float32)
        cv2.circle(glow, (x, 250), 16, 1.0, -1)
        glow = cv2.GaussianBlur(glow, (0, 0), 2)[..., None]
        return np.clip(image * (1 - glow) + 262 * glow, 0, 255).astype(np.uint8)

    return change


def smaller_noise(image: np.ndarray, i: int) -> np.ndarray:
    """A picture of half the size that shows something else."""
    return np.random.default_rng(i).integers(0, 256, (SIZE[1] // 2, SIZE[0] // 2, 3)).astype(np.uint8)


FIRST = clean_pair()[1]
LIVE = {"info": SourceInfo("live", True, fps=30.0)}
PLAIN = SourceInfo(
    "live", True, (640, 480), (640, 480), 30.0, left_id="usb:046d-0825@1-2", right_id="usb:046d-0825@1-3",
    capture={"formats": ("YUYV", "YUYV")},
)  # fmt: skip
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
    ("size", {**LIVE, "right": smaller_noise, "rig_file": None}),
    ("size", {"right": lambda image, _i: image[::2, ::2].copy(), "rig_file": None}),
    ("blur", {"left": soft, "right": soft}),
    ("swapped", {"exchanged": True}),
    ("skew", {"skew_s": 0.014}),
    ("row_time", {**LIVE, "stats": CaptureStats(fps_left=30.0, fps_right=30.0, row_skew_s=0.015)}),
    ("bandwidth", {"info": PLAIN, "stats": CaptureStats(fps_left=14.0, fps_right=15.0)}),
    ("glare", {"left": spot(235), "right": spot(130)}),
    ("texture", {"left": wall, "right": wall}),
    ("repetition", {"left": fence, "right": fence}),
    ("baseline", {"far": True}),
]  # fmt: skip
