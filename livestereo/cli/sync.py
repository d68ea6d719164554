"""The command `sync`: when do the two cameras really expose?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from livestereo.cli._options import PhaseOptions, Pictures, RigOptions, RunOptions, SourceOptions, command
from livestereo.cli._output import Output
from livestereo.errors import SettingsError, SourceError

if TYPE_CHECKING:
    from calibration.boards import Board
    from livestereo.cli._setup import Opened
    from livestereo.sync import Gathered, SyncRecorder, SyncResult
    from livestereo.types import StereoFrame

_panel = "Sync"
SECONDS = 20.0
MOST_FILE_S = 60.0
LONGEST_READOUT_MS = 200.0
SHOW_EVERY_S = 0.12
MOST_LOST = 0.2  # share of pairs that this computer may leave out


@command
def sync(
    pictures: Pictures,
    source: SourceOptions,
    phase: PhaseOptions,
    rig: RigOptions,
    run: RunOptions,
    output: Output,
    board: Annotated[
        str | None,
        typer.Option(
            "--board", metavar="SPEC", rich_help_panel=_panel,
            help="A calibration board is waved before both cameras: the surest way.",
        ),
    ] = None,
    readout: Annotated[
        str | None,
        typer.Option(
            "--readout", metavar="MS[,MS]", rich_help_panel=_panel,
            help="How long the shutters roll from first row to last; one for both or left,right. 0: global shutter.",
        ),
    ] = None,
    save: Annotated[
        bool, typer.Option("--save", rich_help_panel=_panel, help="Store the stamp bias in the rig file.")
    ] = False,
) -> None:  # fmt: skip
    """Measure when the two cameras really expose: skew, its uncertainty, drift, and what the stamps are off by.

    Example: `livestereo sync 0 2 --rig rig.json --board chessboard:9x6:25mm --save`

    The surest way is a calibration board (`--board`), moved up and down before both cameras. Without one, flash a light
    at both five times or more in a dim room, or wave a hand; the method is chosen from what the pictures show. For
    films the result is a time shift: give it to any command with `--shift`.
    """
    from calibration.boards import parse_board
    from livestereo.cli._setup import open_pictures, phase_bound_s, reopening
    from livestereo.cli._sync_told import figures, save_bias, table, where_to_save

    spec = None if board is None else parse_board(board)
    readout_s = parse_readout(readout)
    if run.duration is not None and run.duration <= 0:
        raise SettingsError(f"A measurement of {run.duration:g} s is not possible.", "Give --duration 20, say.")
    path = where_to_save(pictures, rig) if save else None
    bound_s = phase_bound_s(phase)
    found: dict[str, Any] | None = None
    with open_pictures(pictures, source, rig, output) as opened:
        if bound_s is not None:
            reopening(opened.source, opened.request)
        _check_has_time(opened, source)
        recorder = _recorder(opened, spec)
        gathered = _gather(opened, recorder, spec, run, output)
        result = _measured(opened, recorder, gathered, spec, readout_s)
        if bound_s is not None:
            found = _search_phase(opened, result, bound_s, output)
    rig_file = opened.rig_file
    told = figures(result, recorder.pairs, rig_file)
    if found is not None:
        told.update(found)
    output.show(*table(result, recorder.pairs, rig_file, opened.source.info))
    if found is not None:
        output.show(_search_words(found))
    for note in result.notes:
        output.warn(note) if "disagrees" in note else output.say(note)
    if path is not None:
        save_bias(path, result, opened.source.info)
        told["saved"] = path
        output.show(f"Stored in {path}: the stamp bias is used from now on wherever this rig is.")
    if gathered.incomplete is not None:
        raise type(gathered.incomplete)(gathered.incomplete.what, gathered.incomplete.fix, told)
    output.result(told)


def parse_readout(text: str | None) -> tuple[float | None, float | None]:
    """Read `MS` or `MS,MS` as seconds, left and right; (None, None) where nothing is given.

    Raises:
        SettingsError: not of its form or out of range.
    """
    from livestereo.sources.request import parse_pair

    def one(part: str) -> float:
        try:
            value = float(part.lower().removesuffix("ms"))
        except ValueError:
            raise SettingsError(f"{part!r} is not a time.", "Write milliseconds, such as --readout 20.") from None
        if not 0 <= value <= LONGEST_READOUT_MS:
            raise SettingsError(
                f"A readout of {value:g} ms is not possible.", f"Give 0 to {LONGEST_READOUT_MS:g} milliseconds."
            )
        return value / 1e3

    return parse_pair(text, one) or (None, None)


def _check_has_time(opened: Opened, options: SourceOptions) -> None:
    """Photos say nothing of when they were taken."""
    info = opened.source.info
    if info.count == 1:
        raise SourceError("One pair says nothing of time.", "Give two films, or live cameras.")
    if not info.live and info.fps is None and options.fps is None:
        raise SourceError(
            "Photos say nothing of when they were taken.",
            "If they are the pictures of a film, tell its rate with --fps.",
        )


def _recorder(opened: Opened, board: Board | None) -> SyncRecorder:
    from calibration.detection import BoardDetector
    from livestereo.sources.split import in_order
    from livestereo.sync import SyncRecorder

    turns = in_order(*opened.request.flip, opened.request)
    if board is None:
        return SyncRecorder(turns)
    # A camera does not wait for the search of a board; a file does.
    return SyncRecorder(turns, _Quick(BoardDetector(board)), later=opened.source.info.live)


class _Quick:
    """The detector as for live use: views are many, so the slow second tries are not worth their time."""

    def __init__(self, detector: Any) -> None:
        self._detector = detector

    def detect(self, gray: Any) -> Any:
        return self._detector.detect(gray, quick=True)


def _gather(opened: Opened, recorder: SyncRecorder, board: Board | None, run: RunOptions, output: Output) -> Gathered:
    """Read the pairs, with the raw views in a window where cameras are live and somebody can look."""
    from livestereo.cli._live import wants_window
    from livestereo.engine_stop import stopping_signals
    from livestereo.sinks.window_raw import RawWindow
    from livestereo.sync import gather

    live = opened.source.info.live
    frames = run.frames
    seconds = run.duration or (SECONDS if opened.source.info.count is None else MOST_FILE_S)
    what = (
        "Move the board up and down, not too slowly, where both cameras see all of it."
        if board is not None
        else "Flash a light at both cameras once a second, or wave a hand up and down before both."
    )
    window = RawWindow(title="livestereo – sync") if live and wants_window(run, output, quietly=True) else None
    if live:
        output.say(f"{what} Measuring for {seconds:.0f} s.")
    done, shown_s = 0, float("-inf")
    try:
        with output.progress("looking", 100) as advance, stopping_signals() as signals:

            def look(pair: StereoFrame, share: float) -> bool:
                nonlocal done, shown_s
                advance(int(100 * share) - done)
                done = int(100 * share)
                if window is not None and pair.t_s - shown_s >= SHOW_EVERY_S:  # looking costs pairs
                    shown_s = pair.t_s
                    window.show(pair, opened.source.stats(), message=f"{what} {100 * share:.0f} %")
                    return window.poll() and not signals.stop
                return not signals.stop

            gathered = gather(opened.source, recorder, seconds=seconds, frames=frames, look=look)
    finally:
        if window is not None:
            window.close()
    if live and board is not None:
        with output.progress("finding the board", recorder.pairs) as advance:
            recorder.finish(advance)
    return gathered


def _search_phase(opened: Opened, result: SyncResult, bound_s: float, output: Output) -> dict[str, Any]:
    """Bring the cameras into phase, now that the stamp bias is known; gives what changes in the result."""
    from livestereo.engine_stop import stopping_signals
    from livestereo.sync.phase import PhaseSearch
    from livestereo.sync.phased import PhaseKeeper, settle

    source: Any = opened.source
    source.set_stamp_bias(result.stamp_bias_s)
    keeper = PhaseKeeper(source, PhaseSearch(bound_s), output.say)
    with stopping_signals() as signals:
        settle(keeper, source, lambda: signals.stop)
    reading, search = keeper.reading, keeper.search
    told: dict[str, Any] = {
        "phase_search": {"reached": keeper.reached, "openings": search.tried, "bound_ms": bound_s * 1e3},
    }
    if reading is not None:
        unsure_s = math.hypot(2 * reading.sigma_s, result.stamp_bias_uncertainty_s)
        told |= {"skew_ms": reading.phase_s * 1e3, "uncertainty_ms": unsure_s * 1e3}
    return told


def _search_words(found: dict[str, Any]) -> str:
    search = found["phase_search"]
    openings = "1 opening" if search["openings"] == 1 else f"{search['openings']} openings"
    bound = f"±{search['bound_ms']:g} ms"
    reached = f"within {bound}" if search["reached"] else f"{bound} was not reached"
    if "skew_ms" not in found:
        return f"After the phase search ({openings}) no phase could be read."
    phase = f"{found['skew_ms']:+.2f} ± {found['uncertainty_ms']:.2f} ms"
    return f"After the phase search ({openings}): {phase}, {reached}."


def _measured(
    opened: Opened, recorder: SyncRecorder, gathered: Gathered, board: Board | None,
    readout_s: tuple[float | None, float | None],
) -> SyncResult:  # fmt: skip
    """Measure; what the source lacked is told where there are too few pairs for it."""
    from calibration.arrange import same_turned
    from livestereo.sync import SyncRefused, measure

    info = opened.source.info
    # The demo on its own clock gives frames by stamps, as cameras do.
    free = info.live or info.truth is not None
    # What a driver says of its rate is no measurement: the clocks of live cameras are learnt.
    fps = opened.request.fps if opened.request.fps[0] or info.live else (info.fps, info.fps)
    try:
        return measure(
            recorder.recording(fps),
            object_points=None if board is None else board.object_points(),
            rig=opened.rig_file.rig if opened.rig_file is not None else None,
            readout_s=readout_s,
            free_running=free,
            either_end=board is not None and same_turned(board),
        )
    except SyncRefused as refused:
        if gathered.why == "silent":
            raise SyncRefused(
                f"The cameras stopped giving pairs after {recorder.pairs}.", "See `livestereo doctor`."
            ) from None
        if gathered.incomplete is not None and recorder.pairs < 30:
            raise gathered.incomplete from refused
        lost = opened.source.stats().dropped.get("busy", 0) // 2
        if lost > MOST_LOST * (lost + recorder.pairs):
            raise SyncRefused(
                f"{refused.what} This computer kept up with only {recorder.pairs} of {recorder.pairs + lost} pairs.",
                f"Take a smaller --size or a lower --fps. {refused.fix}", refused.details,
            ) from None  # fmt: skip
        raise
