from __future__ import annotations

import errno
import functools
import http.server
import threading
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from fakes.captures import FakeCamera, opener

from livestereo.errors import SourceError
from livestereo.sources.capture import Camera
from livestereo.sources.devices import Device, find_camera, list_devices, why_not_open
from livestereo.sources.grammar import Word
from livestereo.sources.probe import both_work, probe_alone, probe_together, worth_trying
from livestereo.sources.v4l2 import Mode


def attach(sysfs: Path, node: str, port: str, serial: str | None) -> None:
    """Make the part of /sys that a camera at a USB port shows."""
    usb = sysfs / "devices" / port
    interface = usb / f"{port}:1.0"
    interface.mkdir(parents=True, exist_ok=True)
    if serial is not None:
        (usb / "serial").write_text(serial + "\n")
    (sysfs / node).mkdir()
    (sysfs / node / "device").symlink_to(interface)


@pytest.fixture
def attached(tmp_path: Path) -> list[Device]:
    attach(tmp_path, "video0", "1-2", "9A3F 01")
    attach(tmp_path, "video2", "1-4", None)
    infos = [
        SimpleNamespace(index=2, name="Plain Cam", path="/dev/video2", vid=0x1234, pid=0x00AB),
        SimpleNamespace(index=0, name="Good Cam", path="/dev/video0", vid=0x046D, pid=0x0825),
        SimpleNamespace(index=7, name="Board Cam", path="/dev/video7", vid=None, pid=None),
    ]
    return list_devices(lambda backend: infos, tmp_path)


@pytest.mark.parametrize(("path", "said"), [("/", "text/html"), ("/nothing.mjpg", "404")])
def test_an_address_that_answers_without_video_is_told_so(path: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>A camera's settings</p>")
    handler = functools.partial(QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        error = why_not_open(find_camera(Word("url", f"http://me:secret@127.0.0.1:{server.server_port}{path}"), []))
        server.shutdown()
        thread.join(10)
    assert "answers" in error.what and said in error.what and "secret" not in str(error)
    nobody = why_not_open(find_camera(Word("url", f"http://127.0.0.1:{server.server_port}{path}"), []))
    assert "Nothing answers" in nobody.what


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def test_stable_ids_name_model_serial_and_port(attached: list[Device]) -> None:
    assert [d.id for d in attached[:2]] == ["usb:046d-0825-9A3F01@1-2", "usb:1234-00ab@1-4"]
    assert attached[2].id.startswith("usb:camera@")
    assert [d.index for d in attached] == [0, 2, 7]


def test_none_attached_is_a_normal_answer(tmp_path: Path) -> None:
    assert list_devices(lambda backend: [], tmp_path) == []


def test_every_way_to_name_a_camera_finds_the_same_one(attached: list[Device]) -> None:
    for text in ("0", "/dev/video0", "usb:046d-0825-9A3F01@1-2", "usb:046d-0825-9A3F01@3-1"):
        camera = find_camera(Word("camera", text), attached)
        assert camera.id == "usb:046d-0825-9A3F01@1-2" and camera.target == "/dev/video0"


def test_a_camera_without_a_serial_is_known_by_its_port(attached: list[Device]) -> None:
    assert find_camera(Word("camera", "usb:1234-00ab@1-4"), attached).target == "/dev/video2"
    with pytest.raises(SourceError, match="not attached"):
        find_camera(Word("camera", "usb:1234-00ab@1-5"), attached)


def test_no_camera_at_that_index_says_which_there_are(attached: list[Device]) -> None:
    with pytest.raises(SourceError, match=r"There is no camera 5\. There are 0 \(Good Cam\), 2 \(Plain Cam\)"):
        find_camera(Word("camera", "5"), attached)
    with pytest.raises(SourceError, match="No camera is attached at all"):
        find_camera(Word("camera", "55"), [])


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOENT, "There is no camera"), (errno.EACCES, "usermod -aG video"), (errno.EBUSY, "another program"),
        (errno.ENOSPC, "cannot carry both"), (errno.ENOTTY, "is not a camera"), (errno.EIO, "cannot be opened"),
        (0, "cannot be opened"),
    ],
)  # fmt: skip
def test_why_a_camera_does_not_open(code: int, said: str) -> None:
    error = why_not_open(Camera("2", "/dev/video2", 0, "usb:x"), lambda path: code)
    assert said in str(error) and error.fix


class Still:
    """A clock that goes on a thirtieth of a second with every look."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1 / 120
        return self.now_s


def always(size: tuple[int, int]) -> FakeCamera:
    camera = FakeCamera(size)
    camera.next = lambda: np.zeros((int(camera.props[4]), int(camera.props[3]), 3), np.uint8)  # type: ignore[method-assign]
    return camera


def test_probe_measures_what_comes() -> None:
    device = Device("usb:a", 0, "", "A", 0)
    camera = always((640, 480))
    measured = list(probe_alone(device, opener({0: camera}), Still()))
    assert {m.size_wh for m in measured} >= {(320, 240), (1920, 1080)}
    assert all(m.fps > 10 and not m.cause for m in measured)
    camera.opens = False
    (nothing,) = list(probe_alone(device, opener({0: camera}), Still()))
    assert nothing.fps == 0 and nothing.cause


def test_probe_says_when_the_second_camera_gives_nothing() -> None:
    devices = Device("usb:a", 0, "", "A", 0), Device("usb:b", 1, "", "B", 0)
    cameras = {0: always((640, 480)), 1: always((640, 480))}
    mode = [("MJPG", (640, 480))]
    (fine,) = list(probe_together(*devices, mode, opener(cameras), Still()))
    assert both_work(fine) and not fine.cause
    cameras[1].next = lambda: None  # type: ignore[method-assign]
    (silent,) = list(probe_together(*devices, mode, opener(cameras), Still()))
    assert not both_work(silent) and "cannot carry both" in silent.cause


def test_only_what_the_camera_offers_is_tried() -> None:
    modes = [Mode("MJPG", (640, 480), 30.0), Mode("H264", (640, 480), 30.0)]
    assert worth_trying(modes) == [("MJPG", (640, 480))]
    assert worth_trying([Mode("GREY", (100, 100), 30.0)]) == [("GREY", (100, 100))]
    assert ("YUYV", (1920, 1080)) in worth_trying([])


def test_fourcc_is_asked_for_first() -> None:
    from livestereo.sources.capture import OpenCamera, Wanted

    camera = FakeCamera()
    opened = OpenCamera(Camera("0", 0, 0, "usb:0"), Wanted((64, 48), 15.0), opener({0: camera}))
    assert camera.set_order[0] == cv2.CAP_PROP_FOURCC
    assert camera.props[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")
    opened.release()
