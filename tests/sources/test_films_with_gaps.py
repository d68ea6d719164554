"""Films that lost frames, begin late or have a varying rate: paired rightly, and called cut only where they are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import pytest
from test_file_sources import number_of, picture, read_all, write_video

from livestereo.codecs import MjpegMuxer
from livestereo.errors import IncompleteSource
from livestereo.sources import SourceRequest, open_source
from livestereo.types import CaptureStats, StereoFrame

FPS = 10.0


def write_film(path: Path, numbers: Iterable[int], *, late_s: float = 0.0) -> Path:
    """A film that has these frames of one that runs at 10 per second, each at its own time."""
    with MjpegMuxer(path, (64, 48), FPS) as film:
        for number in numbers:
            film.write_encoded(cv2.imencode(".jpg", picture(number, 0))[1].tobytes(), number / FPS + late_s)
    return path


def without(*missing: int, of: int = 30) -> list[int]:
    return [number for number in range(of) if number not in missing]


def numbers_of(frames: list[StereoFrame]) -> list[tuple[int, int]]:
    return [(number_of(frame.left.image), number_of(frame.right.image)) for frame in frames]


def stats_of(pictures: list[Path], **request: object) -> CaptureStats:
    with open_source([str(path) for path in pictures], SourceRequest(**request)) as source:
        try:
            while source.read(1.0) is not None:
                pass
        except IncompleteSource:
            pass
        return source.stats()


def test_frames_that_are_missing_on_one_side_cost_their_pairs_alone(tmp_path: Path) -> None:
    films = [write_film(tmp_path / "l.mkv", without(20, 21)), write_film(tmp_path / "r.mkv", without(5, 12))]
    frames, info, error = read_all(films)
    assert error is None
    assert numbers_of(frames) == [(k, k) for k in without(5, 12, 20, 21)]
    assert any("from pair 5 on they are paired by time" in note for note in info.faults)
    assert stats_of(films).dropped["pairing"] == 4


def test_a_rate_that_is_given_pairs_by_number_all_the_same(tmp_path: Path) -> None:
    films = [write_film(tmp_path / "l.mkv", without(20)), write_film(tmp_path / "r.mkv", without(5))]
    frames, info, error = read_all(films, fps=(FPS, FPS))
    assert error is None and len(frames) == 29 and not info.notes
    assert numbers_of(frames)[10] == (10, 11)


def test_the_bound_on_skew_holds_where_pairs_are_made_by_time(tmp_path: Path) -> None:
    # the right camera is 30 ms late once it has lost a frame: its numbers are times there
    late = [number if number < 5 else number + 0.3 for number in without(5)]
    with MjpegMuxer(tmp_path / "r.mkv", (64, 48), FPS) as film:
        for number in late:
            film.write_encoded(cv2.imencode(".jpg", picture(int(number), 0))[1].tobytes(), number / FPS)
    films = [write_film(tmp_path / "l.mkv", range(30)), tmp_path / "r.mkv"]
    assert len(read_all(films, max_skew_s=0.02)[0]) == 5
    assert numbers_of(read_all(films, max_skew_s=0.04)[0]) == [(k, k) for k in without(5)]


def test_films_that_begin_at_other_stamps_are_paired_by_number(tmp_path: Path) -> None:
    films = [write_film(tmp_path / "l.mkv", range(30)), write_film(tmp_path / "r.mkv", range(30), late_s=5.0)]
    frames, info, error = read_all(films)
    assert error is None and not info.notes
    assert numbers_of(frames) == [(k, k) for k in range(30)]


def test_films_whose_stamps_are_mere_numbers_are_paired_by_number(tmp_path: Path) -> None:
    # 0.9 % apart: after 60 frames half a period, which no lost frame explains
    left = write_video(tmp_path / "l.avi", [k % 40 for k in range(120)], fps=10.0)
    right = write_video(tmp_path / "r.avi", [k % 40 for k in range(120)], fps=10.09)
    frames, info, error = read_all([left, right])
    assert error is None and not info.notes
    assert [(frame.left.seq, frame.right.seq) for frame in frames] == [(k, k) for k in range(120)]


@pytest.mark.parametrize(("numbers", "late_s"), [(without(*range(10, 20), of=40), 0.0), (range(30), 5.0)])
def test_a_whole_film_of_a_varying_rate_or_a_late_start_is_not_called_cut(
    tmp_path: Path, numbers: Iterable[int], late_s: float
) -> None:
    films = [write_film(tmp_path / f"{side}.mkv", numbers, late_s=late_s) for side in "lr"]
    frames, _, error = read_all(films)
    assert error is None and len(frames) == 30


@pytest.mark.parametrize("missing", [(), (3, 4, 5)])
def test_a_film_that_is_cut_is_told(tmp_path: Path, missing: tuple[int, ...]) -> None:
    films = [write_film(tmp_path / f"{side}.mkv", without(*missing, of=40)) for side in "lr"]
    data = films[1].read_bytes()
    films[1].write_bytes(data[: int(len(data) * 0.6)])
    frames, _, error = read_all(films)
    assert 5 < len(frames) < 35
    assert error is not None and "r.mkv is cut" in str(error)


def test_all_frames_beyond_the_end_of_the_other_film_are_counted(tmp_path: Path) -> None:
    films = [write_video(tmp_path / "l.avi", list(range(20))), write_video(tmp_path / "r.avi", list(range(12)))]
    assert stats_of(films).dropped["pairing"] == 8
