"""Compiled helpers are used by every matcher once they are kept on this computer, and never waited for before."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

RUN = """
import json, sys
from livestereo import compiled
compiled.load_kept()
before = "numba" in sys.modules
if "numba" in sys.argv:
    import numba
if "use" in sys.argv:
    from importlib import import_module
    for name in compiled.HELPERS:
        import_module(f"livestereo.{name}")
compiled.remember_kept()
print(json.dumps(before))
"""


def loaded_ahead(cache: str, *arguments: str) -> bool:
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, timeout=120, check=True,
        env={**os.environ, "XDG_CACHE_HOME": cache, "LOCALAPPDATA": cache, "HOME": cache},
    )  # fmt: skip
    return bool(json.loads(done.stdout))


def test_numba_is_loaded_ahead_only_after_a_run_that_used_it(tmp_path):
    pytest.importorskip("numba")
    cache = str(tmp_path)
    assert not loaded_ahead(cache)  # nothing is kept, and a run without numba keeps nothing
    assert not loaded_ahead(cache, "numba")
    assert not loaded_ahead(cache, "use"), "numba alone compiles none of the helpers"
    assert loaded_ahead(cache)


def test_a_cache_folder_that_cannot_be_written_is_no_trouble():
    pytest.importorskip("numba")
    assert not loaded_ahead(os.devnull, "use")
    assert not loaded_ahead(os.devnull)
