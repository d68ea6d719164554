"""The command `evaluate`: depth against ground truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from livestereo.cli._options import MatchOptions, command
from livestereo.cli._output import Output
from livestereo.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from livestereo.settings import Settings
    from livestereo.types import F32, StereoFrame

_truth = "Ground truth"
# Pictures of 8 bits hold disparity times one of these. In percent; share by which the ratio may be off.
COMMON_SCALES = (2, 3, 4, 8, 16, 256)
SCALED_BAD1, SCALED_NEAR = 90.0, 0.06
Number = Annotated[
    int, typer.Option("--frames", metavar="N", rich_help_panel=_truth, help="How many pairs of the demo.")
]


@command
def evaluate(
    match: MatchOptions,
    output: Output,
    sets: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SET]…", show_default=False, help="Folders with ground truth, or `demo`."),
    ] = None,
    left: Annotated[Path | None, typer.Option("--left", rich_help_panel=_truth, help="Left picture.")] = None,
    right: Annotated[Path | None, typer.Option("--right", rich_help_panel=_truth, help="Right picture.")] = None,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", rich_help_panel=_truth, help="Disparity of the left picture: PFM, PNG, TIFF, NPZ."),
    ] = None,
    truth_scale: Annotated[
        float | None,
        typer.Option("--truth-scale", metavar="S", rich_help_panel=_truth, help="Disparity = value / S."),
    ] = None,
    mask: Annotated[
        Path | None, typer.Option("--mask", rich_help_panel=_truth, help="Picture; only its brightest pixels count.")
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare", metavar="A,B,…", rich_help_panel="Depth", help="Presets, matchers or sgbm:MODE, side by side."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder for pictures of the errors.")
    ] = None,
    frames: Number = 3,
) -> None:
    """Score depth against ground truth: Middlebury, ETH3D, KITTI, plain files, or the demo.

    Example: `livestereo evaluate --left left.png --right right.png --truth disp.pfm --compare balanced,fast,bm`

    bad1, bad2, bad4: estimates off by more than 1, 2, 4 px; `all` counts pixels without an estimate too, in percent
    of the pixels with truth. The range of disparities is the one that the set names, else --num-disparities, else it
    is measured in the pictures.
    """
    from livestereo.cli._choices import within
    from livestereo.cli._evaluate_table import ScoreTable
    from livestereo.imageio import make_folder

    within("--frames", frames, 1)
    cases = _cases(sets or [], left, right, truth, truth_scale, mask, frames, output)
    if out is not None:
        make_folder(out)
    rows: list[dict[str, Any]] = []
    for case in cases:
        scaled = 0
        for label, settings in _methods(compare, match, output):
            row, ratio = _score(case, label, settings, match, out)
            rows.append(row)
            scaled = scaled or looks_scaled(row["bad1"], ratio)
        if scaled:
            output.warn(f"The truth of {case.name} looks scaled by {scaled}: give --truth-scale {scaled}.")
    output.show(ScoreTable(rows))
    if out is not None:
        output.say(f"Pictures of the errors: {out}")
    output.result(rows)


@dataclasses.dataclass(frozen=True)
class _Case:
    """A pair with its truth; `ndisp` as the set names it."""

    name: str
    frame: StereoFrame
    truth: F32
    mask: NDArray[np.bool_] | None = None
    ndisp: int | None = None
    rectify: Any = None


def _cases(
    sets: list[str], left: Path | None, right: Path | None, truth: Path | None, scale: float | None,
    mask: Path | None, frames: int, output: Output,
) -> Iterator[_Case]:  # fmt: skip
    from livestereo.evaluation.formats import FORMATS, TruthSet, find_sets

    given = (left, right, truth)
    if any(given) and not all(given):
        raise SettingsError("--left, --right and --truth belong together.", "Give all three, or folders.")
    if not sets and not any(given):
        raise SettingsError("There is nothing to evaluate.", FORMATS)
    if scale is not None and scale <= 0:
        raise SettingsError(f"--truth-scale must be above 0, got {scale:g}.")
    found: list[TruthSet | str] = []
    for one in sets:
        found += [one] if one.partition(":")[0] == "demo" else find_sets(Path(one))
    if left is not None and right is not None and truth is not None:
        found.append(TruthSet(left.stem, left, right, truth, scale, mask))
    for item in found:
        if isinstance(item, str):
            yield from _demo_cases(item, frames)
            continue
        own = item if scale is None else dataclasses.replace(item, truth_scale=scale, notes=())
        for note in own.notes:
            output.say(note + " Say otherwise with --truth-scale.")
        yield _file_case(own if mask is None else dataclasses.replace(own, mask=mask))


def _file_case(item: Any) -> _Case:
    from livestereo.evaluation.formats import load_mask, load_truth
    from livestereo.sources import open_source

    truth = load_truth(item.truth, item.truth_scale)
    mask = None if item.mask is None else load_mask(item.mask, truth.shape)
    with open_source([str(item.left), str(item.right)]) as source:
        frame = source.read(1.0)
    if frame is None:
        raise SettingsError(f"{item.left} and {item.right} give no pair.")
    return _Case(item.name, frame, truth, mask, item.ndisp)


def _demo_cases(words: str, frames: int) -> Iterator[_Case]:
    from calibration.rectify import make_rectification
    from livestereo.sources import open_source

    with open_source([words]) as source:
        scene = source.info.truth
        rig = source.info.rig
        if scene is None or rig is None:
            raise SettingsError(f"{words} has no ground truth.")
        rectification = make_rectification(rig.rig, metric=rig.metric)
        for _ in range(frames):
            frame = source.read(1.0)
            if frame is None:
                return
            known = scene.truth(frame.seq)
            yield _Case(f"{words}#{frame.seq}", frame, known.disparity_px, known.visible, None, rectification)


def _methods(compare: str | None, match: MatchOptions, output: Output) -> Iterator[tuple[str, Settings]]:
    """Label and settings of each method."""
    from livestereo.cli._build import settings_from
    from livestereo.parameters import MATCHER_NAMES

    if compare is None:
        settings = settings_from(match, output)
        yield settings.matcher, settings
        return
    words = [word.strip() for word in compare.split(",") if word.strip()]
    if not words:
        raise SettingsError("--compare names nothing.", "Write --compare balanced,fast, for example.")
    for word in words:
        name, _, mode = word.partition(":")
        if name in MATCHER_NAMES:
            yield word, settings_from(dataclasses.replace(match, matcher=name, mode=mode or match.mode), output)
        else:
            yield word, settings_from(dataclasses.replace(match, preset=word), output)


def looks_scaled(bad1: float, ratio: float) -> int:
    """Tell by what whole number truth seems to be multiplied: its median ratio to estimates says so; 0 for none."""
    near = min(COMMON_SCALES, key=lambda scale: abs(ratio / scale - 1))
    return near if bad1 > SCALED_BAD1 and abs(ratio / near - 1) < SCALED_NEAR else 0


def _score(
    case: _Case, label: str, settings: Settings, match: MatchOptions, out: Path | None
) -> tuple[dict[str, Any], float]:
    """Score one method; gives the row, and the median of truth over estimate."""
    import time

    import numpy as np

    from livestereo.cli._build import build_pipeline
    from livestereo.cli._setup import rectification_without_rig
    from livestereo.evaluation.error_picture import error_picture
    from livestereo.evaluation.metrics import score
    from livestereo.gray import grays_of
    from livestereo.imageio import write_picture
    from livestereo.span import with_span

    rectification = case.rectify or rectification_without_rig(case.frame, rectified=True)
    asked = (match.num_disparities, match.min_disparity, match.min_depth, match.max_depth)
    if all(value is None for value in asked):
        if case.ndisp is not None:
            settings = settings.changed(num_disparities=-(-case.ndisp // 16) * 16, min_disparity=0)
        elif case.rectify is None:
            rectification = with_span(rectification, *grays_of(case.frame))
    pipeline = build_pipeline(settings, rectification)
    try:
        taken = []
        for _ in range(3):  # the first run warms up; a slow one is not repeated for its own sake
            start = time.perf_counter()
            result = pipeline.process(case.frame)
            taken.append(time.perf_counter() - start)
            pipeline.reset()
            if sum(taken) > 4:
                break
    finally:
        pipeline.close()
    height, width = result.disparity_px.shape
    row = {
        "set": case.name,
        "matcher": label,
        "width": width,
        "height": height,
        **dataclasses.asdict(score(result.disparity_px, case.truth, case.mask)),
        "runtime_ms": 1000 * min(taken[1:] or taken),
        "num_disparities": pipeline.settings.num_disparities if pipeline.settings else None,
    }
    if out is not None:
        title = f"{label}: bad2 {row['bad2']:.1f} % at {row['density_percent']:.0f} %"
        picture = error_picture(result.pair.left, case.truth, result.disparity_px, title)
        name = "".join(c if c.isalnum() or c in "-_.#" else "-" for c in f"{case.name}-{label}")
        write_picture(out / f"{name}.png", picture)
    both = np.isfinite(case.truth) & (result.disparity_px > 1)
    return row, float(np.median(case.truth[both] / result.disparity_px[both])) if both.any() else float("nan")
