"""A camera on the network: MJPEG over HTTP on loopback, paced by the clock, with faults to switch while it runs.

    with MjpegServer(lambda k: jpegs[k % len(jpegs)], fps=30) as camera:
        cv2.VideoCapture(camera.url, cv2.CAP_FFMPEG)

Frame k is due at `camera.due(k)` on the monotonic clock. Every JPEG carries its number in a comment
segment, so a reader can tell which one it got: `frame_number(data)`.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

BOUNDARY = b"frame"
_MARK = b"livestereo-frame "


def stamp_jpeg(data: bytes, number: int) -> bytes:
    """Write a number into a comment segment right after the start of a JPEG."""
    text = _MARK + str(number).encode()
    return data[:2] + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + data[2:]


def frame_number(data: bytes) -> int:
    """Read the number that `stamp_jpeg` wrote; −1 if there is none."""
    at = data.find(_MARK, 0, 256)
    if at < 0:
        return -1
    (length,) = struct.unpack(">H", data[at - 2 : at])
    return int(data[at + len(_MARK) : at - 2 + length])


@dataclass
class Faults:
    """What is wrong now; change the fields while the server runs."""

    stalled: bool = False  # connected, but sends nothing
    frozen: bool = False  # sends the same bytes again and again
    cut_every: int = 0  # every n-th JPEG ends in the middle
    drop_every: int = 0  # every n-th frame is not sent
    delay_s: float = 0.0  # sent so much later
    refusing: bool = False  # nobody can connect
    frames: Callable[[int], bytes] | None = None  # other pictures (another size, say)


class MjpegServer:
    """Serves frames to any number of readers; each gets the frames from now on."""

    def __init__(
        self, frames: Callable[[int], bytes], fps: float = 30.0, phase_s: float = 0.0, start_s: float | None = None
    ) -> None:
        self._frames = frames
        self.fps = fps
        self.start_s = (time.monotonic() if start_s is None else start_s) + phase_s
        self.faults = Faults()
        self.connections = 0
        self.sent = 0
        self._stop = threading.Event()
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._spawn(self._accept)

    @property
    def url(self) -> str:
        """Address to open."""
        return f"http://127.0.0.1:{self.port}/stream.mjpg"

    def due(self, number: int) -> float:
        """When frame `number` is exposed and sent, monotonic seconds."""
        return self.start_s + number / self.fps

    def __enter__(self) -> MjpegServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def disconnect(self, refuse: bool = True) -> None:
        """Cut all connections, and let nobody in until `come_back`."""
        self.faults.refusing = refuse
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            _shut(client)

    def come_back(self) -> None:
        """Accept connections again."""
        self.faults.refusing = False

    def close(self) -> None:
        """Stop serving; no thread is left."""
        self._stop.set()
        _shut(self._listener)
        self.disconnect()
        for thread in list(self._threads):
            thread.join(5.0)

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name="fake-camera", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.faults.refusing:
                _shut(client)
                continue
            with self._lock:
                self._clients.add(client)
                self.connections += 1
            self._spawn(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.recv(65536)
            client.sendall(
                b"HTTP/1.0 200 OK\r\nCache-Control: no-cache\r\n"
                b"Content-Type: multipart/x-mixed-replace; boundary=" + BOUNDARY + b"\r\n\r\n"
            )
            self._send_frames(client)
        except OSError:
            pass  # the reader went away, or we cut it off
        finally:
            with self._lock:
                self._clients.discard(client)
            _shut(client)

    def _send_frames(self, client: socket.socket) -> None:
        number = max(0, int((time.monotonic() - self.start_s) * self.fps) + 1)
        last = b""
        while not self._stop.wait(max(0.0, self.due(number) + self.faults.delay_s - time.monotonic())):
            faults = self.faults
            lost = faults.drop_every and number % faults.drop_every == 0
            if not (faults.stalled or lost):
                if not (faults.frozen and last):
                    last = stamp_jpeg((faults.frames or self._frames)(number), number)
                body = last[: len(last) // 2] if faults.cut_every and number % faults.cut_every == 0 else last
                head = b"--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % (BOUNDARY, len(body))
                client.sendall(head + body + b"\r\n")
                self.sent += 1
            number += 1


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
