"""What a run tells people: each message once to whoever listens, kept until the views have shown it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from livestereo.timing import Clock

GAP_TOLD_S = 5.0  # on a computer that cannot keep up there is one gap after the other
MOST_GAPS = 20  # that the summary names


class Messages:
    """Collects messages for the views, and the warnings for the summary. Used by the main thread only.

    first: those of the settings. heard: how many notes the source had when it was opened; whoever opened it told them.
    tell: is given each message as it comes.
    """

    def __init__(self, first: Sequence[str], heard: int, tell: Callable[[str], None] | None, clock: Clock) -> None:
        self.warnings: list[str] = list(first)
        self._waiting: list[str] = list(first)
        self._heard = heard
        self._tell = tell
        self._clock = clock
        self._gap_told_s = -math.inf
        self._gaps = 0

    @property
    def waiting(self) -> bool:
        """Some have not been taken yet."""
        return bool(self._waiting)

    def say(self, text: str, *, warn: bool = False) -> None:
        """Tell something; nothing for an empty text. warn: it belongs into the summary too."""
        if not text:
            return
        self._waiting.append(text)
        if warn:
            self.warnings.append(text)
        if self._tell is not None:
            self._tell(text)

    def gap(self, what: str) -> None:
        """Tell of a gap in the pairs, once in a while."""
        now = self._clock()
        if now - self._gap_told_s >= GAP_TOLD_S:
            self._gap_told_s = now
            self._gaps += 1
            self.say(f"A gap: {what}.", warn=self._gaps <= MOST_GAPS)

    def hear(self, notes: Sequence[str], faults: Sequence[str] = ()) -> None:
        """Tell what is new of the notes that a source has made so far; those among `faults` belong into the summary."""
        for note in notes[self._heard :]:
            self.say(note, warn=note in faults)
        self._heard = len(notes)

    def take(self) -> tuple[str, ...]:
        """Give what has come since the last time."""
        texts, self._waiting = tuple(self._waiting), []
        return texts
