"""Interrupts that come while modules are imported: Python may lose the exception there, so they are remembered."""

from __future__ import annotations

import signal
from types import FrameType

_heard: list[int] = []
_taken_over = 0


def listen() -> None:
    """Take SIGTERM, and SIGINT where it is not ignored, as KeyboardInterrupt from now on; for the main thread."""
    signal.signal(signal.SIGTERM, _hear)  # a polite request to end: what is half-made is taken away
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _hear)


def raise_if_heard() -> None:
    """Raise the interrupt again that came and was lost; where work begins, with the imports done.

    Raises:
        KeyboardInterrupt: there was one.
    """
    if _heard:
        raise KeyboardInterrupt


def heard_twice() -> bool:
    """Whether a second interrupt came while none was expected: whoever sent it does not want to wait."""
    return len(_heard) > 1


def take_over() -> None:
    """Note that from now on signals are an orderly end's (a run's own handler has them)."""
    global _taken_over
    _taken_over += 1


def taken_over() -> int:
    """How often signals have been taken over."""
    return _taken_over


def _hear(number: int, frame: FrameType | None) -> None:
    _heard.append(number)
    raise KeyboardInterrupt
