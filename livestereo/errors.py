"""What the user can be told: what happened and what to do next."""

from __future__ import annotations


class LiveStereoError(Exception):
    """A known failure, shown as one message with exit code 1 and no traceback.

    `what` says what happened, `fix` what to do next; both are plain sentences.
    `details` is what was computed before the failure: with `--json` it is printed
    beside the error.
    """

    def __init__(self, what: str, fix: str = "", details: dict[str, object] | None = None) -> None:
        super().__init__(f"{what} {fix}".strip())
        self.what = what
        self.fix = fix
        self.details = details or {}


class SourceError(LiveStereoError):
    """A source cannot be opened or read."""


class CameraRefused(SourceError):
    """A camera is there and does not start. check: the doctor's name for the cause, or '' where it has none."""

    def __init__(self, what: str, fix: str = "", check: str = "") -> None:
        super().__init__(what, fix)
        self.check = check


class IncompleteSource(SourceError):
    """A source ended early or lacks pictures on one side.

    Raised by `read()` *after* every readable pair was given, so that the caller can
    keep and print what it has, then tell, and end with 1.
    """


class SettingsError(LiveStereoError):
    """A setting, option or preset is not valid."""


class RigError(LiveStereoError):
    """A rig file does not fit the pictures."""


class TakeError(LiveStereoError):
    """A recording cannot be opened, written or trusted."""


class MissingExtra(LiveStereoError):
    """An optional library is needed; `fix` is the line that installs it."""


class NoFrameYet(Exception):
    """A live source had no pair within the time limit; it has not ended. Try again."""
