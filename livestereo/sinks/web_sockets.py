"""Sockets of clients that cannot be trusted to be quick: a reader with a deadline, and whether one is still there."""

from __future__ import annotations

import contextlib
import io
import socket
from typing import Any

from livestereo.timing import monotonic


class DeadlineReader(io.RawIOBase):
    """Reads from a socket until a moment in time, however the bytes trickle in."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection = connection
        self._deadline_s = monotonic() + seconds

    def restart(self, seconds: float) -> None:
        """Allow so many seconds from now."""
        self._deadline_s = monotonic() + seconds

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there, waiting until the deadline at most."""
        left = self._deadline_s - monotonic()
        if left <= 0:
            raise TimeoutError("the request took too long")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


def gone(connection: socket.socket, timeout_s: float) -> bool:
    """Whether the client has closed its side; the socket's timeout is `timeout_s` afterwards."""
    try:
        connection.setblocking(False)
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        with contextlib.suppress(OSError):
            connection.settimeout(timeout_s)
