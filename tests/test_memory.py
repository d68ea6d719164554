"""What can still be had of the computer's memory, and of a container's."""

from __future__ import annotations

from pathlib import Path

from livestereo.memory import available_bytes

MEMINFO = "MemTotal:       8000 kB\nMemAvailable:   1000 kB\nSwapFree:        24 kB\nHugePages_Total:       0\n"


def test_the_tighter_of_computer_and_container_counts(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(MEMINFO)
    assert available_bytes(meminfo, tmp_path) == 1024 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("5000\n")
    assert available_bytes(meminfo, tmp_path) == 1024 * 1024
    (tmp_path / "memory.max").write_text("9000\n")
    assert available_bytes(meminfo, tmp_path) == 4000
    (tmp_path / "memory.current").write_text("9500\n")
    assert available_bytes(meminfo, tmp_path) == 0


def test_where_it_is_not_known_nothing_is_said(tmp_path: Path) -> None:
    assert available_bytes(tmp_path / "none", tmp_path) is None
    (tmp_path / "meminfo").write_text("nonsense")
    assert available_bytes(tmp_path / "meminfo", tmp_path) is None
