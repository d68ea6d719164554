"""A calibration session: a folder with the raw pairs that were taken, so that it can be resumed and solved again.

Each pair is on the disk before it counts; one that was undone is moved aside, never deleted.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.boards import Board
from calibration.errors import CalibrationError
from calibration.files import read_text, write_atomically

Picture = NDArray[np.uint8]
DESCRIPTION = "session.json"
UNDONE = "undone"
_NAME = re.compile(r"left_(\d+)\.png")


class Session:
    """Open or make a session folder.

    Raises:
        CalibrationError: the folder belongs to another board, or cannot be used.
    """

    def __init__(self, folder: Path, board: Board) -> None:
        self.folder = folder
        self.resumed = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CalibrationError(f"The folder {folder} cannot be made: {error.strerror}.", "Name another.") from error
        described = folder / DESCRIPTION
        if described.exists():
            self._check(described, board)
            self.resumed = bool(self.names())
        else:
            write_atomically(
                described, json.dumps({"format": "livestereo-session", "board": board.text}, indent=1) + "\n"
            )
        self._next = 1 + max((int(name) for name in (*self.names(), *self._undone())), default=0)

    def _check(self, described: Path, board: Board) -> None:
        try:
            told: Any = json.loads(read_text(described))
            text = told["board"]
        except (ValueError, KeyError, TypeError):
            raise CalibrationError(
                f"{described} is not the description of a session.", "Name another folder."
            ) from None
        if text != board.text:
            raise CalibrationError(
                f"The session {self.folder} was made with the board {text}, not {board.text}.",
                f"Use --board {text}, or name another folder.",
            )

    def names(self) -> list[str]:
        """Names of the pairs that are whole, in order."""
        found = (_NAME.fullmatch(path.name) for path in self.folder.glob("left_*.png"))
        names = sorted((match[1] for match in found if match), key=int)
        return [name for name in names if (self.folder / f"right_{name}.png").exists()]

    def _undone(self) -> list[str]:
        found = (_NAME.fullmatch(path.name) for path in (self.folder / UNDONE).glob("left_*.png"))
        return [match[1] for match in found if match]

    def add(self, left: Picture, right: Picture) -> str:
        """Write a pair, losslessly; it counts when both pictures are on the disk. Gives its name.

        Raises:
            CalibrationError: it cannot be written.
        """
        name = f"{self._next:04d}"
        self._next += 1
        # The left picture names the pair, so it comes last: half a pair is none.
        for side, picture in (("right", right), ("left", left)):
            ok, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
            if not ok:
                raise CalibrationError(
                    "A picture of the session could not be coded.", "Check the memory of the computer."
                )
            write_atomically(self.folder / f"{side}_{name}.png", data.tobytes())
        return name

    def undo(self, name: str) -> None:
        """Move a pair aside."""
        aside = self.folder / UNDONE
        aside.mkdir(exist_ok=True)
        for side in ("left", "right"):
            path = self.folder / f"{side}_{name}.png"
            if path.exists():
                path.replace(aside / path.name)

    def load(self, name: str) -> tuple[Picture, Picture] | None:
        """Read a pair, (H,W,3) or (H,W) uint8; None where it is not there or damaged."""
        pair = [cv2.imread(str(self.folder / f"{side}_{name}.png"), cv2.IMREAD_COLOR) for side in ("left", "right")]
        if pair[0] is None or pair[1] is None:
            return None
        return np.asarray(pair[0], np.uint8), np.asarray(pair[1], np.uint8)
