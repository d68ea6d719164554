from __future__ import annotations

from pathlib import Path

import pytest

from livestereo.errors import SettingsError, SourceError
from livestereo.sources import SourceRequest, open_source
from livestereo.sources.grammar import resolve, resolve_all


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_value_is_for_both_sides_and_two_for_each() -> None:
    request = SourceRequest.parse(
        size="640x480", fps="30,30000/1001", fourcc="mjpg,YUYV", exposure="12.5", flip="180,none", max_skew_ms=8
    )
    assert request.size == ((640, 480), (640, 480))
    assert request.fps[0] == 30 and abs(request.fps[1] - 29.97003) < 1e-5
    assert request.fourcc == ("MJPG", "YUYV")
    assert (request.exposure, request.exposure_s) == ("manual", 0.0125)
    assert request.flip == ("180", "none")
    assert request.max_skew_s == 0.008


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": "640"}, {"size": "0x480"}, {"size": "640x480,1x1,2x2"}, {"size": "99999x4"}, {"fps": "fast"},
        {"fps": "0"}, {"fps": "30/0"}, {"fps": "5000"}, {"fourcc": "MJPEG"}, {"fourcc": ""}, {"exposure": "bright"},
        {"exposure": "-3"}, {"exposure": "0"}, {"exposure": "99999"}, {"flip": "upside"}, {"max_skew_ms": 0},
        {"max_skew_ms": -1}, {"max_skew_ms": float("nan")}, {"side_by_side": True, "top_bottom": True},
    ],
)  # fmt: skip
def test_wrong_values_are_refused_with_a_way_out(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError) as told:
        SourceRequest.parse(**wrong)
    assert told.value.what and told.value.fix


def test_words_resolve_in_the_order_of_the_contract(here: Path) -> None:
    (here / "0").write_bytes(b"x")
    (here / "demo").write_bytes(b"x")
    (here / "take").mkdir()
    (here / "take" / "take.json").write_text("{}")
    (here / "a[1].png").write_bytes(b"x")
    kinds = {
        "demo": "demo", "demo:room,seed=1": "demo", "./demo": "file", "usb:1-2": "camera", "0": "camera",
        "./0": "file", "http://x/y": "url", "rtsp://u:p@x": "url", "take": "take", "take/": "take",
        "a[1].png": "file", "left*.png": "pattern", "left%03d.png": "pattern",
    }  # fmt: skip
    assert {word: resolve(word).kind for word in kinds} == kinds


def test_a_drive_letter_is_no_scheme(here: Path) -> None:
    with pytest.raises(SourceError, match="There is no"):
        resolve("C://pictures/left.png")


def test_a_file_url_is_a_file(here: Path) -> None:
    (here / "my left.png").write_bytes(b"x")
    assert resolve((here / "my left.png").as_uri()).path == here / "my left.png"


def test_a_folder_is_refused_with_the_pattern_to_write(here: Path) -> None:
    for name in ("left_01.png", "right_01.png", "notes.txt"):
        (here / name).write_bytes(b"x")
    with pytest.raises(SourceError) as told:
        resolve(str(here))
    assert f"'{here}/left*.png' '{here}/right*.png'" in told.value.fix


def test_a_near_miss_is_suggested(here: Path) -> None:
    (here / "left01.png").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"Did you mean left01\.png"):
        resolve("lft01.png")


@pytest.mark.parametrize(
    ("pictures", "splits", "said"),
    [
        (["a", "b", "c"], False, "put it in quotes"),
        ([], False, "No pictures"),
        ([""], False, "empty"),
        (["demo", "demo"], False, "carries both views"),
        (["demo"], True, "two separate views"),
        (["http://x/1"], False, "--side-by-side"),
        (["http://x/1", "http://x/2"], True, "Leave one out"),
    ],
)
def test_arguments_that_do_not_go_together(pictures: list[str], splits: bool, said: str) -> None:
    with pytest.raises((SettingsError, SourceError)) as told:
        resolve_all(pictures, splits=splits)
    assert said in str(told.value)


def test_a_camera_beside_a_file_is_refused(here: Path) -> None:
    (here / "left.png").write_bytes(b"x")
    with pytest.raises(SettingsError, match=r"is a camera and left\.png is not"):
        open_source(["0", "left.png"])
