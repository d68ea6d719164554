"""What a live source has to tell: notes about its cameras, and the causes of a gap between two pairs. No threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

GAP_S = 0.25
GAP_PERIODS = 3.5
DAMAGED_AGAIN_S = 20.0
MOST_NOTES = 100


class Logbook:
    """Keeps each note once, and what went wrong since the last pair. Not for use by two threads at once.

    faults: those of the notes that tell of damage.
    """

    def __init__(self) -> None:
        self.notes: tuple[str, ...] = ()
        self.faults: tuple[str, ...] = ()
        self._damaged_s: dict[str, float] = {}
        self._causes: list[str] = []
        self._last_pair_s: float | None = None

    def note(self, notes: Sequence[str]) -> None:
        """Keep what is new of these notes."""
        self.notes += tuple(dict.fromkeys(note for note in notes if note not in self.notes))

    def damaged(self, name: str, t_s: float) -> None:
        """Say that broken pictures come, again only after a while of whole ones, and not for ever."""
        before = self._damaged_s.get(name)
        self._damaged_s[name] = t_s
        if (before is None or t_s - before > DAMAGED_AGAIN_S) and len(self.notes) < MOST_NOTES:
            fault = f"{name.capitalize()} camera sends damaged pictures: they are left out."
            self.notes += (fault,)
            self.faults += (fault,)

    def has_damaged(self, name: str) -> bool:
        """Whether a camera has sent damaged pictures."""
        return name in self._damaged_s

    def trouble(self, cause: str) -> None:
        """Keep a cause of the gap that the next pair will tell of."""
        if cause not in self._causes:
            self._causes.append(cause)

    def gap(self, t_s: float, period_s: float, why: Callable[[], str]) -> str | None:
        """Tell of the gap before a pair that was taken at `t_s`; None where there is none. why: as it looks now."""
        last, self._last_pair_s = self._last_pair_s, t_s
        causes, self._causes = self._causes, []
        if last is None:
            return None
        if not causes and t_s - last <= max(GAP_S, GAP_PERIODS * period_s):
            return None
        return f"{', '.join(causes) or why() or 'no partners within the bound'}: nothing for {t_s - last:.1f} s"
