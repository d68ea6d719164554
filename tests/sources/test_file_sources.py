from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from livestereo.errors import IncompleteSource, SettingsError, SourceError
from livestereo.sources import SourceRequest, open_source
from livestereo.types import StereoFrame


def picture(number: int, side: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """A picture that says which it is: gray level by number, a bright corner by side."""
    image = np.full((size[1], size[0], 3), 10 + 5 * number, np.uint8)
    image[:8, :8] = (0, 0, 255) if side else (255, 0, 0)
    return image


def number_of(image: np.ndarray) -> int:
    return round((float(np.median(image)) - 10) / 5)


def write_set(folder: Path, name: str, numbers: list[int], side: int) -> None:
    for number in numbers:
        cv2.imwrite(str(folder / f"{name}{number:02d}.png"), picture(number, side))


def write_video(path: Path, numbers: list[int], fps: float = 10.0, side: int = 0) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (64, 48))
    for number in numbers:
        writer.write(picture(number, side))
    writer.release()
    return path


def read_all(pictures: list[str | Path], **request: object) -> tuple[list[StereoFrame], object, Exception | None]:
    frames: list[StereoFrame] = []
    error = None
    with open_source([str(p) for p in pictures], SourceRequest(**request)) as source:
        try:
            while (frame := source.read(1.0)) is not None:
                frames.append(frame)
        except IncompleteSource as told:
            error = told
            assert source.read(1.0) is None  # told once, then the end
        stats = source.stats()
        assert stats.offered == 2 * stats.paired + sum(stats.dropped.values()) + stats.waiting
        return frames, source.info, error


def test_two_sets_in_natural_order(tmp_path: Path) -> None:
    write_set(tmp_path, "left", [1, 2, 10], 0)
    write_set(tmp_path, "right", [1, 2, 10], 1)
    frames, info, error = read_all([tmp_path / "left*.png", tmp_path / "right*.png"])
    assert error is None and info.count == 3 and not info.live
    assert [f.name for f in frames] == ["left01.png", "left02.png", "left10.png"]
    assert [f.seq for f in frames] == [0, 1, 2]
    assert [number_of(f.right.image) for f in frames] == [1, 2, 10]
    assert frames[0].left.image[0, 0].tolist() == [255, 0, 0]
    assert info.left_size_wh == (64, 48)


def test_missing_on_one_side_is_told_after_the_pairs(tmp_path: Path) -> None:
    write_set(tmp_path, "l", [1, 2, 3], 0)
    write_set(tmp_path, "r", [1, 3, 4], 1)
    frames, _, error = read_all([tmp_path / "l*.png", tmp_path / "r*.png"])
    assert [f.name for f in frames] == ["l01.png", "l03.png"]
    assert error is not None and "l02.png" in str(error) and "r04.png" in str(error)
    frames, info, error = read_all([tmp_path / "l*.png", tmp_path / "r*.png"], allow_missing=True)
    assert len(frames) == 2 and error is None and any("l02.png" in note for note in info.notes)


def test_a_damaged_picture_costs_its_pair_and_is_told(tmp_path: Path) -> None:
    write_set(tmp_path, "l", [1, 2, 3], 0)
    write_set(tmp_path, "r", [1, 2, 3], 1)
    whole = (tmp_path / "r02.png").read_bytes()
    (tmp_path / "r02.png").write_bytes(whole[: len(whole) // 2])
    frames, _, error = read_all([tmp_path / "l*.png", tmp_path / "r*.png"])
    assert [f.name for f in frames] == ["l01.png", "l03.png"]
    assert error is not None and "r02.png is cut" in str(error)


def test_nothing_readable_fails_on_opening(tmp_path: Path) -> None:
    cut = cv2.imencode(".png", picture(1, 0))[1].tobytes()[:60]
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(cut)
    with pytest.raises(SourceError, match="is cut"):
        read_all([tmp_path / "a.png", tmp_path / "b.png"])


def test_one_pair_needs_no_numbers(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "scene_l7.png"), picture(3, 0))
    cv2.imwrite(str(tmp_path / "other.jpg"), picture(3, 1, (80, 60)))
    frames, info, _ = read_all([tmp_path / "scene_l7.png", tmp_path / "other.jpg"])
    assert frames[0].name == "scene_l7.png"
    assert (info.left_size_wh, info.right_size_wh) == ((64, 48), (80, 60))  # the rig decides about sizes


@pytest.mark.parametrize("way", ["side_by_side", "top_bottom"])
def test_one_picture_carries_both(tmp_path: Path, way: str) -> None:
    join = np.hstack if way == "side_by_side" else np.vstack
    cv2.imwrite(str(tmp_path / "both.png"), join([picture(2, 0), picture(2, 1)]))
    frames, _, _ = read_all([tmp_path / "both.png"], **{way: True})
    assert frames[0].left.image.shape == frames[0].right.image.shape == (48, 64, 3)
    assert frames[0].left.image[0, 0].tolist() == [255, 0, 0]
    assert frames[0].right.image[0, 0].tolist() == [0, 0, 255]


def test_flip_comes_after_splitting_and_before_swapping(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "both.png"), np.hstack([picture(2, 0), picture(2, 1)]))
    frames, _, _ = read_all([tmp_path / "both.png"], side_by_side=True, flip=("180", "90"), swap=True)
    left, right = frames[0].left.image, frames[0].right.image
    assert right[-1, -1].tolist() == [255, 0, 0]  # the first half, upside down, is now right
    assert left.shape == (64, 48, 3) and left[0, -1].tolist() == [0, 0, 255]  # the second, a quarter clockwise


def test_all_turns() -> None:
    from livestereo.frames import turn

    image = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert turn(image, "none") is image
    assert turn(image, "h").tolist() == image[:, ::-1].tolist()
    assert turn(image, "v").tolist() == image[::-1].tolist()
    assert turn(image, "180").tolist() == image[::-1, ::-1].tolist()
    assert turn(image, "90").tolist() == np.rot90(image, -1).tolist()
    assert turn(image, "270").tolist() == np.rot90(image).tolist()


def test_sixteen_bit_sides_share_one_scale(tmp_path: Path) -> None:
    dim = np.full((20, 30), 900, np.uint16)  # alone it would pass for ten bits
    bright = np.full((20, 30), 3600, np.uint16)
    cv2.imwrite(str(tmp_path / "l.png"), dim)
    cv2.imwrite(str(tmp_path / "r.png"), bright)
    frames, info, _ = read_all([tmp_path / "l.png", tmp_path / "r.png"])
    assert frames[0].left.image.max() == round(900 / 4095 * 255)
    assert frames[0].right.image.max() == round(3600 / 4095 * 255)
    assert any("4095" in note for note in info.notes)


def test_two_videos_frame_by_frame(tmp_path: Path) -> None:
    left = write_video(tmp_path / "l.avi", list(range(12)))
    right = write_video(tmp_path / "r.avi", list(range(12)), side=1)
    frames, info, error = read_all([left, right])
    assert error is None and info.count == 12 and info.fps == 10
    assert [number_of(f.left.image) for f in frames] == [number_of(f.right.image) for f in frames] == list(range(12))
    assert [round(f.left.t_s, 3) for f in frames] == [round(k / 10, 3) for k in range(12)]
    assert frames[7].name == "7" and frames[7].skew_s == 0


def test_a_video_that_ends_early_is_told_after_its_pairs(tmp_path: Path) -> None:
    left = write_video(tmp_path / "l.avi", list(range(12)))
    right = write_video(tmp_path / "r.avi", list(range(9)))
    frames, _, error = read_all([left, right])
    assert len(frames) == 9
    assert error is not None and "r.avi ends after 9 frames" in str(error) and "9 pairs" in str(error)
    assert read_all([left, right], allow_missing=True)[2] is None


def test_a_cut_video_gives_what_can_be_read(tmp_path: Path) -> None:
    left = write_video(tmp_path / "l.avi", list(range(40)))
    right = write_video(tmp_path / "r.avi", list(range(40)))
    data = right.read_bytes()
    right.write_bytes(data[: int(len(data) * 0.55)])
    frames, _, error = read_all([left, right])
    assert 5 < len(frames) < 35
    assert error is not None and "r.avi" in str(error)


def test_videos_are_paired_by_time_after_a_known_shift(tmp_path: Path) -> None:
    left = write_video(tmp_path / "l.avi", list(range(20)))
    right = write_video(tmp_path / "r.avi", list(range(20)))
    # The right camera truly exposed 0.2 s later than its frame numbers say: two frames.
    frames, _, error = read_all([left, right], stamp_bias_s=0.2)
    assert error is None
    assert [(number_of(f.left.image), number_of(f.right.image)) for f in frames] == [(k + 2, k) for k in range(18)]
    assert max(abs(f.skew_s) for f in frames) < 1e-6
    frames, _, _ = read_all([left, right], stamp_bias_s=-0.13)
    assert [(number_of(f.left.image), number_of(f.right.image)) for f in frames][:3] == [(0, 1), (1, 2), (2, 3)]
    assert frames[0].skew_s == pytest.approx(0.1 - 0.13)


def test_videos_of_different_rates_are_paired_by_time_and_it_is_told(tmp_path: Path) -> None:
    left = write_video(tmp_path / "l.avi", list(range(40)), fps=20.0)
    right = write_video(tmp_path / "r.avi", list(range(20)), fps=10.0)
    frames, info, error = read_all([left, right])
    assert error is None and any("paired by time" in note for note in info.notes)
    assert [(number_of(f.left.image), number_of(f.right.image)) for f in frames] == [(2 * k, k) for k in range(20)]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("a.png", "v.avi"), "One side is a video"),
        (("v.avi", "*.avi"), "matches 2 videos"),
        (("[av].*", "a.png"), "which is not a picture"),
        (("notes.txt", "notes.txt"), "neither a picture nor a video"),
        (("broken.mp4", "broken.mp4"), "cannot be opened as a video"),
        (("empty.png", "empty.png"), "is empty"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, names: tuple[str, str], said: str) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture(1, 0))
    write_video(tmp_path / "v.avi", [1, 2])
    write_video(tmp_path / "w.avi", [1, 2])
    (tmp_path / "notes.txt").write_text("P0: 7.0e+02 0 6e+02\nP1: 7.0e+02 0 6e+02\n")
    (tmp_path / "broken.mp4").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(SourceError, match=said):
        read_all([tmp_path / name for name in names])


def test_exposure_of_files_is_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture(1, 0))
    with pytest.raises(SettingsError, match="no exposure"):
        read_all([tmp_path / "a.png", tmp_path / "a.png"], exposure="locked")


@pytest.mark.realdata
def test_real_film_loses_no_pair(real_data) -> None:
    folder = real_data("kitti_drive")
    frames, info, error = read_all([folder / "left.mp4", folder / "right.mp4"])
    assert len(frames) == 51 and error is None and info.left_size_wh == (1226, 370)


@pytest.mark.realdata
def test_real_sets_pair_by_their_numbers(real_data) -> None:
    folder = real_data("opencv_leftright")
    frames, _, error = read_all([folder / "left*.jpg", folder / "right*.jpg"])
    assert len(frames) == 13 and error is None
    assert frames[-1].name == "left14.jpg"
