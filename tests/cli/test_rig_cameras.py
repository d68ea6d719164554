"""What a rig file knows of its cameras comes from calibrating and reaches their opening."""

from __future__ import annotations

import types
from typing import Any

import numpy as np

from calibration.rig import Intrinsics, StereoRig
from calibration.rigfile import Camera, Cameras, RigFile
from livestereo.cli._options import SourceOptions
from livestereo.cli._setup import make_request
from livestereo.cli.calibrate import make_rig_file
from livestereo.sources.request import SourceRequest
from livestereo.types import SourceInfo

K = np.array([[400.0, 0, 159.5], [0, 400.0, 119.5], [0, 0, 1]])
CAMERA = Intrinsics(K, np.zeros(5), "pinhole", (320, 240))
RIG = StereoRig(CAMERA, CAMERA, np.eye(3), np.array([-0.06, 0, 0]))


def test_a_rig_of_usb_cameras_asks_for_them_and_for_their_focus() -> None:
    cameras = Cameras(
        left=Camera(id="usb:046d-0825@1-1", controls={"focus_absolute": 80, "name": "x"}),
        right=Camera(id="usb:046d-0825@1-2", controls={"focus_absolute": 75}),
    )
    request = make_request(SourceOptions(), RigFile(rig=RIG, cameras=cameras))
    assert request.camera_ids == ("usb:046d-0825@1-1", "usb:046d-0825@1-2")
    assert request.controls == {"left": {"focus_absolute": 80.0}, "right": {"focus_absolute": 75.0}}


def test_names_of_files_are_no_cameras() -> None:
    cameras = Cameras(left=Camera(id="left01.png"), right=Camera(id="right01.png"))
    assert make_request(SourceOptions(), RigFile(rig=RIG, cameras=cameras)).camera_ids is None
    assert make_request(SourceOptions(), None).camera_ids is None


def test_what_the_cameras_read_back_is_stored_unless_the_focus_wanders() -> None:
    report = types.SimpleNamespace(
        swapped=False, flip=("none", "none"), figures=dict, metric=True,
        covariance=types.SimpleNamespace(names=("fx",), matrix=np.eye(1)),
    )  # fmt: skip
    controls = {
        "left": {"focus_absolute": 80, "focus_automatic_continuous": 0},
        "right": {"focus_absolute": 60, "focus_automatic_continuous": 1},
    }
    info = SourceInfo("0 2", live=True, left_id="usb:a@1", right_id="usb:b@2", capture={"controls": controls})
    solution: Any = types.SimpleNamespace(report=report, rig=RIG)
    made = make_rig_file(solution, info, SourceRequest())
    assert made.cameras.left.controls["focus_absolute"] == 80
    assert "focus_absolute" not in made.cameras.right.controls
    assert made.capture.autofocus is True
