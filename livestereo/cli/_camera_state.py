"""How cameras stood while a rig was made: kept in the rig, told where it can change, given back to cameras later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from calibration.rigfile import RigFile
from livestereo.types import SourceInfo

_AUTOFOCUS, _FOCUS, _ZOOM = "focus_automatic_continuous", "focus_absolute", "zoom_absolute"
_STABLE_ID = "usb:"


@dataclass(frozen=True)
class CameraState:
    """controls: every control as it read back, left and right. autofocus, zoom: it was on, it can move; None where
    the cameras do not say. warnings: what may change under the rig."""

    controls: tuple[dict[str, Any], dict[str, Any]] = field(default_factory=lambda: ({}, {}))
    autofocus: bool | None = None
    zoom: bool | None = None
    warnings: tuple[str, ...] = ()


def camera_state(info: SourceInfo) -> CameraState:
    """Read the state of both cameras from what the source says of itself."""
    stored = info.capture.get("controls", {})
    sides = [dict(stored.get(side) or {}) for side in ("left", "right")]
    known = [side for side in sides if side]
    if not known:
        told = (
            ("The cameras' controls cannot be reached here: switch autofocus and zoom off with their own program.",)
            if info.live and info.truth is None
            else ()
        )
        return CameraState(warnings=told)
    focusing = [name for name, side in zip(("left", "right"), sides) if side.get(_AUTOFOCUS)]
    warnings = []
    if focusing:
        who = "Both cameras focus" if len(focusing) == 2 else f"The {focusing[0]} camera focuses"
        warnings.append(
            f"{who} by itself: the focal length moves with it, and the rig may not hold. Switch autofocus off "
            "(v4l2-ctl -c focus_automatic_continuous=0) and calibrate again."
        )
    zoomed = [name for name, side in zip(("left", "right"), sides) if _ZOOM in side]
    if zoomed:
        warnings.append(f"The {' and the '.join(zoomed)} camera can zoom: leave the zoom as it is, or the rig is void.")
    return CameraState((sides[0], sides[1]), bool(focusing), bool(zoomed), tuple(warnings))


def restored(rig_file: RigFile) -> dict[str, Any]:
    """Give the fields of a `SourceRequest` that bring cameras back to how the rig was made."""
    cameras = rig_file.cameras
    ids = cameras.left.id, cameras.right.id
    controls: dict[str, Mapping[str, float]] = {}
    for side, camera in (("left", cameras.left), ("right", cameras.right)):
        numbers = {name: float(v) for name, v in camera.controls.items() if isinstance(v, int | float)}
        if numbers.get(_AUTOFOCUS):
            # Where it stood at the end says nothing.
            numbers.pop(_FOCUS, None)
        controls[side] = numbers
    return {"camera_ids": ids if all(one.startswith(_STABLE_ID) for one in ids) else None, "controls": controls}
