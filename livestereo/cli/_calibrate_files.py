"""Views for a calibration from files: find the board in every picture, choose the frames of a video worth solving."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board_circles import likely_circles
from calibration.board_markers import likely_charuco
from calibration.board_size import MOST_LOOKS, larger_board, likely_board
from calibration.boards import Board
from calibration.detection import BoardDetector, Detection, sharpness
from calibration.errors import CalibrationError
from calibration.rig_parts import Flip
from calibration.views import View, choose_diverse, look_vector
from livestereo.errors import IncompleteSource, NoFrameYet
from livestereo.sources.base import Source
from livestereo.types import U8, StereoFrame

F64 = NDArray[np.float64]

# A video is looked at in about so many places, and the best so many of them are solved.
VIDEO_LOOKS = 400
VIDEO_VIEWS = 50
MAX_VIEWS = 150
# Two looks of a video nearer than this are one pose; 1 is a large difference.
_SAME_POSE = 0.04
# Of a video, so many pictures that only one camera has a board in: they tell its own lens.
_SINGLE_VIEWS = 15
_KEPT_QUALITY = 92
_FRAMES_OF_DEMO = 900
_COUNTED_BY = {
    "chessboard": "inner corners, not by its squares", "charuco": "squares, across and down",
    "circles": "circles in a row, and its rows",
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """One pair that was searched. pair: the pictures as JPEG. times_s: the stamps of both."""

    view: View
    pair: tuple[bytes, bytes]
    sharp: float
    index: int
    blind: U8 | None
    times_s: tuple[float, float]


@dataclass
class Collected:
    """What was found. looked: pairs in which the board was searched; found: in left, right and both pictures.

    notes, warnings: what is to be told of the board. pictures: the pairs of the views as JPEG, by name, left and right
    as given to the solve. looks: of two films, all in which something was found. blind: some gray pictures in which
    nothing was found. shift_s: the time shift (true skew − stamp skew) with which the films were put together, where
    they were. incomplete: what was missing at the end of the source.
    """

    views: list[View] = field(default_factory=list)
    pictures: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    looked: int = 0
    found: tuple[int, int, int] = (0, 0, 0)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    looks: list[Look] = field(default_factory=list)
    blind: list[U8] = field(default_factory=list)
    shift_s: float | None = None
    incomplete: IncompleteSource | None = None

    def load_pair(self, name: str) -> tuple[U8, U8] | None:
        """Give the two pictures of a view, BGR, or None."""
        kept = self.pictures.get(name)
        if kept is None:
            return None
        left, right = (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in kept)
        return np.asarray(left, dtype=np.uint8), np.asarray(right, dtype=np.uint8)


def collect(
    source: Source, board: Board, *, frames: int | None, advance: Callable[[int], object] = lambda n: None
) -> Collected:
    """Read a source to its end and find the board in its pairs.

    frames: stop after so many pairs. advance: called with the number of pairs read since the last call.
    """
    info = source.info
    video = info.fps is not None
    limit = frames if frames is not None else (_FRAMES_OF_DEMO if info.truth is not None else None)
    total = min((n for n in (info.count, limit) if n is not None), default=None)
    stride = max(1, (total or 0) // VIDEO_LOOKS) if video else 1
    collected = Collected()
    looks: list[Look] = []
    finders = _Finders(board)
    count = max(1, min(4, os.cpu_count() or 1))
    with ThreadPoolExecutor(count, thread_name_prefix="livestereo-detect") as pool:
        waiting: deque[Future[Look]] = deque()
        for index, frame in enumerate(_frames(source, limit, collected)):
            advance(1)
            if index % stride:
                continue
            collected.looked += 1
            waiting.append(pool.submit(finders.look, frame, index, video))
            # Few pairs wait at any time: a long set of large pictures must not fill the memory.
            if len(waiting) > 2 * count:
                _keep(waiting.popleft().result(), looks, collected)
            if video and total is None and len(looks) > VIDEO_LOOKS:
                looks, stride = looks[::2], stride * 2
        while waiting:
            _keep(waiting.popleft().result(), looks, collected)
    collected.notes = finders.notes()
    if video and info.truth is None:
        collected.looks = looks
    chosen = choose_looks(looks, board) if video else _some(looks, board)
    collected.views = [look.view for look in chosen]
    collected.pictures = {look.view.name: look.pair for look in chosen}
    return collected


def not_found(collected: Collected, board: Board, least: int) -> CalibrationError | None:
    """Give the error for a board that was found in too few pairs, with the likely causes; None if there are enough."""
    left, right, both = collected.found
    if both >= least:
        return None
    looked = collected.looked
    counts = f"in {left} left and {right} right pictures of {looked} pairs, in both at once in {both}"
    details: dict[str, object] = {
        "views_used": 0, "pairs": looked, "found_left": left, "found_right": right, "rig": None,
    }  # fmt: skip
    other = (
        likely_charuco(collected.blind, board)
        or likely_board(collected.blind, board)
        or likely_circles(collected.blind, board)
    )
    if other is not None:
        by = _COUNTED_BY[other.kind]
        return CalibrationError(
            f"The board was found {counts}. The pictures seem to show {other.words}.",
            f"Give --board {other.text}: such a board is counted by its {by}.",
            details,
        )
    if both == looked:
        return CalibrationError(
            f"Too few views: {looked} with the board in both pictures, and at least {least} are needed.",
            "Take 15 to 30 pairs with the whole board in both pictures, near and far, tilted each way, in all corners.",
            details,
        )
    if min(left, right) >= least:
        return CalibrationError(
            f"The board was found {counts}; at least {least} such pairs are needed.",
            "Hold the board where both cameras see it whole, and check that left and right belong to one moment.",
            details,
        )
    if left or right:
        what = f"The board was found {counts}; at least {least} pairs are needed."
    else:
        what = f"The board was never found: it is in none of {looked} pairs of pictures ({board.words})."
    return CalibrationError(
        what,
        "Likely causes: the spec is not that of the board (a chessboard is counted by its inner corners); the board is "
        "cut off by the picture's edge, too small, blurred, bent back or in glare; it has no white margin.",
        details,
    )


def larger_than_given(collected: Collected, board: Board) -> Board | None:
    """Give the board that the views really show, where it has more corners than the one that was given."""
    looks = []
    step = max(1, len(collected.views) // (MOST_LOOKS // 2))
    for view in collected.views[::step]:
        pair = collected.load_pair(view.name)
        for image, found in zip(pair or (), (view.left, view.right)):
            if found is not None:
                looks.append((np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8), found))
    return larger_board(looks, board)


def turned_pictures(pair: tuple[U8, U8], *, swapped: bool, flip: tuple[Flip, Flip]) -> tuple[U8, U8]:
    """Turn and exchange pictures as the solve turned and exchanged the detections (first turned, then exchanged)."""
    from livestereo.frames import turn

    left, right = (turn(image, how) for image, how in zip(pair, flip))
    return (right, left) if swapped else (left, right)


class _Finders:
    """Detectors, one for each thread."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._own = threading.local()
        self._all: list[BoardDetector] = []
        self._lock = threading.Lock()

    def look(self, frame: StereoFrame, index: int, video: bool) -> Look:
        """Find the board in both pictures."""
        detector = self._detector()
        found: list[Detection | None] = []
        sharp = []
        for image in (frame.left.image, frame.right.image):
            gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
            one = detector.detect(gray, quick=video)
            found.append(one)
            if one is not None:
                sharp.append(sharpness(gray, one))
        name = frame.name or str(frame.seq)
        pair = _jpeg(frame.left.image), _jpeg(frame.right.image)
        blind = gray if found[0] is None and found[1] is None else None
        times = frame.left.t_s, frame.right.t_s
        return Look(View(name, found[0], found[1]), pair, min(sharp, default=0.0), index, blind, times)

    def notes(self) -> tuple[str, ...]:
        """What kinds of board were seen."""
        return tuple(dict.fromkeys(note for detector in self._all for note in detector.notes()))

    def _detector(self) -> BoardDetector:
        if not hasattr(self._own, "detector"):
            self._own.detector = BoardDetector(self._board)
            with self._lock:
                self._all.append(self._own.detector)
        detector: BoardDetector = self._own.detector
        return detector


def _frames(source: Source, limit: int | None, collected: Collected) -> Iterator[StereoFrame]:
    given = 0
    while limit is None or given < limit:
        try:
            frame = source.read(1.0)
        except NoFrameYet:
            continue
        except IncompleteSource as error:
            collected.incomplete = error
            return
        if frame is None:
            return
        given += 1
        yield frame


def _keep(look: Look, looks: list[Look], collected: Collected) -> None:
    left, right, both = collected.found
    view = look.view
    collected.found = left + (view.left is not None), right + (view.right is not None), both + view.both
    if look.blind is not None and len(collected.blind) < 8:
        collected.blind.append(look.blind)
    if view.left is not None or view.right is not None:
        looks.append(look)


def _some(looks: list[Look], board: Board) -> list[Look]:
    """All pictures of a set, or of too many those that differ most."""
    pairs = [look for look in looks if look.view.both]
    if len(looks) <= MAX_VIEWS:
        return looks
    return _pick(pairs, board, np.array([look.sharp for look in pairs]), MAX_VIEWS, 0.0)


def choose_looks(looks: list[Look], board: Board) -> list[Look]:
    """Choose still, sharp and different pictures of a film."""
    pairs = [look for look in looks if look.view.both]
    chosen = _pick(pairs, board, _stillness(pairs), VIDEO_VIEWS, _SAME_POSE) if pairs else []
    for side in ("left", "right"):
        single = [look for look in looks if not look.view.both and getattr(look.view, side) is not None]
        chosen += _pick(single, board, np.array([look.sharp for look in single]), _SINGLE_VIEWS, _SAME_POSE)
    return sorted({id(look): look for look in chosen}.values(), key=lambda look: look.index)


def _pick(pairs: list[Look], board: Board, worth: F64, most: int, least: float) -> list[Look]:
    vectors = np.array([look_vector(look.view, board) for look in pairs])
    return [pairs[i] for i in choose_diverse(vectors, worth, most, least=least)]


def _stillness(pairs: list[Look]) -> F64:
    """Sharpness, less where the board moves: two cameras that do not fire together see it at two places then."""
    speed = np.full(len(pairs), np.nan)
    for i, look in enumerate(pairs):
        moves = [_moved(look, pairs[j]) for j in (i - 1, i + 1) if 0 <= j < len(pairs)]
        known = [m for m in moves if m is not None]
        if known:
            speed[i] = max(known)
    speed = np.where(np.isnan(speed), np.nanmedian(speed) if np.isfinite(speed).any() else 0.0, speed)
    return np.asarray(np.array([look.sharp for look in pairs]) / (1 + speed / 2.0))


def _moved(a: Look, b: Look) -> float | None:
    """Largest mean movement of the corners between two looks, px per frame; None where they share too few."""
    steps = []
    for one, other in ((a.view.left, b.view.left), (a.view.right, b.view.right)):
        if one is None or other is None:
            return None
        shared, i, j = np.intersect1d(one.ids, other.ids, return_indices=True)
        if len(shared) < 4:
            return None
        steps.append(float(np.linalg.norm(one.points_px[i] - other.points_px[j], axis=1).mean()))
    return max(steps) / max(abs(a.index - b.index), 1)


def _jpeg(image: U8) -> bytes:
    ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _KEPT_QUALITY])
    return data.tobytes() if ok else b""
