"""Find a board in a picture: corners with ids, always float32 (N,2), refined to sub-pixel.

    detector = BoardDetector(parse_board("chessboard:9x6:25mm"))
    found = detector.detect(gray)          # Detection or None

How corners are refined: `corners`.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np

from calibration.boards import Board
from calibration.corners import F32, F64, I32, Gray, refine_corners, smallest_distance_px
from calibration.marker_size import measured_ratio
from calibration.squares import are_squares

# Half window per corner's room (the smaller height of the squares around it). Outer squares are often cut in half.
WINDOW_SHARE = 0.4
WINDOW_SHARE_BORDER = 0.3
# A marker's corner lies (1 − ratio)/2 of a square from the crossing, both ways.
MARKER_SHARE = 0.9
# A ratio of marker to square that differs by more than this from the named one was misnamed.
OTHER_MARKERS = 0.05
# So many pictures are measured; each is read as it shows itself, and those after them as most of these do.
MEASURED = 5
# A chessboard detector sees squares best when they are 20 to 100 px wide; larger pictures are searched at half size.
SEARCH_SIDE_PX = 1400
SMALL_SIDE_PX = 400
MIN_CHARUCO_CORNERS = 6
_CLASSIC = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE  # FAST_CHECK loses good boards


@dataclass(frozen=True, slots=True)
class Detection:
    """Points of a board found in one picture.

    points_px: (N,2) float32, sub-pixel, (0,0) is the centre of the top-left pixel. ids: (N,) int32, index of the
    point on the board, ascending. size_wh: of the picture. spacing_px: smallest distance between neighbours.
    """

    points_px: F32
    ids: I32
    size_wh: tuple[int, int]
    spacing_px: float = 0.0

    def __len__(self) -> int:
        return len(self.ids)


class BoardDetector:
    """Finds one kind of board in pictures.

    ChArUco boards printed with the pattern of OpenCV before 4.6 (legacy) and white-on-black boards (inverted) are
    found without being told; `notes()` says what was seen. Not for use from several threads at once.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self._ratios: list[float] = []  # side of a marker over that of a square, as the first pictures show it
        self._kinds: Counter[tuple[bool, bool]] = Counter()
        self._charuco: dict[tuple[bool, bool, float], cv2.aruco.CharucoDetector] = {}

    def detect(self, gray: Gray, *, quick: bool = False) -> Detection | None:
        """Find the board in a gray picture (H,W) uint8; None where it is not, or not whole (ChArUco may be in part).

        quick: for live use; leaves out the slow second and third tries.
        """
        if self.board.kind == "charuco":
            return self._detect_charuco(gray, quick=quick)
        find = _find_chessboard if self.board.kind == "chessboard" else _find_circles
        points = find(gray, self.board.grid, quick)
        if points is None:
            return None
        size_wh = (gray.shape[1], gray.shape[0])
        spacing = grid_spacing_px(points, self.board.grid)
        if not np.isfinite(points).all() or spacing < 3:
            return None
        return Detection(points, np.arange(len(points), dtype=np.int32), size_wh, spacing)

    def notes(self) -> tuple[str, ...]:
        """Say what kind of ChArUco pattern was found, where it is not the ordinary one that was named."""
        if not self._kinds:
            return ()
        legacy, inverted = self._kinds.most_common(1)[0][0]
        told = []
        if self._ratio != self.board.marker_ratio:
            told.append(
                "The markers of the ChArUco board have another size than the spec names; they are read as they are."
            )
        if legacy:
            told.append("The ChArUco board has the older pattern (OpenCV before 4.6); it is read as such.")
        if inverted:
            told.append("The ChArUco board is inverted (white on black); it is read as such.")
        return tuple(told)

    def _detect_charuco(self, gray: Gray, *, quick: bool) -> Detection | None:
        kinds = [kind for kind, _ in self._kinds.most_common()]
        if not kinds or (not quick and sum(self._kinds.values()) < 3):
            kinds += [k for k in ((False, False), (False, True), (True, False), (True, True)) if k not in kinds]
        best: Detection | None = None
        for kind in kinds:
            found = self._charuco_as(gray, *kind, quick=quick)
            if found is not None and (best is None or len(found) > len(best)):
                best, best_kind = found, kind
        if best is not None:
            self._kinds[best_kind] += 1
        return best

    @property
    def _ratio(self) -> float:
        """Side of a marker over that of a square: as the spec names it, unless pictures agree on another."""
        named = self.board.marker_ratio
        seen = round(float(np.median(self._ratios)), 3) if self._ratios else named
        return seen if abs(seen - named) > OTHER_MARKERS else named

    def _charuco_as(
        self, gray: Gray, legacy: bool, inverted: bool, *, quick: bool, own: float | None = None
    ) -> Detection | None:
        """own: the ratio that this picture shows."""
        picture = 255 - gray if inverted else gray
        measured = len(self._ratios) >= MEASURED
        ratio = own or (self._ratio if measured else self.board.marker_ratio)
        raw, ids, markers = self._search_charuco(np.asarray(picture, np.uint8), legacy, inverted, ratio, quick=quick)
        if len(ids) < MIN_CHARUCO_CORNERS:
            return None
        order = np.argsort(ids)
        ids, raw = ids[order], raw[order]
        if _on_one_line(ids, self.board.grid):
            return None
        if own is None and not measured:
            seen = measured_ratio(self.board, raw, ids, markers)
            if seen is not None:
                self._ratios.append(seen)
                if abs(seen - ratio) > OTHER_MARKERS:
                    return self._charuco_as(gray, legacy, inverted, quick=quick, own=round(seen, 2))
        spacing = smallest_distance_px(raw)
        share = min(WINDOW_SHARE, MARKER_SHARE * (1 - ratio) / 2)
        refined = refine_corners(gray, raw, ids, self.board.grid, np.full(len(ids), share))
        # A corner that walked to something else than its own crossing is not used.
        kept = np.hypot(*(refined - raw).T) < 0.3 * spacing
        if kept.sum() < MIN_CHARUCO_CORNERS or _on_one_line(ids[kept], self.board.grid):
            return None
        size_wh = (gray.shape[1], gray.shape[0])
        return Detection(refined[kept], ids[kept], size_wh, spacing)

    def _search_charuco(
        self, picture: Gray, legacy: bool, inverted: bool, ratio: float, *, quick: bool
    ) -> tuple[F32, I32, list[F32]]:
        """Give corners (N,2), ids (N,) and the markers' corners, px; where a small copy shows all, it is enough."""
        detector = self._charuco_detector(legacy, inverted, ratio)
        best: tuple[F32, I32, list[F32]] = np.zeros((0, 2), np.float32), np.zeros(0, np.int32), []
        small = SEARCH_SIDE_PX / max(picture.shape)
        for scale in [1.0] if small >= 1 else [small] if quick else [small, 1.0]:
            points, ids, markers, _ = detector.detectBoard(picture if scale == 1 else _resized(picture, scale))
            if points is not None and ids is not None and len(ids) > len(best[1]):
                corners = _unscaled(np.asarray(points, np.float32).reshape(-1, 2), scale)
                sides = [_unscaled(np.asarray(marker, np.float32).reshape(-1, 2), scale) for marker in markers]
                best = corners, np.asarray(ids, np.int32).reshape(-1), sides
            if len(best[1]) == self.board.point_count:
                break
        return best

    def _charuco_detector(self, legacy: bool, inverted: bool, ratio: float) -> cv2.aruco.CharucoDetector:
        key = (legacy, inverted, ratio)
        if key not in self._charuco:
            printed = dataclasses.replace(self.board, marker_ratio=ratio)
            detector = cv2.aruco.CharucoDetector(printed.aruco_board(legacy=legacy))
            # Corners are refined by our own window, which follows the corner spacing.
            parameters = detector.getDetectorParameters()
            parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_NONE
            detector.setDetectorParameters(parameters)
            self._charuco[key] = detector
        return self._charuco[key]


def _chessboard_share(grid: tuple[int, int]) -> F64:
    share = np.full((grid[1], grid[0]), WINDOW_SHARE_BORDER)
    share[1:-1, 1:-1] = WINDOW_SHARE
    return share.reshape(-1)


def grid_spacing_px(points_px: F32, grid: tuple[int, int]) -> float:
    """Give the smallest distance between neighbours of a whole grid (N,2), row by row."""
    columns, rows = grid
    lattice = points_px.reshape(rows, columns, 2).astype(np.float64)
    across = np.linalg.norm(np.diff(lattice, axis=1), axis=2)
    down = np.linalg.norm(np.diff(lattice, axis=0), axis=2)
    return float(min(across.min(), down.min()))


def sharpness(gray: Gray, found: Detection) -> float:
    """Say how sharp the board is: mean gradient over contrast in its bounding box, 1/px; larger is sharper."""
    x0, y0 = np.maximum(np.floor(found.points_px.min(axis=0)).astype(int), 0)
    x1, y1 = np.ceil(found.points_px.max(axis=0)).astype(int) + 1
    patch = gray[y0:y1, x0:x1].astype(np.float32)
    if patch.size < 64:
        return 0.0
    low, high = np.percentile(patch, (5, 95))
    steep = np.hypot(cv2.Sobel(patch, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(patch, cv2.CV_32F, 0, 1, scale=1 / 8))
    # The steepest few percent are the edges between squares, whatever the size of the squares.
    return float(np.percentile(steep, 98) / max(float(high - low), 1.0))


def _find_chessboard(gray: Gray, grid: tuple[int, int], quick: bool) -> F32 | None:
    h, w = gray.shape
    searches: list[float] = []
    if max(h, w) > SEARCH_SIDE_PX:
        searches.append(SEARCH_SIDE_PX / 2 / max(h, w) if quick else SEARCH_SIDE_PX / max(h, w))
    if not searches or not quick:
        searches.append(1.0)
    if max(h, w) <= SMALL_SIDE_PX and not quick:
        searches.append(2.0)
    for scale in searches:
        points = _search_chessboard(gray, grid, scale)
        if points is not None:
            return points
    if quick:
        return None
    return _search_sector_based(gray, grid)


def _search_chessboard(gray: Gray, grid: tuple[int, int], scale: float) -> F32 | None:
    searched = gray if scale == 1 else _resized(gray, scale)
    found, corners = cv2.findChessboardCorners(searched, grid, None, _CLASSIC)
    if not found:
        return None
    return _settle(gray, _unscaled(np.asarray(corners, np.float32).reshape(-1, 2), scale), grid)


def _search_sector_based(gray: Gray, grid: tuple[int, int]) -> F32 | None:
    """Second opinion for boards that the quad search loses: blurred, glossy or unevenly lit ones."""
    scale = min(1.0, SEARCH_SIDE_PX / max(gray.shape))
    searched = gray if scale == 1 else _resized(gray, scale)
    found, corners = cv2.findChessboardCornersSB(searched, grid, None, cv2.CALIB_CB_NORMALIZE_IMAGE)
    if not found or corners is None or len(corners) != grid[0] * grid[1]:
        return None
    return _settle(gray, _unscaled(np.asarray(corners, np.float32).reshape(-1, 2), scale), grid)


def _settle(gray: Gray, raw: F32, grid: tuple[int, int]) -> F32 | None:
    """Refine and bring into one order; None where corners walked away from the grid that was found, or it is none."""
    spacing = grid_spacing_px(raw, grid)
    if spacing < 3:
        return None
    ids = np.arange(len(raw), dtype=np.int32)
    refined = refine_corners(gray, raw, ids, grid, _chessboard_share(grid))
    if (np.hypot(*(refined - raw).T) > 0.6 * spacing).any() or not are_squares(gray, refined, grid):
        return None
    return _oriented(gray, refined, grid)


def _oriented(gray: Gray, points: F32, grid: tuple[int, int]) -> F32:
    """Start at the same physical corner in every picture, where the board's colours tell which one that is.

    Columns + rows odd: turned by 180° the colours change places, so that the square inside the first corner can
    always be the dark one. Otherwise the colours tell nothing (the solve then tries both orders).
    """
    columns, rows = grid
    if (columns + rows) % 2 == 0:
        return points
    lattice = points.reshape(rows, columns, 2)
    centres = (lattice[:-1, :-1] + lattice[1:, :-1] + lattice[:-1, 1:] + lattice[1:, 1:]) / 4
    h, w = gray.shape
    x = np.clip(np.rint(centres[..., 0]).astype(int), 0, w - 1)
    y = np.clip(np.rint(centres[..., 1]).astype(int), 0, h - 1)
    smooth = cv2.blur(gray, (3, 3))
    values = np.asarray(smooth)[y, x].astype(np.float64)
    parity = (np.add.outer(np.arange(rows - 1), np.arange(columns - 1)) % 2).astype(bool)
    first_is_dark = values[~parity].mean() < values[parity].mean()
    return points if first_is_dark else np.ascontiguousarray(points[::-1])


def _find_circles(gray: Gray, grid: tuple[int, int], quick: bool) -> F32 | None:
    detector = _blob_detector(gray)
    flags = cv2.CALIB_CB_ASYMMETRIC_GRID
    tries = [(gray, flags), (gray, flags | cv2.CALIB_CB_CLUSTERING)]
    if not quick:
        white = np.asarray(255 - gray, dtype=np.uint8)
        tries += [(white, flags), (white, flags | cv2.CALIB_CB_CLUSTERING)]
    count = grid[0] * grid[1]
    for picture, flag in tries:
        fitting = _blobs_of_one_size(picture, detector, count)
        if fitting is None:
            continue
        found, centres = cv2.findCirclesGrid(picture, grid, None, flag, fitting)
        if found and centres is not None and len(centres) == count:
            return _in_rows(np.asarray(centres, np.float32).reshape(-1, 2), grid)
    return None


def _in_rows(points: F32, grid: tuple[int, int]) -> F32:
    """Undo what OpenCV does to some grids of an even number of rows: each two of them exchanged."""
    columns, rows = grid
    if rows % 2:
        return points
    paired = np.ascontiguousarray(points.reshape(rows // 2, 2, columns, 2)[:, ::-1]).reshape(-1, 2)
    flat = Board("circles", columns, rows).object_points()[:, :2].astype(np.float32)
    off = []
    for order in (points, paired):
        homography = cv2.findHomography(flat, order)[0]
        placed = cv2.perspectiveTransform(flat[None], homography)[0] if homography is not None else flat
        off.append(float(np.linalg.norm(placed - order, axis=1).mean()))
    return points if off[0] <= off[1] else paired


def _blobs_of_one_size(gray: Gray, detector: cv2.SimpleBlobDetector, count: int) -> cv2.SimpleBlobDetector | None:
    """Narrow a detector to blobs about as large as the board's circles, so that dots and letters beside them
    (the board's own printed words, say) do not take part. None where there are too few blobs.
    """
    sizes = sorted((point.size for point in detector.detect(gray)), reverse=True)
    if len(sizes) < count:
        return None
    typical = float(np.median(sizes[:count]))
    parameters = detector.getParams()
    # A tilted board's far circles are seen at a third of the size of the near ones, at most.
    parameters.minArea = max(parameters.minArea, np.pi / 4 * (typical / 3) ** 2)
    parameters.maxArea = min(parameters.maxArea, np.pi / 4 * (typical * 3) ** 2)
    return cv2.SimpleBlobDetector.create(parameters)


def _blob_detector(gray: Gray) -> cv2.SimpleBlobDetector:
    """OpenCV's defaults stop at 5000 px of area, which a near board in a large picture exceeds."""
    parameters = cv2.SimpleBlobDetector.Params()
    parameters.minArea = 20
    parameters.maxArea = max(5000.0, gray.size / 60)
    parameters.minDistBetweenBlobs = 4
    parameters.minThreshold, parameters.maxThreshold, parameters.thresholdStep = 20, 230, 10
    parameters.filterByConvexity, parameters.minConvexity = True, 0.85
    parameters.filterByInertia, parameters.minInertiaRatio = True, 0.1
    return cv2.SimpleBlobDetector.create(parameters)


def _resized(gray: Gray, scale: float) -> Gray:
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=kind), dtype=np.uint8)


def _unscaled(points: F32, scale: float) -> F32:
    """Pixel centres are at whole numbers, so that scaling moves them by half a pixel."""
    return ((points + 0.5) / scale - 0.5).astype(np.float32)


def _on_one_line(ids: I32, grid: tuple[int, int]) -> bool:
    """Points of a single row or column of the board fix no pose."""
    return len(np.unique(ids // grid[0])) < 2 or len(np.unique(ids % grid[0])) < 2
