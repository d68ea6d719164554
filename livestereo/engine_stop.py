"""Ctrl-C and SIGTERM while a run goes on: the first asks for an orderly end, the second leaves at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from livestereo.interrupts import raise_if_heard, take_over

EXIT_INTERRUPTED = 130
# What a second signal grants to `finally` blocks before the process goes.
GRACE_S = 0.4


@dataclass
class Signals:
    """What has been asked for by signals."""

    stop: bool = False
    leave: bool = False


_around: list[Signals] = []  # those that are in force, the innermost last


@contextmanager
def stopping_signals() -> Iterator[Signals]:
    """Catch SIGINT and SIGTERM within; does nothing outside the main thread.

    They may be nested: who asked the inner one to stop meant the outer one too.
    """
    raise_if_heard()
    asked = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def handle(number: int, frame: FrameType | None) -> None:
        # Only flags are set here: a handler may interrupt any line, also one that holds a lock.
        if not asked.stop:
            asked.stop = True
            return
        asked.leave = True
        last = threading.Timer(GRACE_S, os._exit, (EXIT_INTERRUPTED,))
        last.daemon = True
        last.start()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    _around.append(asked)
    take_over()
    try:
        yield asked
    finally:
        _around.pop()
        if _around and asked.stop:
            _around[-1].stop = True
        for number, handler in before.items():
            signal.signal(number, handler)
