"""The controls of both cameras of a live source: held still from the start, exposure locked and matched on request."""

from __future__ import annotations

import contextlib
import datetime
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from livestereo.sources.capture import Camera
from livestereo.sources.exposure import ExposureMatch, look_at, set_automatic
from livestereo.sources.request import SourceRequest
from livestereo.sources.v4l2 import Controls, hold_still, lock_focus, open_controls
from livestereo.types import StereoFrame

OpenControls = Callable[[str], "AbstractContextManager[Controls | None]"]
LOCK_AFTER_PAIRS = 30  # automatic exposure needs about a second before it is worth keeping


def device_path(camera: Camera) -> str:
    """Path of the camera's device where its controls can be reached, else ''."""
    if camera.is_url or not sys.platform.startswith("linux"):
        return ""
    return camera.target if isinstance(camera.target, str) else f"/dev/video{camera.target}"


class ControlRoom:
    """Both cameras' controls, left and right after swapping. Guarded by its owner's lock."""

    def __init__(self, request: SourceRequest, opener: OpenControls = open_controls) -> None:
        self._request = request
        self._opener = opener
        self._stacks = [contextlib.ExitStack(), contextlib.ExitStack()]
        self._controls: list[Controls | None] = [None, None]
        self._match: ExposureMatch | None = None
        self._pairs = 0
        self._told = 0
        # What holds from now on: asked for at the start, then by the person. None leaves exposure as it is.
        self._wanted_lock = {"auto": False, "locked": True, "manual": True}.get(request.exposure or "")
        self._exposure_s = request.exposure_s  # to lock at, as soon as it is known
        self.locked = False

    def attach(self, side: int, camera: Camera) -> list[str]:
        """Hold still what must not change on the camera of side 0 (left) or 1 (right); give what could not be set."""
        self._stacks[side].close()
        path = device_path(camera)
        self._controls[side] = controls = self._stacks[side].enter_context(self._opener(path)) if path else None
        if controls is None:
            return []
        offset = datetime.datetime.now().astimezone().utcoffset() or datetime.timedelta()
        stored = self._request.controls.get(("left", "right")[side], {})
        notes = hold_still(controls, offset.total_seconds() / 3600, stored.get("focus_absolute"))
        if self._wanted_lock is False:
            set_automatic(controls)
        if self.locked:  # the camera came back with its own ideas: the next pair locks both again
            self.locked, self._match = False, None
        return [f"The {('left', 'right')[side]} camera {note}." for note in notes]

    def values(self) -> Mapping[str, Mapping[str, int]]:
        """Every control as it reads back now, by side and name; empty where controls cannot be reached."""
        return {
            side: controls.read_all()
            for side, controls in zip(("left", "right"), self._controls)
            if controls is not None
        }

    def lock(self, exposure_s: float | None = None) -> str:
        """Hold focus, make exposure time equal, start to match gain and white balance; say what was done."""
        self._wanted_lock, self.locked, self._match = None, False, None  # until it is done
        left, right = self._controls
        if left is None or right is None:
            return (
                "Exposure cannot be locked: network cameras set it themselves."
                if sys.platform.startswith("linux")
                else "Exposure cannot be locked on this system: set it with the cameras' own program."
            )
        focus_notes = [note for side in (0, 1) for note in self._hold_focus(side)]
        self._match = ExposureMatch(left, right, exposure_s)
        self._told = 0
        if self._match.exposure_s is None:
            return " ".join(self._match.notes)
        self._wanted_lock, self.locked, self._exposure_s = True, True, self._match.exposure_s
        told = f"Exposure locked at {self._match.exposure_s * 1e3:.1f} ms on both; matching brightness and colour."
        return " ".join([told, *focus_notes])

    def _hold_focus(self, side: int) -> list[str]:
        """Hold one camera's focus where its rig was calibrated, or where it is now; give what went wrong."""
        controls = self._controls[side]
        if controls is None or controls.range("focus_absolute") is None:
            return []
        name = ("left", "right")[side]
        stored = self._request.controls.get(name, {}).get("focus_absolute")
        notes = lock_focus(controls, controls.get("focus_absolute") if stored is None else stored)
        return [f"The {name} camera {note}." for note in notes]

    def unlock(self) -> str:
        """Give exposure back to the cameras."""
        self._wanted_lock, self.locked, self._match = False, False, None
        done = [set_automatic(controls) for controls in self._controls if controls is not None]
        return "Exposure is automatic again." if all(done) and done else "Exposure cannot be set here."

    def wants_pair(self) -> bool:
        """The next pair is needed, for matching or for a lock that is asked for and not there yet."""
        return self._lock_is_due() or (self._match is not None and not self._match.done)

    def _lock_is_due(self) -> bool:
        return bool(self._wanted_lock) and not self.locked and any(self._controls)

    def see(self, pair: StereoFrame) -> list[str]:
        """Look at a pair and go on with what is under way; give what is to be told."""
        self._pairs += 1
        notes: list[str] = []
        if self._lock_is_due() and (self._exposure_s is not None or self._pairs >= LOCK_AFTER_PAIRS):
            notes.append(self.lock(self._exposure_s))
        if self._match is not None and not self._match.done:
            self._match.step(look_at(pair.left.image), look_at(pair.right.image))
            notes += self._match.notes[self._told :]
            self._told = len(self._match.notes)
        return notes

    def detach(self, side: int) -> None:
        """Let go of a camera that was lost."""
        self._controls[side] = None
        self._stacks[side].close()

    def close(self) -> None:
        """Let go of both."""
        for side in (0, 1):
            self.detach(side)

    def describe(self) -> dict[str, Any]:
        """What goes into `SourceInfo.capture`."""
        values = self.values()
        return {"controls": values} if values else {}
