"""What is at the other end of an address that gives no video."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
from urllib.parse import unquote, urlsplit

WAIT_S = 2.0
PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322, "rtmp": 1935}


def answer(url: str) -> str | None:
    """Give what answers there: the status or kind of an HTTP answer, '' for a port that is open; None for nothing."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    if not host or not port:
        return None
    if parts.scheme != "http":
        try:
            socket.create_connection((host, port), WAIT_S).close()
        except OSError:
            return None
        return ""
    headers = {}
    if parts.username is not None:
        name = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(name.encode()).decode()}"
    with contextlib.closing(http.client.HTTPConnection(host, port, timeout=WAIT_S)) as connection:
        try:
            connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers=headers)
            got = connection.getresponse()
        except (OSError, http.client.HTTPException, ValueError):
            return None
        if got.status != http.client.OK:
            return f"{got.status} {got.reason}"
        return got.getheader("Content-Type", "").partition(";")[0]
