"""What `measure` needs beside the measuring itself: the pair, the window, a picture of what was measured."""

from __future__ import annotations

from collections.abc import Sequence

from livestereo import display
from livestereo.cli._options import MatchOptions, RunOptions
from livestereo.cli._output import Output
from livestereo.cli._results import ResultMaker, Troubles, each_frame, is_still
from livestereo.cli._setup import Opened
from livestereo.errors import LiveStereoError, SettingsError
from livestereo.settings import Settings
from livestereo.types import U8, StereoResult


def result_of_pair(opened: Opened, settings: Settings, number: int) -> StereoResult:
    """Compute depth of the pair with this number, counted from 0.

    Raises:
        SettingsError: there are fewer pairs.
        SourceError: a camera gives nothing.
    """
    troubles = Troubles()
    count = 0
    for frame in each_frame(opened, number + 1, troubles):
        count += 1
        if count == 1 and not is_still(opened.source.info):
            opened.rectification_for(frame)  # of a film the first pair tells the geometry, whichever is measured
        if count == number + 1:
            maker = ResultMaker(opened, settings)
            try:
                return maker.compute(frame)
            finally:
                maker.close()
    why = f" {troubles.incomplete.what}" if troubles.incomplete is not None else ""
    raise SettingsError(f"There is no pair {number}: the source has {count}.{why}", "Pairs are counted from 0.")


def measure_in_window(opened: Opened, settings: Settings, match: MatchOptions, run: RunOptions, output: Output) -> None:
    """Open the window to measure in, until the person closes it.

    Raises:
        LiveStereoError: there is no display.
    """
    from livestereo.cli._live import LiveParts, run_live

    found = display.probe()
    if run.headless or not found.ok:
        why = "--headless leaves no window to click in." if run.headless else found.why
        raise LiveStereoError(why, "Give --point U,V, once or twice.")
    output.say("Click a point, or drag from one to another; ⌫ removes, q ends.")
    parts = LiveParts(title="livestereo: measure", record=False, hold=True)
    run_live(opened, settings, match, run, output, parts, window=True)


def picture_of(result: StereoResult, points: Sequence[tuple[float, float]], lines: Sequence[str]) -> U8:
    """Draw what was measured into the left picture, beside depth, (H,W,3) BGR."""
    from livestereo.cli._depth_files import shown_range
    from livestereo.render.colorize import DepthRange
    from livestereo.render.compose import Composer, Scene
    from livestereo.render.compose import Ruler as DrawnRuler
    from livestereo.render.layout import arrange, natural_canvas
    from livestereo.render.views import PANE_TEXT, Look, displayed_size, picture

    size = displayed_size(result)
    panes = ("left", "depth")
    canvas = natural_canvas(size, len(panes))
    shown = shown_range(result.depth_m, None, None)
    look = Look(shown) if shown is not None else None
    layout = arrange(canvas, size, panes, bar=False, legend=look is not None)
    return Composer().compose(
        Scene(
            layout=layout,
            pictures=tuple(picture(pane, result, look or Look(DepthRange(0.5, 5.0))) for pane in panes),
            labels=tuple(PANE_TEXT[pane] for pane in panes),
            look=look,
            metric=result.pair.rectification.metric,
            rulers=(DrawnRuler(points[0], points[-1], tuple(lines)),),
        )
    )
