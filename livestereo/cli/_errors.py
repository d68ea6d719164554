"""The one place that turns an error into a message and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from calibration.errors import CalibrationError
from livestereo.cli._output import Output
from livestereo.errors import LiveStereoError
from livestereo.interrupts import heard_twice, taken_over

EXIT_KNOWN_FAILURE = 1
EXIT_INTERRUPTED = 130
NO_PAIR = "No pair was finished."


def _known(error: BaseException) -> tuple[str, str, dict[str, object]] | None:
    """(what, fix, details) of an error that the user can be told, or None for a defect of ours."""
    if isinstance(error, (LiveStereoError, CalibrationError)):
        return error.what, error.fix, error.details
    if isinstance(error, PermissionError):
        return f"No permission for {error.filename}.", "Choose a place that you may write to and read from.", {}
    if isinstance(error, FileNotFoundError):
        return f"There is no {error.filename}.", "Check the path.", {}
    if isinstance(error, IsADirectoryError):
        return f"{error.filename} is a folder.", "Name a file in it.", {}
    if isinstance(error, NotADirectoryError):
        return f"{error.filename} is not a folder.", "Name a folder.", {}
    if isinstance(error, FileExistsError):
        return f"{error.filename} exists already.", "Choose another name.", {}
    if isinstance(error, OSError) and error.strerror:
        place = f" ({error.filename})" if error.filename else ""
        return f"The system refused: {error.strerror}{place}.", "Check the disk and the path.", {}
    if isinstance(error, MemoryError):
        return "There is not enough memory for this.", "Use smaller pictures or fewer disparities.", {}
    if isinstance(error, cv2.error) and "nsufficient memory" in str(error):
        return "There is not enough memory for this.", "Use smaller pictures or fewer disparities.", {}
    return None


@contextmanager
def orderly_before_the_run(output: Output) -> Iterator[None]:
    """Let an interrupt that comes before the run is an end like one within it: the summary, of no pairs, and 0."""
    before = taken_over()
    try:
        yield
    except KeyboardInterrupt:
        if taken_over() != before or heard_twice():
            raise
        from livestereo.engine_stats import RunSummary

        output.result(RunSummary().as_json())
        output.show(NO_PAIR)


@contextmanager
def report_errors(output: Output) -> Iterator[None]:
    """Say a known failure in one message and leave with 1; an interrupt leaves with 130."""
    try:
        yield
    except KeyboardInterrupt:
        output.say("Interrupted.")
        raise SystemExit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(EXIT_KNOWN_FAILURE) from None
    except Exception as error:  # the last stop before the user: every other place lets it pass
        known = _known(error)
        if known is None or output.verbose:
            if known is None:
                raise
            import traceback

            traceback.print_exc()
        what, fix, details = known
        output.failure(what, fix, details)
        raise SystemExit(EXIT_KNOWN_FAILURE) from None
