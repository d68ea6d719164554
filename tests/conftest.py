"""What all tests share: where real data lies, and that no test leaves a thread behind."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

# Tests run side by side: threads of the linear algebra would only wait for one another. Before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import pytest

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Give the folder of a set of real pictures, or skip with the reason."""

    def folder(name: str) -> Path:
        path = DATA / name
        if not path.is_dir():
            pytest.skip(f"real data set {name} is not here (expected at {path})")
        return path

    return folder


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Fail a test that leaves a thread of the program running."""
    before = set(threading.enumerate())
    yield
    left = [t for t in threading.enumerate() if t not in before and t.name.startswith("livestereo")]
    for thread in left:
        thread.join(2.0)
    alive = [t.name for t in left if t.is_alive()]
    assert not alive, f"threads left behind: {alive}"


@pytest.fixture(autouse=True, scope="session")
def steady_opencv() -> None:
    """Tests run side by side: one OpenCV thread each, and a fixed seed."""
    cv2.setNumThreads(1)
    cv2.setRNGSeed(0)
