"""What can go wrong with a rig's geometry, said so that a person can act on it."""

from __future__ import annotations


class CalibrationError(Exception):
    """A known failure: `what` happened and what to do about it (`fix`).

    Both are plain sentences for the user. `details` holds what was computed before
    the failure, for a caller that prints it as JSON.
    """

    def __init__(self, what: str, fix: str = "", details: dict[str, object] | None = None) -> None:
        super().__init__(f"{what} {fix}".strip())
        self.what = what
        self.fix = fix
        self.details = details or {}
