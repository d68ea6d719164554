"""Where the compiled code of `sgm` comes from: made once, kept in the user's cache folder, found again in seconds.

if sgm_available():
    kernels = get_kernels(num_disparities=128, tolerant=False)
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livestereo.compiled import CACHE_TROUBLE, cache_folder, numba_keeps, numba_usable, vector_bytes
from livestereo.settings import no_sgm

SOURCES = ("sgm_vectors.py", "sgm_kernel.py")

Compiled = Callable[..., None]


@dataclass(frozen=True)
class Kernels:
    """Compiled functions for up to `lanes` disparities, as `sgm_kernel` describes them. key: names them on disk."""

    lanes: int
    census: Compiled
    rows: Compiled
    match: Compiled
    key: str
    folder: Path | None

    @property
    def known(self) -> bool:
        """Whether they have been compiled on this computer before."""
        return self.folder is not None and (self.folder / self.key).exists()

    def remember(self) -> None:
        """Note that they have been compiled, once they have run."""
        if self.folder is not None:
            try:
                (self.folder / self.key).touch()
            except OSError:
                return  # a full or read-only disk costs a message next time, nothing else


_lock = threading.RLock()
_made: dict[tuple[int, int, bool, bool], Kernels] = {}


def sgm_available() -> bool:
    """Tell whether `sgm` can run here: numba is installed, imports, and may compile."""
    return numba_usable()


def get_kernels(num_disparities: int, tolerant: bool, *, cache: bool = True) -> Kernels:
    """Give the kernels for a number of disparities; they compile, or are read from the cache, when first called.

    One set serves all numbers of disparities that need the same number of vectors.

    Raises:
        MissingExtra: numba cannot be used here.
    """
    if not sgm_available():
        raise no_sgm()
    chunk = vector_bytes()
    count = -(-num_disparities // chunk)
    with _lock:
        if (chunk, count, tolerant, cache) not in _made:
            _made[chunk, count, tolerant, cache] = _make(chunk, count, tolerant, cache)
        return _made[chunk, count, tolerant, cache]


def _make(chunk: int, count: int, tolerant: bool, cache: bool) -> Kernels:
    import llvmlite.binding as llvm
    import numba

    here = Path(__file__).parent
    folder = cache_folder("sgm", [here / name for name in SOURCES]) if cache else None
    config: Any = numba.config
    with numba_keeps(folder):
        from livestereo.matchers import sgm_kernel

        keep = folder is not None
        made = (
            sgm_kernel.make_census(chunk, keep),
            sgm_kernel.make_rows(chunk, count, keep),
            sgm_kernel.make_matcher(chunk, count, tolerant, keep),
        )
    machine = f"{numba.__version__} {llvm.get_host_cpu_name()} {config.CPU_NAME} {config.CPU_FEATURES}"
    digest = hashlib.sha256(machine.encode()).hexdigest()[:8]
    return Kernels(chunk * count, *made, f"{chunk}x{count}{'t' if tolerant else ''}-{digest}.compiled", folder)


def run_first(kernels: Kernels, num_disparities: int, tolerant: bool, run: Callable[[Kernels], Any]) -> Kernels:
    """Run kernels for the first time; give those to use: the same, or uncached ones where the cache is damaged.

    Only one thread compiles at a time.
    """
    with _lock:
        try:
            run(kernels)
            kernels.remember()
        except CACHE_TROUBLE:
            if kernels.folder is None:
                raise
            kernels = get_kernels(num_disparities, tolerant, cache=False)
            run(kernels)
        return kernels
