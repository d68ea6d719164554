from __future__ import annotations

import errno

import numpy as np
import pytest
from fakes.v4l2_driver import FakeDriver, webcam

from livestereo.sources import v4l2
from livestereo.sources.capture import Camera
from livestereo.sources.controls import ControlRoom
from livestereo.sources.exposure import ExposureMatch, Look, look_at
from livestereo.sources.request import SourceRequest
from livestereo.types import Frame, StereoFrame


def controls(driver: FakeDriver) -> v4l2.Controls:
    return v4l2.Controls(3, driver.ioctl)


def test_structures_have_the_kernel_s_sizes() -> None:
    # linux/videodev2.h on 64-bit Linux: the ioctl numbers hold these sizes.
    assert v4l2.QUERYCTRL == 0xC0445624 and v4l2.G_CTRL == 0xC008561B and v4l2.S_CTRL == 0xC008561C
    assert v4l2.ENUM_FMT == 0xC0405602 and v4l2.ENUM_FRAMESIZES == 0xC02C564A
    assert v4l2.ENUM_FRAMEINTERVALS == 0xC034564B and v4l2.REQBUFS == 0xC0145608
    assert v4l2.STREAMON == 0x40045612 and v4l2.STREAMOFF == 0x40045613


def test_what_moves_under_a_rig_is_held_still() -> None:
    driver = webcam()
    assert v4l2.hold_still(controls(driver), hours_from_utc=1.0, focus=95) == []
    assert driver.value("exposure_dynamic_framerate") == 0
    assert driver.value("power_line_frequency") == v4l2.POWER_LINE_50
    assert driver.value("zoom_absolute") == 100
    assert (driver.value("focus_automatic_continuous"), driver.value("focus_absolute")) == (0, 95)


def test_focus_is_left_alone_where_the_rig_knows_none() -> None:
    driver = webcam()
    v4l2.hold_still(controls(driver), 1.0)
    assert driver.value("focus_automatic_continuous") == 1


def test_what_cannot_be_held_is_told() -> None:
    driver = webcam()
    driver.stuck = {"exposure_dynamic_framerate", "focus_absolute", "power_line_frequency"}
    notes = " ".join(v4l2.hold_still(controls(driver), -5.0, focus=200))
    assert "dynamic frame rate" in notes and "calibrated at 200" in notes and "power line" in notes


@pytest.mark.parametrize(
    ("now", "maximum", "hours", "wanted"),
    [(0, 3, 1.0, 3), (0, 2, 1.0, 1), (0, 2, -5.0, 2), (0, 2, 9.0, 1), (2, 3, 1.0, 2), (1, 2, -5.0, 1)],
)
def test_power_line_frequency(now: int, maximum: int, hours: float, wanted: int) -> None:
    assert v4l2.power_line_wanted(now, v4l2.Range(0, maximum, 1, 0), hours) == wanted


def test_a_camera_without_controls_is_no_error() -> None:
    bare = controls(FakeDriver({}))
    assert v4l2.hold_still(bare, 1.0) == []
    assert bare.read_all() == {} and bare.set("gain", 5) is None


def test_modes_are_listed() -> None:
    driver = webcam()
    driver.modes = {"MJPG": {(640, 480): [(1, 30), (1, 15)], (1280, 720): [(1, 30)]}, "YUYV": {(640, 480): [(1, 30)]}}
    assert v4l2.list_modes(3, driver.ioctl) == [
        v4l2.Mode("MJPG", (1280, 720), 30.0), v4l2.Mode("MJPG", (640, 480), 30.0), v4l2.Mode("YUYV", (640, 480), 30.0),
    ]  # fmt: skip


@pytest.mark.parametrize("code", [0, errno.EBUSY, errno.ENOSPC])
def test_starting_a_stream_tells_the_system_s_reason(code: int) -> None:
    driver = webcam()
    driver.stream_error = code
    assert v4l2.try_stream(3, driver.ioctl) == code


class Room:
    """Two webcams looking at one scene: brightness follows time × gain, warmth follows white balance."""

    def __init__(self, sensitivity: tuple[float, float], tint: tuple[float, float]) -> None:
        self.sensitivity, self.tint = sensitivity, tint
        self.drivers = (webcam(exposure_time_absolute=200), webcam(exposure_time_absolute=330, gain=40))

    def look(self, side: int) -> Look:
        driver = self.drivers[side]
        gain = 2 ** (driver.value("gain") / 64)
        brightness = min(250.0, self.sensitivity[side] * driver.value("exposure_time_absolute") * gain)
        # A higher set temperature makes the picture warmer.
        return Look(brightness, self.tint[side] + (driver.value("white_balance_temperature") - 4000) / 3000)


@pytest.mark.parametrize("sensitivity", [(0.2, 0.2), (0.1, 0.3), (0.35, 0.12)])
def test_exposure_time_first_then_gain_then_white_balance(sensitivity: tuple[float, float]) -> None:
    room = Room(sensitivity, (0.0, 0.25))
    match = ExposureMatch(controls(room.drivers[0]), controls(room.drivers[1]), None)
    assert match.exposure_s == pytest.approx(0.02)  # the shorter of 20 and 33 ms
    for _ in range(100):
        match.step(room.look(0), room.look(1))
    assert match.done and match.notes == []
    times = [driver.value("exposure_time_absolute") for driver in room.drivers]
    assert times[0] == times[1]
    assert room.look(0).brightness == pytest.approx(room.look(1).brightness, rel=0.03)
    assert room.look(0).warmth == pytest.approx(room.look(1).warmth, abs=0.03)
    order = [name for name, _ in room.drivers[1].log]
    assert order.index("exposure_time_absolute") < order.index("white_balance_temperature")


def test_matching_gives_up_and_says_so() -> None:
    room = Room((0.01, 0.6), (0.0, 0.0))  # more than the gain can make up for
    match = ExposureMatch(controls(room.drivers[0]), controls(room.drivers[1]), 0.02)
    for _ in range(200):
        match.step(room.look(0), room.look(1))
    assert match.done and "could not be matched" in " ".join(match.notes)


def test_a_camera_that_keeps_its_exposure_is_told() -> None:
    left, right = webcam(), webcam()
    right.stuck = {"auto_exposure"}
    assert "right camera's exposure time cannot be set" in " ".join(
        ExposureMatch(controls(left), controls(right), 0.01).notes
    )


def test_look_ignores_what_is_saturated() -> None:
    image = np.zeros((80, 80, 3), np.uint8)
    image[:] = (40, 80, 120)
    image[:40] = 255
    look = look_at(image)
    assert look.brightness == pytest.approx(0.114 * 40 + 0.587 * 80 + 0.299 * 120, abs=0.1)
    assert look.warmth == pytest.approx(np.log(3), abs=0.01)


def pair(level: int = 100) -> StereoFrame:
    frame = Frame(np.full((48, 64, 3), level, np.uint8), 0.0, 0)
    return StereoFrame(frame, frame, 0)


def room_of(drivers: tuple[FakeDriver, FakeDriver], **request: object) -> ControlRoom:
    made = ControlRoom(SourceRequest(**request), lambda path: drivers[int(path[-1])].open())
    for side in (0, 1):
        made.attach(side, Camera(str(side), f"/dev/video{side}", 0, f"usb:{side}"))
    return made


def test_focus_from_the_rig_is_restored_on_opening_and_a_difference_told() -> None:
    drivers = (webcam(), webcam())
    drivers[1].stuck = {"focus_absolute"}
    wanted = {"left": {"focus_absolute": 80}, "right": {"focus_absolute": 90}}
    made = ControlRoom(SourceRequest(controls=wanted), lambda path: drivers[int(path[-1])].open())
    assert made.attach(0, Camera("0", "/dev/video0", 0, "usb:0")) == []
    assert "The right camera focuses at 60" in made.attach(1, Camera("1", "/dev/video1", 0, "usb:1"))[0]
    assert made.describe()["controls"]["left"]["focus_absolute"] == 80


def test_the_lock_holds_the_focus_where_the_rig_was_made_or_where_it_is() -> None:
    drivers = (webcam(), webcam(focus_automatic_continuous=1))
    made = room_of(drivers, controls={"left": {"focus_absolute": 85}})
    made.lock()
    assert [d.value("focus_absolute") for d in drivers] == [85, 60]
    assert [d.value("focus_automatic_continuous") for d in drivers] == [0, 0]


def test_lock_and_unlock() -> None:
    drivers = (webcam(exposure_time_absolute=150), webcam(exposure_time_absolute=250))
    made = room_of(drivers)
    assert "15.0 ms" in made.lock() and made.locked
    assert [d.value("auto_exposure") for d in drivers] == [1, 1]
    assert made.unlock() == "Exposure is automatic again."
    assert [d.value("auto_exposure") for d in drivers] == [3, 3]


def test_a_lock_asked_for_at_the_start_waits_for_automatic_exposure_to_settle() -> None:
    drivers = (webcam(), webcam())
    made = room_of(drivers, exposure="locked")
    for _ in range(29):
        assert made.wants_pair()
        made.see(pair())
    assert not made.locked
    made.see(pair())
    assert made.locked


def test_a_manual_time_is_set_at_once() -> None:
    drivers = (webcam(), webcam())
    made = room_of(drivers, exposure="manual", exposure_s=0.008)
    made.see(pair())
    assert [d.value("exposure_time_absolute") for d in drivers] == [80, 80]


@pytest.mark.parametrize("request_of", [{"exposure": "locked"}, {"exposure": "manual", "exposure_s": 0.008}])
def test_exposure_that_was_asked_for_at_the_start_can_be_freed(request_of: dict[str, object]) -> None:
    drivers = (webcam(), webcam())
    made = room_of(drivers, **request_of)
    while not made.locked:
        made.see(pair())
    assert made.unlock() == "Exposure is automatic again."
    assert not made.wants_pair() and made.see(pair()) == [] and not made.locked
    made.detach(0)
    made.attach(0, Camera("0", "/dev/video0", 0, "usb:0"))
    made.see(pair())
    assert [d.value("auto_exposure") for d in drivers] == [3, 3]


def test_a_lock_made_by_key_holds_when_a_camera_comes_back() -> None:
    drivers = (webcam(exposure_time_absolute=150), webcam(exposure_time_absolute=250))
    made = room_of(drivers)
    made.lock()
    made.detach(0)
    for name, value in {"exposure_time_absolute": 20, "auto_exposure": 3}.items():
        controls(drivers[0]).set(name, value)
    made.attach(0, Camera("0", "/dev/video0", 0, "usb:0"))
    assert made.wants_pair()
    made.see(pair())
    assert made.locked
    assert [(d.value("auto_exposure"), d.value("exposure_time_absolute")) for d in drivers] == [(1, 150)] * 2


def test_a_lock_that_is_not_possible_is_told_once() -> None:
    made = ControlRoom(SourceRequest(exposure="locked"), lambda path: webcam().open())
    made.attach(0, Camera("0", "/dev/video0", 0, "usb:0"))
    made.attach(1, Camera("http://x", "http://x", 0, "http://x", is_url=True))
    notes = [note for _ in range(40) if made.wants_pair() for note in made.see(pair())]
    assert len(notes) == 1 and "cannot be locked" in notes[0]


def test_network_cameras_say_that_they_cannot_be_locked() -> None:
    made = ControlRoom(SourceRequest(), lambda path: webcam().open())
    made.attach(0, Camera("http://x", "http://x", 0, "http://x", is_url=True))
    assert "cannot be locked" in made.lock() and not made.locked and not made.wants_pair()
