"""What the takes of a run tell while it goes: the one that is being made, what was lost, those that stopped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from livestereo.errors import LiveStereoError
from livestereo.sinks.base import RecorderState


class Recorders:
    """The sinks of a run that record; such a sink tells its own with `state()`, and may have `settle()`."""

    def __init__(self, sinks: Sequence[Any]) -> None:
        self._sinks = [sink for sink in sinks if hasattr(sink, "state")]
        self._told: set[str] = set()

    def _states(self) -> list[RecorderState]:
        states = [sink.state() for sink in self._sinks]
        return [state for state in states if isinstance(state, RecorderState)]

    def running(self) -> RecorderState | None:
        """State of the take that is being made; None when there is none."""
        return next((state for state in self._states() if state.recording), None)

    def told(self) -> dict[str, Any]:
        """What views are told of takes: these fields of a `RunState`."""
        running = self.running()
        stopped = None if running else next((state.stopped for state in self._states() if state.stopped), None)
        return {"recorder": running, "recording_s": running.seconds if running else None, "stopped": stopped}

    def refuse(self, action: str, *, ended: bool) -> None:
        """Let nobody begin a take that nothing would come into. ended: the source has.

        Raises:
            LiveStereoError: that is asked for.
        """
        if action == "record" and ended and self._sinks and self.running() is None:
            raise LiveStereoError("The end: nothing comes that could be recorded.", "Go back first.")

    def lost(self) -> int:
        """Pairs that were captured for a take and not written."""
        return sum(sum(state.lost.values()) for state in self._states())

    def news(self) -> list[str]:
        """Why a take stopped by itself; each is told once. Such takes are closed where their sinks can do that."""
        for sink in self._sinks:
            if hasattr(sink, "settle"):
                sink.settle()
        found = {state.stopped for state in self._states() if state.stopped is not None} - self._told
        self._told |= found
        return sorted(found)
