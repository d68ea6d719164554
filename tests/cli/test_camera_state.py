"""How cameras stood while calibrating goes into the rig, is told, and comes back to the cameras."""

from __future__ import annotations

import dataclasses

from synthetic.board_scenes import SceneOptions, make_scene

from calibration.rigfile import Camera, Cameras, RigFile
from livestereo.cli._camera_state import camera_state, restored
from livestereo.types import SourceInfo

INFO = SourceInfo(name="two cameras", left_size_wh=(640, 480), right_size_wh=(640, 480), fps=30.0, live=True)


def with_controls(left: dict[str, int], right: dict[str, int]) -> SourceInfo:
    return dataclasses.replace(INFO, capture={"controls": {"left": left, "right": right}})


def rig_with(left: Camera, right: Camera) -> RigFile:
    return RigFile(rig=make_scene(0, SceneOptions(views=1)).rig, cameras=Cameras(left=left, right=right))


def test_controls_are_kept_and_autofocus_is_told() -> None:
    state = camera_state(with_controls({"focus_automatic_continuous": 1, "gain": 7}, {"focus_automatic_continuous": 0}))
    assert state.controls[0]["gain"] == 7 and state.autofocus is True and state.zoom is False
    assert "The left camera focuses by itself" in state.warnings[0] and len(state.warnings) == 1


def test_fixed_cameras_say_nothing_and_zoom_is_told() -> None:
    assert camera_state(with_controls({"gain": 7}, {"gain": 8})).warnings == ()
    state = camera_state(with_controls({"zoom_absolute": 100}, {"gain": 8}))
    assert state.zoom is True and "left camera can zoom" in state.warnings[0]


def test_unknown_controls_are_unknown() -> None:
    state = camera_state(INFO)
    assert state.autofocus is None and state.zoom is None and "cannot be reached" in state.warnings[0]
    assert camera_state(dataclasses.replace(INFO, live=False)).warnings == ()


def test_cameras_get_back_the_focus_of_the_rig() -> None:
    rig = rig_with(
        Camera(id="usb:a", controls={"focus_absolute": 30, "focus_automatic_continuous": 0}),
        Camera(id="usb:b", controls={"focus_absolute": 55, "focus_automatic_continuous": 1}),
    )
    back = restored(rig)
    assert back["camera_ids"] == ("usb:a", "usb:b")
    assert back["controls"]["left"]["focus_absolute"] == 30
    assert "focus_absolute" not in back["controls"]["right"]  # it focused by itself


def test_a_rig_made_from_files_asks_for_no_camera() -> None:
    assert restored(rig_with(Camera(id="left01.jpg"), Camera(id="right01.jpg")))["camera_ids"] is None
