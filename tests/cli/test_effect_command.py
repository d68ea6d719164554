from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_scenes import HEIGHT, WIDTH, run_command, run_json, write_pair


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISPLAY", "")


def video_frames(path: Path) -> tuple[str, list[np.ndarray]]:
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.codec_context.name, [f.to_ndarray(format="bgr24") for f in container.decode(stream)]


@pytest.mark.parametrize(
    ("kind", "ending"),
    [("fog", "png"), ("focus", "jpg"), ("miniature", "webp"), ("anaglyph", "png"), ("occlude", "tiff"), ("sbs", "mpo")],
)
def test_effects_of_a_photo(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, ending: str) -> None:
    left, right, _ = write_pair(tmp_path)
    out = f"{kind}.{ending}"
    code, found, _ = run_json(capsys, "effect", left, right, "--rectified", "--as", kind, "-o", out)
    assert code == 0
    assert found["effect"] == kind and found["files"] == [out] and found["pairs"][0]["files"] == [out]
    image = cv2.imdecode(np.fromfile(out, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[0] == HEIGHT
    width = min(image.shape[1], cv2.imread(str(left)).shape[1])
    assert cv2.absdiff(image[:, :width], cv2.imread(str(left))[:, :width]).mean() > 0.2, "something was done"


def test_wiggle_loops_in_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right, _ = write_pair(tmp_path)
    for name in ("w.gif", "w.webp", "w.mp4"):
        words = ("effect", left, right, "--rectified", "--as", "wiggle", "--between", 2, "-o", name)
        assert run_command(capsys, *words)[0] == 0
    for name in ("w.gif", "w.webp"):
        done, animation = cv2.imreadanimation(name)
        assert done and len(animation.frames) == 6 and animation.loop_count == 0
    codec, frames = video_frames(tmp_path / "w.mp4")
    assert codec == "h264" and len(frames) > 24 and len(frames) % 6 == 0
    assert frames[0].shape[0] == HEIGHT


def test_a_set_becomes_a_film_or_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in (1, 2, 3):
        write_pair(tmp_path / "in", str(i), seed=i)
    words = ("effect", "in/left*.png", "in/right*.png", "--rectified", "--quick")
    code, found, _ = run_json(capsys, *words, "--as", "fog", "-o", "fog.mp4")
    assert code == 0 and found["files"] == ["fog.mp4"] and len(found["pairs"]) == 3
    codec, frames = video_frames(tmp_path / "fog.mp4")
    assert codec == "h264" and len(frames) == 3 and frames[0].shape == (HEIGHT, WIDTH, 3)
    assert run_command(capsys, *words, "--as", "cutout", "-o", "cut")[0] == 0
    cut = sorted((tmp_path / "cut").iterdir())
    assert [p.name for p in cut] == ["left1.png", "left2.png", "left3.png"]
    assert cv2.imread(str(cut[0]), cv2.IMREAD_UNCHANGED).shape[2] == 4
    assert run_command(capsys, *words, "--as", "focus", "-o", "f.gif")[0] == 0
    assert len(cv2.imreadanimation("f.gif")[1].frames) == 3


def test_what_was_inserted_is_told_drawn_or_culled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right, _ = write_pair(tmp_path)
    cv2.imwrite("sign.png", np.full((20, 30, 3), (0, 255, 255), np.uint8))
    # Relative depth: f = 0.83 · 240 px, B = 1, so the wall (8 px) is at 24.9 and the square (24 px) at 8.3.
    code, found, _ = run_json(
        capsys, "effect", left, right, "--rectified", "--as", "occlude", "-o", "o.png",
        "--insert", "sphere@130,85,5,0.6", "--insert", "sphere@130,85,15,0.8", "--insert", "sphere@130,85,60,3",
        "--insert", "sign.png@15%,20%,12,2", "--insert", "sphere@-500,85,5,0.6,#ff0000",
    )  # fmt: skip
    assert code == 0
    assert found["drawn"] == ["sphere 1", "sign"]
    assert found["culled"] == ["sphere 2", "sphere 3", "sphere 4"]
    assert found["pairs"][0]["culled_why"] == {
        "sphere 2": "hidden", "sphere 3": "hidden", "sphere 4": "outside the view",
    }  # fmt: skip
    image = cv2.imread("o.png")
    assert image[round(0.20 * 159), round(0.15 * 239)].tolist() == pytest.approx([0, 255, 255], abs=3)


def test_a_cutout_keeps_what_is_near_and_can_be_laid_over_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, right, _ = write_pair(tmp_path)
    words = ("effect", left, right, "--rectified", "--as", "cutout", "--far", "12")
    assert run_command(capsys, *words, "-o", "c.png")[0] == 0
    alpha = cv2.imread("c.png", cv2.IMREAD_UNCHANGED)[:, :, 3]
    assert alpha[60:110, 100:160].min() > 250 and alpha[:40].max() < 5
    assert run_command(capsys, *words, "-o", "c.jpg", "--background", "#00ff00")[0] == 0
    assert cv2.imread("c.jpg")[10, 200].tolist() == pytest.approx([0, 255, 0], abs=4)
    assert run_command(capsys, *words, "-o", "b.png", "--background", "blur")[0] == 0


def test_an_unknown_focus_point_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right, _ = write_pair(tmp_path)
    words = ("effect", left, right, "--rectified", "--as", "focus", "--focus-at", "2,80", "-o", "f.png")
    code, _, err = run_command(capsys, *words)
    assert code == 0 and "nearest known point" in err  # the left columns are outside the right view


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--as", "cutout", "-o", "c.jpg"], "transparency"),
        (["--as", "wiggle", "-o", "w.png"], "wiggle"),
        (["--as", "fog", "-o", "f.mp4"], "one picture"),
        (["--as", "fog", "-o", "f.mpo"], "fog"),
        (["--as", "fog", "-o", "fog"], "ending"),
        (["--as", "mist", "-o", "f.png"], "Unknown effect"),
        (["--as", "fog", "--medium", "soup", "-o", "f.png"], "medium"),
        (["--as", "fog", "--visibility", "-3", "-o", "f.png"], "visibility"),
        (["--as", "focus", "--focus-at", "900,4", "-o", "f.png"], "outside"),
        (["--as", "focus", "--focus-at", "here", "-o", "f.png"], "point"),
        (["--as", "occlude", "--insert", "sphere", "-o", "f.png"], "insert"),
        (["--as", "occlude", "--insert", "none.png@1,1,1,1", "-o", "f.png"], "none.png"),
        (["--as", "cutout", "--background", "#12", "-o", "f.png"], "colour"),
        (["--as", "cutout", "--near", "3", "--far", "2", "-o", "f.png"], "near"),
        (["--as", "fog", "-o", "left.png/f.png"], "folder"),
    ],
)
def test_bad_input_ends_with_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    left, right, _ = write_pair(tmp_path)
    code, _, err = run_command(capsys, "effect", left, right, "--rectified", *words)
    assert code == 1
    assert why in err and "Traceback" not in err
    assert not Path("f.png").exists()


def test_a_film_cannot_hold_transparency_nor_a_wiggle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in (1, 2):
        write_pair(tmp_path, str(i), seed=i)
    words = ("effect", "left?.png", "right?.png", "--rectified")
    code, _, err = run_command(capsys, *words, "--as", "cutout", "-o", "c.mp4")
    assert code == 1 and "transparency" in err
    code, _, err = run_command(capsys, *words, "--as", "wiggle", "-o", "w.gif")
    assert code == 1 and "one pair" in err


@pytest.mark.filterwarnings("error")
def test_tiny_pictures_are_worked_on_and_little_depth_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for side in ("left", "right"):
        cv2.imwrite(f"{side}.png", np.full((9, 17, 3), 90, np.uint8))
    for kind in ("occlude", "focus"):
        words = ("effect", "left.png", "right.png", "--rectified", "--as", kind, "-o", f"{kind}.png")
        code, _, err = run_command(capsys, *words)
        assert code == 0 and "next to no depth" in err
        assert cv2.imread(f"{kind}.png").shape == (9, 17, 3)


def test_the_screen_is_put_where_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right, _ = write_pair(tmp_path)
    words = ("effect", left, right, "--rectified", "--as", "sbs", "--zero-parallax", 9, "-o", "s.png")
    code, found, _ = run_json(capsys, *words)
    assert code == 0 and found["pairs"][0]["shift_px"] == 9


def test_options_that_the_effect_does_not_use_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right, _ = write_pair(tmp_path)
    words = ("effect", left, right, "--rectified", "-o", "x.png", "--as")
    assert (
        "--visibility, --near: not used by anaglyph"
        in run_command(capsys, *words, "anaglyph", "--visibility", "5", "--near", "1")[2]
    )
    assert "--rising: of smoke alone" in run_command(capsys, *words, "fog", "--rising")[2]
    for used in (("fog", "--visibility", "5"), ("fog", "--medium", "smoke", "--rising"), ("miniature", "--blur", "3")):
        err = run_command(capsys, *words, *used)[2]
        assert "not used" not in err and "alone" not in err
