"""Every check that the contract of the command line names can be reached."""

from __future__ import annotations

from pathlib import Path

import pytest
from diagnosis_scenes import FAULTS

from livestereo import display
from livestereo.diagnosis import environment

# The names that scripts may rely on.
NAMES = frozenset({
    "display", "opencv", "permission", "bandwidth", "packages", "swapped", "rotated", "mirrored", "size", "exposure",
    "focus", "white_balance", "flicker", "blur", "dark", "bright", "frozen", "skew", "wrong_rig", "vertical",
    "disparity_range", "out_of_range", "baseline", "texture", "repetition", "frame_rate", "framing", "row_time",
    "glare", "compression",
})  # fmt: skip
OF_THE_COMPUTER = frozenset({"display", "opencv", "permission", "packages"})


def test_every_name_is_reached_by_a_fault_or_by_the_computer() -> None:
    # That each fault is found is shown where they are tried; those of the computer are tried below.
    assert {check for check, _ in FAULTS} | OF_THE_COMPUTER == NAMES


def test_a_computer_without_display_libraries_or_permission(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    display.probe.cache_clear()
    assert not environment.display_check().ok
    display.probe.cache_clear()
    monkeypatch.delattr("cv2.ximgproc")
    assert not environment.opencv_check().ok
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    packages = environment.packages_check()
    assert not packages.ok and "fast" in packages.fix
    device = tmp_path / "video0"
    device.touch()
    monkeypatch.setattr("os.access", lambda path, mode: False)
    permission = environment.permission_check([device])
    assert permission is not None and not permission.ok and "usermod" in permission.fix
