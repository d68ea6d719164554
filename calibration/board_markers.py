"""Which ChArUco board is in pictures where the given one was not found: its dictionary, and how its markers lie.

board = likely_charuco(pictures, board)       # the given one's squares, or None where no markers are seen
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.boards import Board, dictionary_code, dictionary_names

Gray = NDArray[np.uint8]
Array = NDArray[np.float64]
# Of the markers in one picture: ids (n,), centres (n,2) px, and the side of a typical one, px.
Seen = tuple[NDArray[np.int32], Array, float]

MOST_LOOKS = 4
# A homography fits any four places: so many markers of one picture are needed to tell how they lie.
_LEAST_MARKERS = 6
# Most markers lie where a layout puts them within this share of their own side, seen in the picture.
_FITS, _MOST = 0.2, 80
_COLUMNS = range(3, 17)


def likely_charuco(pictures: Sequence[Gray], board: Board) -> Board | None:
    """Give the ChArUco board that most markers in the pictures (H,W) belong to; None where there is none, or it is the
    given one."""
    family, seen = _family(pictures[:MOST_LOOKS])
    if not seen:
        return None
    most = max(int(ids.max()) for ids, _, _ in seen)
    fits = []
    for columns in _COLUMNS:
        least = -(-2 * (most + 1) // columns)
        for rows, legacy in ((least, False), (least, True), (least + 1, True)):
            fits.append((_misfit(family, columns, rows, legacy, seen), legacy, columns, max(rows, 3)))
    misfit, _, columns, rows = min(fits)
    if misfit > _FITS:
        return None
    # Rows whose markers were not seen are not known: those of the given board stand, where they can.
    given = board.rows if columns == board.columns else board.columns if columns == board.rows else 0
    rows = max(rows, given)
    other = dataclasses.replace(
        board, kind="charuco", columns=columns, rows=rows, dictionary=_smallest(family, columns * rows // 2, board)
    )
    return None if other == board else other


def _family(pictures: Sequence[Gray]) -> tuple[str, list[Seen]]:
    """The largest dictionary of the family that finds most markers, and what it sees in each picture."""
    parameters = cv2.aruco.DetectorParameters()
    parameters.detectInvertedMarker = True
    best: tuple[int, str, list[Seen]] = (0, "", [])
    for name in _largest_of_families():
        detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(dictionary_code(name)), parameters)
        seen = []
        for gray in pictures:
            corners, ids, _ = detector.detectMarkers(gray)
            if ids is not None and len(ids) >= _LEAST_MARKERS:
                quads = np.array([np.asarray(c, np.float64).reshape(4, 2) for c in corners])
                side = float(np.median(np.linalg.norm(quads[:, 1] - quads[:, 0], axis=1)))
                seen.append((np.asarray(ids, np.int32).reshape(-1), quads.mean(axis=1), side))
        count = sum(len(ids) for ids, _, _ in seen)
        if count > best[0]:
            best = count, name, seen
    return best[1], best[2]


def _misfit(family: str, columns: int, rows: int, legacy: bool, seen: Sequence[Seen]) -> float:
    """How far centres of markers lie from where a layout puts them, squares; the median of all pictures."""
    layout = Board("charuco", columns, max(rows, 3), dictionary=family).aruco_board(legacy=legacy)
    places = np.array([np.asarray(p, np.float64)[:, :2].mean(axis=0) for p in layout.getObjPoints()])
    off = []
    for ids, centres, side in seen:
        own = ids < len(places)
        if own.sum() < _LEAST_MARKERS or not own.all():
            return float("inf")
        # From the layout to the picture: the other way round a wrong layout could shrink all markers to one place.
        homography = cv2.findHomography(places[ids], centres, 0)[0]
        if homography is None:
            return float("inf")
        put = cv2.perspectiveTransform(places[ids][None], homography)[0]
        off.append(float(np.percentile(np.linalg.norm(put - centres, axis=1), _MOST)) / side)
    return float(np.median(off))


def _largest_of_families() -> list[str]:
    names = dictionary_names()
    return [name for name in names if not name.rsplit("_", 1)[-1].isdigit() or name.endswith("_1000")]


def _smallest(family: str, count: int, board: Board) -> str:
    """The given dictionary where it is of that family and large enough, else the smallest of the family that is."""
    stem = family.removesuffix("_1000")
    sizes = [name for name in dictionary_names() if name == family or name.startswith(stem + "_")]
    enough = [name for name in sizes if _size(name) >= count]
    if board.dictionary in enough:
        return board.dictionary
    return min(enough, key=_size, default=family)


def _size(name: str) -> int:
    return int(cv2.aruco.getPredefinedDictionary(dictionary_code(name)).bytesList.shape[0])
