"""Judges finished pairs on the way, and tells once where much of the depth is probably wrong."""

from __future__ import annotations

from pathlib import Path

from livestereo.cli._output import Output
from livestereo.cli._results import is_still
from livestereo.cli._setup import Opened
from livestereo.types import StereoResult
from livestereo.wording import counted

EVERY = 30  # pair of a film: what is wrong with one is wrong with its neighbours


class Doubts:
    """Collects what is doubtful of the pairs of a source; warnings: those told, for the JSON."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._still = is_still(opened.source.info)
        self._count = 0
        self._found: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
        self.warnings: list[str] = []

    def look(self, result: StereoResult) -> None:
        """Judge a pair: each photo, and now and then one of a film."""
        from livestereo.diagnosis.doubt import doubt

        due = self._still or self._count % EVERY == 0
        self._count += 1
        found = doubt(result, self._opened.source.info, self._opened.rig_file) if due else None
        if found is not None:
            stem = Path(result.frame.name).stem
            name = stem if stem and not stem.isdigit() else f"Pair {result.frame.seq}"
            self._found[found.wrong].append((name, found.text))

    def tell(self, output: Output) -> None:
        """Tell what was found, of many pairs that of the first."""
        for wrong, found in self._found.items():
            if not found:
                continue
            name, text = found[0]
            others = f" (Doubtful too: {counted(len(found) - 1, 'pair')}.)" if len(found) > 1 else ""
            if wrong:
                self.warnings.append(f"{name}: {text}{others}")
                output.warn(self.warnings[-1])
            else:
                output.say(f"{name}: {text}{others}")
