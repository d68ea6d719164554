"""Films of a board as `calibrate` collects them."""

from __future__ import annotations

from calibration.boards import Board
from calibration.views import View
from livestereo.cli._calibrate_files import Collected, Look, choose_looks
from livestereo.sync.lag import Film


def collected_of(board: Board, film: Film) -> Collected:
    """What `collect` gives of the film: pictures paired by number, each named in its bytes."""
    pairs = zip(film.left.found, film.right.found, film.left.times_s, film.right.times_s)
    looks = [
        Look(View(str(i), a, b), (b"left %d" % i, b"right %d" % i), 1.0, i, None, (float(s), float(t)))
        for i, (a, b, s, t) in enumerate(pairs)
    ]
    return Collected([look.view for look in choose_looks(looks, board)], {}, len(looks), looks=looks)
