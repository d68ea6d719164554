"""When a camera that misbehaves is opened again of the program's own accord. Pure."""

from __future__ import annotations

from livestereo.sources.watchdog import Health

FROZEN_REOPEN_S = 3.0
WRONG_SIZE_REOPEN_S = 1.0
LONGEST_REOPEN_S = 60.0


class Remedy:
    """Opens one camera again that stays frozen or at a wrong size, ever more seldom."""

    def __init__(self) -> None:
        self._last_s = 0.0
        self._wait_s = FROZEN_REOPEN_S

    def due(self, health: Health, now_s: float, *, frozen_alone: bool) -> bool:
        """Tell whether to open it again now. frozen_alone: the other camera goes on."""
        if health.state == "ok":
            if now_s - self._last_s > self._wait_s:
                self._wait_s = FROZEN_REOPEN_S
            return False
        bad_for = now_s - max(health.since_s, self._last_s)
        if health.state == "wrong size":
            due = bad_for > max(WRONG_SIZE_REOPEN_S, self._wait_s - FROZEN_REOPEN_S)
        else:
            due = health.state == "frozen" and frozen_alone and bad_for > self._wait_s
        if due:
            self._last_s, self._wait_s = now_s, min(2 * self._wait_s, LONGEST_REOPEN_S)
        return due
