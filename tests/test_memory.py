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


def test_what_a_container_keeps_of_files_can_be_had(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("9000\n")
    (tmp_path / "memory.current").write_text("8500\n")
    (tmp_path / "memory.stat").write_text("anon 1000\ninactive_file 6000\nactive_file 500\nslab_reclaimable 200\n")
    assert available_bytes(tmp_path / "none", tmp_path) == 6700
    (tmp_path / "memory.current").write_text("1000\n")
    assert available_bytes(tmp_path / "none", tmp_path) == 9000, "never above the limit"
    (tmp_path / "memory.stat").write_text("nonsense\n")
    assert available_bytes(tmp_path / "none", tmp_path) == 8000


def test_where_it_is_not_known_nothing_is_said(tmp_path: Path) -> None:
    assert available_bytes(tmp_path / "none", tmp_path) is None
    (tmp_path / "meminfo").write_text("nonsense")
    assert available_bytes(tmp_path / "meminfo", tmp_path) is None
