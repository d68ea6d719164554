"""Code that numba compiles: whether it can be had, and where it is kept between runs.

numba is an extra. What it compiles is kept in the user's cache folder, so that it is made once for a computer; where
nothing can be written, or what is kept is damaged, it is made again each time.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

# What numba raises where a file of its cache is damaged, from elsewhere, or cannot be written.
CACHE_TROUBLE = (OSError, EOFError, pickle.PickleError, ValueError, TypeError, KeyError, AttributeError, ImportError)


@lru_cache(maxsize=1)
def numba_trouble() -> str | None:
    """Tell why numba cannot be used, as the end of a sentence; None where it is installed, imports, and may compile."""
    if not numba_installed():
        return "numba is not installed"
    try:
        import numba
    except (ImportError, OSError, RuntimeError, AttributeError) as error:  # numba that does not fit this numpy, say
        return f"numba does not start: {str(error).rstrip('.')}"
    config: Any = numba.config
    return "numba may not compile (NUMBA_DISABLE_JIT)" if config.DISABLE_JIT else None


def numba_installed() -> bool:
    """Tell whether numba is there, without importing it."""
    return importlib.util.find_spec("numba") is not None


def numba_usable() -> bool:
    """Tell whether numba is installed, imports, and may compile."""
    return numba_trouble() is None


def numba_loaded() -> bool:
    """Tell whether numba is in use already, so that using it here too costs nothing."""
    return "numba" in sys.modules and numba_usable()


# What makes a pipeline faster whatever its matcher; each compiles when it is first used.
HELPERS = ("filters.median_kernel", "filters.speckle_kernel", "depth_kernel", "remap_kernel")


def load_kept() -> None:
    """Import numba where all of `HELPERS` were compiled on this computer before, see `remember_kept`.

    Worth it for a run of many pairs, whatever its matcher: a third of a second once, some milliseconds a pair. What
    is not compiled yet is left alone: nobody waits for that who did not ask for `sgm`.
    """
    mark = _kept_mark() if "numba" not in sys.modules and numba_installed() else None
    if mark is not None and mark.exists():
        numba_usable()


def remember_kept() -> None:
    """Note that `HELPERS` have been compiled, once a pipeline was built with all of them."""
    used = numba_loaded() and all(f"livestereo.{name}" in sys.modules for name in HELPERS)
    mark = _kept_mark() if used else None
    if mark is not None:
        with suppress(OSError):  # a full disk costs what `load_kept` saves, nothing else
            mark.touch()


@lru_cache(maxsize=1)
def _kept_mark() -> Path | None:
    """Give the file that says so; of another version of the code, of numba or of Python it is another one."""
    try:
        numba_version = importlib.metadata.version("numba")
    except importlib.metadata.PackageNotFoundError:
        return None
    package = Path(__file__).parent
    sources = sorted([*package.rglob("*_kernel.py"), *package.rglob("*_vectors.py")])
    folder = cache_folder("kept", sources)
    versions = f"{sys.version_info.major}.{sys.version_info.minor}-{numba_version}"
    return None if folder is None else folder / versions


def vector_bytes() -> int:
    """Give the bytes of one vector: 64 where the processor has byte operations on 512 bits, else 32.

    Narrower processors get a vector in two halves, which costs nothing.
    """
    import llvmlite.binding as llvm
    import numba

    config: Any = numba.config
    forced = config.CPU_FEATURES
    has = forced.split(",") if forced is not None else llvm.get_host_cpu_features().flatten().split(",")
    return 64 if "+avx512bw" in has else 32


def cache_folder(name: str, sources: Sequence[Path]) -> Path | None:
    """Give the user's folder for compiled code, made if need be; None where nothing can be written.

    It is named after a digest of the sources, so that code of another version is never taken for ours.
    """
    try:
        if sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        else:
            base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
        folder = base / "livestereo" / f"{name}-{digest}"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None


@contextmanager
def numba_keeps(folder: Path | None) -> Iterator[None]:
    """Have numba keep in `folder` what is decorated inside; a folder that the user named himself comes first."""
    import numba

    config: Any = numba.config
    before = config.CACHE_DIR
    if folder is not None and not before:
        config.CACHE_DIR = str(folder)  # numba reads it when a function is decorated
    try:
        yield
    finally:
        config.CACHE_DIR = before


def compiled_once(
    name: str,
    source: Path | Sequence[Path],
    make: Callable[[bool], Callable[..., Any]],
    try_out: Callable[[Callable[..., Any]], None],
) -> Callable[..., Any]:
    """Give a compiled function, from the cache or made now; `make(cache)` decorates it, `try_out` calls it once.

    source: the files that it is made of.
    """
    folder = cache_folder(name, [source] if isinstance(source, Path) else source)
    with numba_keeps(folder):
        function = make(folder is not None)
    try:
        try_out(function)
    except CACHE_TROUBLE:
        if folder is None:
            raise
        function = make(False)
        try_out(function)
    return function
