"""Snapshots are written aside; those that cannot be are told, also after the window is gone."""

from __future__ import annotations

from pathlib import Path

from sink_scenes import make_result

from livestereo.render.colorize import DepthRange
from livestereo.render.views import Look
from livestereo.sinks.snapshot import Snapshots


def test_what_could_not_be_saved_is_kept_and_each_reason_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    snapshots = Snapshots(tmp_path / "file" / "folder")
    for _ in range(2):
        assert snapshots.save(make_result(), Look(DepthRange(0.5, 5.0))) == "Saving …"
    snapshots.close()
    assert len(snapshots.news()) == 2 and snapshots.news() == []
    assert len(snapshots.failed) == 1 and "is not a folder" in snapshots.failed[0]


def test_what_was_saved_is_no_failure(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.save(make_result(), Look(DepthRange(0.5, 5.0)))
    snapshots.close()
    assert snapshots.news()[0].startswith("Saved ") and snapshots.failed == []
    assert len(list(tmp_path.glob("*_cloud.ply"))) == 1
