"""Interrupts that come while modules are imported: Python may lose the exception there, so they are remembered."""

from __future__ import annotations

import signal
from types import FrameType

_heard: list[int] = []


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


def _hear(number: int, frame: FrameType | None) -> None:
    _heard.append(number)
    raise KeyboardInterrupt
