"""Compiled once, kept on disk, and every trouble with that survived."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from livestereo import compiled
from livestereo.errors import MissingExtra
from livestereo.matchers import sgm_compile

RUN = """
import numpy as np
from livestereo.matchers.sgm import SgmConfig, SgmMatcher, warm_up
config = SgmConfig(num_disparities=16, level_rows=False)
said = []
warm_up(config, (64, 48), said.append)
picture = np.random.default_rng(0).integers(0, 255, (48, 64)).astype(np.uint8)
assert np.nanmedian(SgmMatcher(config).compute(picture, picture).disparity_px) == 0
print("|".join(said))
"""


def run(cache: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        env={**environment, "XDG_CACHE_HOME": cache, "LOCALAPPDATA": cache, "HOME": cache},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.strip()


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_compiled_once_then_found_again_even_when_damaged(tmp_path):
    pytest.importorskip("numba")
    assert "once" in run(str(tmp_path))
    kept = files(tmp_path)
    assert {path.suffix for path in kept} >= {".nbi", ".nbc", ".compiled"}
    assert run(str(tmp_path)) == ""
    assert files(tmp_path) == kept  # nothing was compiled again
    for path in kept:
        if path.suffix in (".nbi", ".nbc"):
            path.write_bytes(b"not what it was")
    run(str(tmp_path))  # and it still matches


def test_a_cache_folder_that_cannot_be_written_is_survived():
    pytest.importorskip("numba")
    assert "each time" in run(os.devnull)


def test_without_numba_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(compiled.importlib.util, "find_spec", lambda name: None)
    compiled.numba_trouble.cache_clear()
    try:
        assert not sgm_compile.sgm_available()
        with pytest.raises(MissingExtra, match=r"livestereo\[fast\]"):
            sgm_compile.get_kernels(128, False)
    finally:
        compiled.numba_trouble.cache_clear()


def test_a_numba_that_does_not_start_is_told_and_the_presets_fall_back(tmp_path):
    pytest.importorskip("numba")
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba" / "__init__.py").write_text("raise ImportError('Numba needs another NumPy')")
    code = "from livestereo.settings import resolve_settings as r; f = r('fast'); print(f.matcher, f.scale, *f.notes)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.startswith("sgbm 0.5")
    assert "Numba needs another NumPy" in done.stdout and "--upgrade" in done.stdout


def test_kernels_release_the_lock_and_serve_every_number_of_the_same_vectors():
    pytest.importorskip("numba")
    first, second = sgm_compile.get_kernels(40, False), sgm_compile.get_kernels(64, False)
    assert first is second
    assert first.lanes % 32 == 0 and first.lanes >= 64
    for kernel in (first.census, first.rows, first.match):
        assert kernel.targetoptions["nogil"]  # type: ignore[attr-defined]


def test_intrinsics_stay_out_of_the_python_that_has_no_numba():
    # Looking whether it is there must not import it: that costs half a second at every start.
    code = "import sys, livestereo.settings; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_masks_are_right_for_every_number_of_lanes():
    pytest.importorskip("numba")
    from livestereo.matchers.sgm import SgmConfig, SgmMatcher

    picture = np.random.default_rng(0).integers(0, 255, (24, 90)).astype(np.uint8)
    for count in (16, 32, 48, 64):
        moved = np.roll(picture, -(count - 1), axis=1)
        config = SgmConfig(num_disparities=count, level_rows=False)
        found = SgmMatcher(config).compute(picture, moved).disparity_px
        assert np.nanmax(found) == count - 1  # the last disparity is found, none beyond it
