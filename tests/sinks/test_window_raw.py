"""The window before there is a rig shows both cameras as they are, of whatever sizes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from sink_scenes import FakeClock, FakeScreen

from livestereo.sinks.window_raw import FocusMeter, RawWindow
from livestereo.types import U8, CaptureStats, Frame, SizeWH, StereoFrame

RADIUS = 0.1  # of the width


def pair(left_wh: SizeWH, right_wh: SizeWH) -> StereoFrame:
    """Two gray pictures with a white disc in the middle of each."""
    frames = []
    for width, height in (left_wh, right_wh):
        image = np.full((height, width, 3), 60, np.uint8)
        cv2.circle(image, (width // 2, height // 2), round(RADIUS * width), (255, 255, 255), -1)
        frames.append(Frame(image, 0.0, 0))
    return StereoFrame(frames[0], frames[1], 0)


def discs(canvas: U8) -> list[tuple[int, int, int, int]]:
    """Boxes (x, y, w, h) of what is large and white, from left to right; level lines may cross it."""
    white = cv2.morphologyEx(cv2.inRange(canvas, (150,) * 3, (255,) * 3), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(white)
    return sorted((int(x), int(y), int(w), int(h)) for x, y, w, h, area in stats[1:] if area > 2000)


@pytest.mark.parametrize("right_wh", [(640, 480), (320, 240), (640, 360), (480, 640), (1280, 720)])
def test_nothing_is_stretched_and_the_middles_stand_level(right_wh: SizeWH) -> None:
    screens: list[FakeScreen] = []

    def open_screen(title: str, size_wh: SizeWH) -> FakeScreen:
        screens.append(FakeScreen(title, size_wh))
        return screens[-1]

    window = RawWindow(open_screen=open_screen, clock=FakeClock())
    window.show(pair((640, 480), right_wh), CaptureStats())
    assert window.poll()
    one, other = discs(screens[0].shown[-1])
    for _, _, w, h in (one, other):
        assert abs(w - h) <= 3
    assert abs(one[2] - other[2]) <= 3
    assert abs((one[1] + one[3] / 2) - (other[1] + other[3] / 2)) <= 2
    screens[0].press("q")
    assert not window.poll()
    window.close()
    assert not screens[0].is_open


def test_sharpness_is_told_against_the_best_seen_and_exposure_in_a_word() -> None:
    sharp = np.random.default_rng(0).integers(70, 180, (120, 160, 3)).astype(np.uint8)
    meter = FocusMeter()
    for _ in range(20):
        state = meter.measure(sharp)
    assert state.focus == 1.0 and state.exposure_text == "good"
    for _ in range(20):
        state = meter.measure(np.asarray(cv2.GaussianBlur(sharp, (0, 0), 2), np.uint8))
    assert state.focus < 0.3
    assert FocusMeter().measure(sharp // 8).exposure_text == "too dark"
    assert FocusMeter().measure(np.full_like(sharp, 255)).exposure_text == "too bright"
