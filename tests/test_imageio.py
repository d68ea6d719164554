from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.errors import CalibrationError
from calibration.files import write_atomically
from livestereo import imageio
from livestereo.cli._effect_files import Outlet
from livestereo.errors import LiveStereoError
from livestereo.imageio import OutputError
from livestereo.render.effects import Effect


def ramp(height: int = 5, width: int = 7) -> np.ndarray:
    values = np.arange(height * width, dtype=np.float32).reshape(height, width) / 8
    values[1, 2] = np.nan
    return values


def test_pfm_goes_round_and_marks_invalid_as_infinite(tmp_path: Path) -> None:
    path = imageio.write_float_map(tmp_path / "d.pfm", ramp())
    np.testing.assert_array_equal(imageio.read_pfm(path), ramp())
    head, size, scale, data = path.read_bytes().split(b"\n", 3)
    assert (head, size, scale) == (b"Pf", b"7 5", b"-1.0")
    rows = np.frombuffer(data, "<f4").reshape(5, 7)
    assert rows[0, 0] == ramp()[4, 0], "PFM counts rows from the bottom"
    assert np.isposinf(rows[3, 2])


def test_float_tiff_keeps_values_and_nan(tmp_path: Path) -> None:
    path = imageio.write_float_map(tmp_path / "d.tiff", ramp())
    np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), ramp())


def test_an_output_goes_through_a_link_to_what_it_leads_to(tmp_path: Path) -> None:
    for name in ("there.png", "not yet/there.png"):
        link, real = tmp_path / "link.png", tmp_path / name
        link.unlink(missing_ok=True)
        link.symlink_to(real)
        for _ in range(2):  # dangling first, then not
            assert imageio.write_picture(imageio.make_place(link), np.zeros((4, 4), np.uint8)) == link
            assert link.is_symlink() and real.is_file()


def test_a_place_is_made_or_told(tmp_path: Path) -> None:
    assert imageio.make_place(tmp_path / "a" / "b" / "rig.json").parent.is_dir()
    (tmp_path / "file").touch()
    for path, said in ((tmp_path, "is a folder"), (tmp_path / "file" / "x.png", "is not a folder")):
        with pytest.raises(OutputError, match=said):
            imageio.make_place(path)
    assert imageio.make_place(Path("/dev/stdout")), "no regular file, and written straight"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder here that takes no files")
def test_a_folder_of_the_systems_own_is_not_said_to_be_missing() -> None:
    for path in (Path("/proc/b.png"), Path("/proc/none/b.png")):
        with pytest.raises(OutputError, match="cannot be written: it takes no files"):
            imageio.make_place(path)
    with pytest.raises(CalibrationError, match="/proc takes no files"):
        write_atomically("/proc/b.json", "")


def test_a_cut_pfm_is_told(tmp_path: Path) -> None:
    path = imageio.write_float_map(tmp_path / "d.pfm", ramp())
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(LiveStereoError, match="not a whole"):
        imageio.read_pfm(path)


def test_millimetres_round_and_mark_what_does_not_fit() -> None:
    depth = np.float32([[1.2344, 1.2346, np.nan, 65.535, 65.6, -1.0, np.inf]])
    assert imageio.millimetres(depth).tolist() == [[1234, 1235, 0, 65535, 0, 0, 0]]


def test_sixteen_bit_png_goes_round(tmp_path: Path) -> None:
    values = np.uint16([[0, 1, 65535]])
    path = imageio.write_picture(tmp_path / "mm.png", values)
    np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), values)


@pytest.mark.parametrize(
    ("name", "image", "why"),
    [
        ("x.jpg", np.zeros((2, 2), np.uint16), "cannot hold 16-bit"),
        ("x.jpg", np.zeros((2, 2, 4), np.uint8), "cannot hold transparency"),
        ("x.xyz", np.zeros((2, 2), np.uint8), "cannot hold a picture"),
        ("x", np.zeros((2, 2), np.uint8), "no ending"),
    ],
)
def test_a_format_that_cannot_hold_it_is_refused(tmp_path: Path, name: str, image: np.ndarray, why: str) -> None:
    with pytest.raises(OutputError, match=why):
        imageio.write_picture(tmp_path / name, image)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), imageio.replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.bin"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="not a folder"):
        imageio.write_bytes(tmp_path / "file" / "x.bin", b"x")
    with pytest.raises(OutputError, match="is a folder"):
        imageio.write_bytes(tmp_path, b"x")


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_an_animation_keeps_its_frames_and_loops_for_ever(tmp_path: Path, name: str) -> None:
    frames = [np.full((24, 32, 3), value, np.uint8) for value in (20, 120, 220)]
    path = imageio.write_animation(tmp_path / name, frames, frame_ms=80)
    done, back = cv2.imreadanimation(str(path))
    assert done
    assert len(back.frames) == 3
    assert back.loop_count == 0
    assert set(np.asarray(back.durations).ravel().tolist()) == {80}
    means = [float(f[..., :3].mean()) for f in back.frames]
    assert means == pytest.approx([20, 120, 220], abs=8)  # 8: a palette, or a lossy codec


@contextmanager
def no_room(most_bytes: int) -> Iterator[None]:
    """Let no file grow beyond a size, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_an_animation_that_the_disk_has_no_room_for_is_told_and_leaves_the_old_one(tmp_path: Path, name: str) -> None:
    frames = [np.random.default_rng(i).integers(0, 255, (60, 80, 3)).astype(np.uint8) for i in range(3)]
    (tmp_path / name).write_bytes(b"old")
    with no_room(2000), pytest.raises(OutputError, match=f"{name} cannot be written"):
        imageio.write_animation(tmp_path / name, frames, frame_ms=80)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [(name, b"old")]


@pytest.mark.parametrize("effect", ["wiggle", "film"])
def test_a_film_that_the_disk_has_no_room_for_is_told_by_its_own_name(tmp_path: Path, effect: str) -> None:
    pictures = [np.random.default_rng(i).integers(0, 255, (60, 80, 3)).astype(np.uint8) for i in range(4)]
    path = tmp_path / "a.mp4"
    outlet = Outlet(path, effect, many=effect == "film", fps=30.0, frame_ms=80)

    def write_all() -> None:
        try:
            if effect == "wiggle":
                outlet.write(Effect(pictures[0], frames=tuple(pictures)), "one", 0.0, baseline_m=None)
            else:
                for i in range(40):
                    outlet.write(Effect(pictures[i % 4]), "one", i / 30, baseline_m=None)
        finally:
            outlet.close()

    with no_room(2000), pytest.raises(OutputError, match=r"^\S*a\.mp4 cannot be written"):
        write_all()
    assert list(tmp_path.iterdir()) == []
