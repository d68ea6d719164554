"""Tables of the matcher `sgm` against StereoSGBM 3WAY: speed, accuracy, sub-pixel, cost, memory.

    python benchmarks/sgm.py [speed] [accuracy] [quality] [subpixel] [cost] [memory]

One thread. Times are medians of runs taken in turn, so that a busy computer slows both alike. Both sides are padded
and refined as the presets `balanced` and `fast` say. Real pictures are read from ../shared/data; sets that are not
there are left out. The decoded pictures are held in memory; nothing is written.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from livestereo.filters.median import MedianFilter
from livestereo.filters.speckle import SpeckleFilter
from livestereo.matchers import MATCHERS
from livestereo.matchers.sgm import SgmConfig, SgmMatcher, warm_up
from livestereo.settings import resolve_settings
from livestereo.types import F32, U8, MatchResult

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
Match = Callable[[U8, U8], F32]
Truth = tuple[str, U8, U8, F32, int]


def refined(preset: str, num_disparities: int) -> Match:
    """Matcher and stateless filters of a preset, as one function of two pictures."""
    settings = resolve_settings(preset)
    matcher = MATCHERS[settings.matcher](settings, 0, num_disparities)
    median = MedianFilter(settings.median) if settings.median else None
    speckle = SpeckleFilter(settings.speckle_size, settings.speckle_range) if settings.speckle_size else None

    def run(left: U8, right: U8) -> F32:
        match: MatchResult = matcher.compute(left, right)
        if median is not None:
            match = median.apply(match, left)
        if speckle is not None:
            match = speckle.apply(match, left)
        return match.disparity_px

    return run


def gray(name: str) -> U8 | None:
    picture = cv2.imread(str(DATA / name), cv2.IMREAD_COLOR)
    return None if picture is None else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


def with_truth() -> Iterator[Truth]:
    """Real pairs with their true disparity, 0 unknown, and the disparities to search."""
    sets = (
        ("aloe", "opencv_aloe/aloeL.jpg", "opencv_aloe/aloeR.jpg", 224),
        ("cones", "pandora_cones/cones_left_color.png", "pandora_cones/cones_right_color.png", 64),
        ("motorcycle", "skimage_motorcycle/motorcycle_left.png", "skimage_motorcycle/motorcycle_right.png", 80),
        ("tsukuba", "tsukuba_gt/tsukuba_l.png", "tsukuba_gt/tsukuba_r.png", 16),
    )
    for name, left, right, count in sets:
        pair = gray(left), gray(right)
        if pair[0] is None or pair[1] is None:
            print(f"{name}: not here")
            continue
        if name == "motorcycle":
            truth = np.load(DATA / "skimage_motorcycle/motorcycle_disp.npz")["arr_0"]
        elif name == "cones":
            truth = cv2.imread(str(DATA / "pandora_cones/Cones_LEFT_GT.tif"), cv2.IMREAD_UNCHANGED)
        elif name == "tsukuba":
            truth = cv2.imread(str(DATA / "tsukuba_gt/groundtruth.png"), 0) / np.float32(16)
        else:
            truth = cv2.imread(str(DATA / "opencv_aloe/aloeGT.png"), 0)
        truth = np.asarray(truth, np.float32)
        yield name, pair[0], pair[1], np.where(np.isfinite(truth), truth, 0), count


def disturbed(kind: str, left: U8, right: U8) -> tuple[U8, U8]:
    rng = np.random.default_rng(0)
    if kind == "exposure 1.25+8":
        return left, np.clip(right * 1.25 + 8, 0, 255).round().astype(np.uint8)
    if kind == "noise 6":
        noisy = [np.clip(p + rng.normal(0, 6, p.shape), 0, 255).round().astype(np.uint8) for p in (left, right)]
        return noisy[0], noisy[1]
    down = {"equal": 0.0, "row 0.5": 0.5, "row 1": 1.0, "row -1": -1.0}[kind]
    if not down:
        return left, right
    move = np.array([[1, 0, 0], [0, 1, down]], np.float64)
    size = (right.shape[1], right.shape[0])
    return left, np.asarray(cv2.warpAffine(right, move, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def filled(disparity: F32) -> F32:
    """Holes take the smaller of the nearest valid disparities of the row."""
    valid = np.where(np.isfinite(disparity) & (disparity > 0), disparity, np.inf)

    def carried(rows: F32) -> F32:
        last = np.maximum.accumulate(np.where(np.isfinite(rows), np.arange(rows.shape[1]), 0), axis=1)
        return np.take_along_axis(rows, last, axis=1)

    return np.minimum(carried(valid), carried(valid[:, ::-1])[:, ::-1])


def accuracy() -> None:
    """Bad pixels (> 2 px, percent of all pixels with truth, after the same filling), and density before it."""
    sets = list(with_truth())
    kinds = ("equal", "exposure 1.25+8", "noise 6", "row 0.5", "row 1", "row -1")
    print(f"\n{'bad2 all (density), %':18s}" + "".join(f"{s[0]:>16s}" for s in sets) + "     mean of the first three")
    for kind in kinds:
        for preset in ("balanced", "fast"):
            cells, bad = [], []
            for _, left, right, truth, count in sets:
                disparity = refined(preset, count)(*disturbed(kind, left, right))
                known = truth > 0
                bad.append(100 * np.mean(np.abs(filled(disparity) - truth)[known] > 2))
                cells.append(f"{bad[-1]:6.2f} ({100 * np.isfinite(disparity[known]).mean():3.0f})")
            name = {"balanced": "3way", "fast": "sgm"}[preset]
            row = "".join(f"{cell:>16s}" for cell in cells)
            print(f"{kind:>15s} {name:5s}{row}{np.mean(bad[:3]):10.2f}", flush=True)


def quality() -> None:
    """Bad pixels after the same filling: presets against StereoSGBM as OpenCV gives it, bare and padded."""
    sets = [one for one in with_truth() if one[0] != "tsukuba"]

    def stock(count: int, padded: bool) -> Match:
        plain = cv2.StereoSGBM.create(0, count, 5, 8 * 25, 32 * 25, 1, 63, 10, 100, 32)

        def run(left: U8, right: U8) -> F32:
            before = count if padded else 0
            pair = [cv2.copyMakeBorder(p, 0, 0, before, 0, cv2.BORDER_REPLICATE) for p in (left, right)]
            raw = np.asarray(plain.compute(*pair))[:, before:].astype(np.float32) / 16
            # What points outside the right picture was seen by nobody.
            seen = (raw >= 0) & (raw <= np.arange(raw.shape[1]))
            return np.where(seen, raw, np.float32(np.nan))

        return run

    makers: dict[str, Callable[[int], Match]] = {
        "StereoSGBM": lambda count: stock(count, False),
        "padded": lambda count: stock(count, True),
        **{name: lambda count, name=name: refined(name, count) for name in ("balanced", "fast", "quality")},
    }
    means: dict[str, float] = {}
    print(f"\n{'bad2 all, %':12s}" + "".join(f"{s[0]:>12s}" for s in sets) + "        mean")
    for name, make in makers.items():
        bad = []
        for _, left, right, truth, count in sets:
            error = np.abs(filled(make(count)(left, right)) - truth)[truth > 0]
            bad.append(100 * float(np.mean(error > 2)))
        means[name] = float(np.mean(bad))
        print(f"{name:12s}" + "".join(f"{b:12.2f}" for b in bad) + f"{means[name]:12.2f}", flush=True)
    fewer = [100 * (1 - means["quality"] / means[name]) for name in ("StereoSGBM", "padded")]
    print(f"quality: {fewer[0]:.0f} % fewer than StereoSGBM, {fewer[1]:.0f} % fewer than padded")


def in_turn(runs: dict[str, Callable[[], object]], times: int) -> dict[str, float]:
    """Median seconds that each needs of one core, run one after the other, again and again."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(times):
        for name, run in runs.items():
            start = time.thread_time()
            run()
            taken[name].append(time.thread_time() - start)
    return {name: float(np.median(values)) for name, values in taken.items()}


def scenes_640() -> Iterator[tuple[str, U8, U8]]:
    names = (
        ("aloe", "opencv_aloe/aloeL.jpg", "opencv_aloe/aloeR.jpg"),
        ("motorcycle", "skimage_motorcycle/motorcycle_left.png", "skimage_motorcycle/motorcycle_right.png"),
        ("oakd room", "oakd_stereodemo/living_room_left.png", "oakd_stereodemo/living_room_right.png"),
    )
    for name, *files in names:
        pair = [gray(file) for file in files]
        if pair[0] is None or pair[1] is None:
            print(f"{name}: not here")
            continue
        left, right = (cv2.resize(picture, (640, 480), interpolation=cv2.INTER_AREA) for picture in pair)
        yield name, np.asarray(left, np.uint8), np.asarray(right, np.uint8)


def speed() -> None:
    """Milliseconds at 640x480 with 128 disparities, refinement included."""
    plain = cv2.StereoSGBM.create(0, 128, 3, 72, 288, 1, 63, 10, 200, 2, cv2.STEREO_SGBM_MODE_SGBM_3WAY)
    three, ours = refined("balanced", 128), refined("fast", 128)
    bare = SgmMatcher(SgmConfig(num_disparities=128))
    columns = f"{'3way':>10s}{'3way bare':>10s}{'sgm':>10s}{'sgm bare':>10s}{'ratio':>8s}{'to bare':>9s}"
    print(f"\n{'ms, one thread':14s}{columns}")
    ratios = []
    for name, left, right in scenes_640():
        taken = in_turn(
            {
                "3way": lambda left=left, right=right: three(left, right),
                "plain": lambda left=left, right=right: plain.compute(left, right),
                "sgm": lambda left=left, right=right: ours(left, right),
                "bare": lambda left=left, right=right: bare.compute(left, right),
            },
            15,
        )
        ratios.append(taken["3way"] / taken["sgm"])
        figures = [1000 * taken[key] for key in ("3way", "plain", "sgm", "bare")]
        print(f"{name:14s}" + "".join(f"{v:10.1f}" for v in figures), end="")
        print(f"{ratios[-1]:8.2f}{taken['plain'] / taken['sgm']:9.2f}", flush=True)
    if ratios:
        print(f"median ratio {np.median(ratios):.2f}")
        print("3way: padded, speckles removed; 3way bare: OpenCV's own, not padded; sgm bare: before the filters")


def subpixel() -> None:
    """Spread of the fractions of disparity over the truth's, eight bins; 1 is perfect."""
    for name, left, right, truth, count in with_truth():
        if name != "motorcycle":
            continue
        for preset in ("balanced", "fast"):
            disparity = refined(preset, count)(left, right)
            use = np.isfinite(disparity) & (truth > 0)
            use[use] &= np.abs(disparity[use] - truth[use]) < 1
            shares, expected = (np.histogram(v[use] % 1, 8, (0, 1))[0] for v in (disparity, truth))
            ratio = shares / expected
            print(f"sub-pixel, {name}, {preset}: max {ratio.max():.2f} min {ratio.min():.2f}", np.round(ratio, 2))


def cost() -> None:
    """Nanoseconds per pixel and disparity against size and disparities."""
    sizes = ((320, 240, 64), (640, 480, 64), (640, 480, 128), (1280, 720, 128), (1280, 720, 256), (1920, 1080, 256))
    pair = next(((left, right) for _, left, right in scenes_640()), None)
    if pair is None:
        return
    runs: dict[str, Callable[[], object]] = {}
    for width, height, count in sizes:
        resized = [np.asarray(cv2.resize(p, (width, height), interpolation=cv2.INTER_AREA), np.uint8) for p in pair]
        matcher = SgmMatcher(SgmConfig(num_disparities=count))
        runs[f"{width}x{height}x{count}"] = lambda m=matcher, p=resized: m.compute(*p)
    taken = in_turn(runs, 7)
    print("\nsize x disparities       ms   ns per pixel and disparity")
    per = {}
    for (width, height, count), (name, seconds) in zip(sizes, taken.items()):
        per[name] = seconds * 1e9 / (width * height * count)
        print(f"{name:18s}{1000 * seconds:9.1f}{per[name]:10.3f}")
    print(f"1280x720x256 over 640x480x128: {per['1280x720x256'] / per['640x480x128']:.2f}")


def memory(pairs: int = 10_000) -> None:
    """Peak memory while many pairs are matched; small pictures, so that many can be."""
    rng = np.random.default_rng(0)
    left = rng.integers(0, 255, (60, 80)).astype(np.uint8)
    matcher = SgmMatcher(SgmConfig(num_disparities=32))
    print("\npairs   peak MiB")
    for number in range(pairs + 1):
        matcher.compute(left, np.roll(left, -(number % 20), axis=1))
        if number in (10, 100, 1000, pairs):
            print(f"{number:6d}{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:10.1f}", flush=True)


def main() -> None:
    cv2.setNumThreads(1)
    parts = {
        "speed": speed,
        "accuracy": accuracy,
        "quality": quality,
        "subpixel": subpixel,
        "cost": cost,
        "memory": memory,
    }
    warm_up(SgmConfig(), (640, 480), print)
    for name in sys.argv[1:] or parts:
        parts[name]()


if __name__ == "__main__":
    main()
