"""The HTTP side of the browser preview, on the standard library: routes, limits, timeouts. It makes no pictures."""

from __future__ import annotations

import contextlib
import html
import io
import json
import socket
import threading
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from livestereo.errors import LiveStereoError, SettingsError
from livestereo.sinks.web_backend import Backend
from livestereo.sinks.web_guard import Guard, Refusal, WebAddress, new_token, own_names
from livestereo.sinks.web_sockets import DeadlineReader, gone
from livestereo.types import Action

MOST_BODY = 4096
MOST_CONNECTIONS = 48
REQUEST_S = 20.0  # for the wait for a request, its header and its body together
REPEAT_S = 1.0
SEND_S = 8.0  # for one picture to a client
JOIN_S = 2.0
BOUNDARY = "livestereo-frame"
_ASSETS = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/app.css": ("app.css", "text/css; charset=utf-8"),
}
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_REFUSED = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<title>livestereo</title><body style="background:#111317;color:#eceef1;font:17px/1.5 system-ui,sans-serif;'
    'padding:10vh 24px;max-width:32em;margin:auto"><p><b>livestereo</b></p><p>{why}</p></body></html>\n'
)
_SECURITY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; form-action 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class _Server(HTTPServer):
    """One daemon thread for each connection, a bounded number of them, all of them ended by `close_all`."""

    allow_reuse_address = True
    request_queue_size = 32

    def __init__(self, address: WebAddress, backend: Backend, make_guard: Callable[[int], Guard]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self.backend = backend
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        super().__init__((address.host, address.port), _Handler)
        self.guard = make_guard(int(self.server_address[1]))

    def server_bind(self) -> None:
        """Bind without asking a name server who we are (HTTPServer would)."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own, or refuse it when there are too many."""
        with self._lock:
            if len(self._open) >= MOST_CONNECTIONS:
                with contextlib.suppress(OSError):
                    request.settimeout(0.2)
                    request.sendall(_BUSY)
                self.shutdown_request(request)
                return
            thread = threading.Thread(
                target=self._serve, args=(request, client_address), name="livestereo-web-client", daemon=True
            )
            self._open[request] = thread
        thread.start()

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            pass  # the client went away, or was too slow
        finally:
            self.shutdown_request(request)
            with self._lock:
                self._open.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: whatever a client does must not fill the terminal."""

    def close_all(self) -> None:
        """End every connection and wait for its thread, for a while."""
        with self._lock:
            still = list(self._open.items())
        for connection, _ in still:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for _, thread in still:
            thread.join(JOIN_S)


class WebServer:
    """Listens from construction on; `start` begins to answer.

    Raises:
        LiveStereoError: the port is in use, or the address is not this computer's.
    """

    def __init__(self, address: WebAddress, backend: Backend, *, token: str | None = None) -> None:
        def make_guard(port: int) -> Guard:
            given = token or (None if address.loopback else new_token())
            return Guard(address, port, given, own_names() if not address.loopback else frozenset())

        try:
            self._server = _Server(address, backend, make_guard)
        except PermissionError:
            raise LiveStereoError(
                f"Port {address.port} may not be used.", "Choose a port above 1023: --web 8080."
            ) from None
        except OSError as error:
            where = f"{address.host}:{address.port}"
            raise LiveStereoError(
                f"The browser preview cannot listen on {where}: {error.strerror or error}.",
                "Another program uses that port? Choose another one, or 0 for any free one.",
            ) from None
        self._thread: threading.Thread | None = None

    @property
    def guard(self) -> Guard:
        """The rules in force, with the token and the port."""
        return self._server.guard

    def start(self) -> None:
        """Answer requests from now on."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="livestereo-web", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop and end every connection; idempotent."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join(JOIN_S)
            self._thread = None
        self._server.close_all()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "livestereo"
    sys_version = ""

    def setup(self) -> None:
        """Read through a reader with a deadline: a client that sends a byte now and then cannot stay for ever."""
        super().setup()
        self._reader = DeadlineReader(self.connection, REQUEST_S)
        self.rfile = io.BufferedReader(self._reader)

    def handle_one_request(self) -> None:
        """Serve one request, which must be here in time."""
        self._reader.restart(REQUEST_S)
        super().handle_one_request()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the terminal for the program's own words."""

    def do_GET(self) -> None:
        """Answer a GET."""
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, max_num_fields=20))
        if self._refused("GET", query):
            return
        path = unquote(parts.path)
        if path in _ASSETS:
            self._asset(path, query)
        elif path == "/state":
            self._json(self.server.backend.state(_whole(query.get("since", "0")), query.get("view")))
        elif path == "/parameters":
            self._json(self.server.backend.parameters())
        elif path == "/probe":
            self._probe(query)
        elif path == "/screenshot.png":
            self._screenshot(query.get("view", "split"))
        elif path.startswith("/view/") and path.endswith((".mjpg", ".jpg")):
            self._picture(path.removeprefix("/view/"))
        elif path == "/favicon.ico":
            self._send(b"", "image/x-icon", status=204)
        else:
            self._refuse(Refusal(404, "There is nothing here."))

    def do_POST(self) -> None:
        """Take a command: `POST /action` with a JSON object of `name` and `value`."""
        parts = urlsplit(self.path)
        if self._refused("POST", dict(parse_qsl(parts.query, max_num_fields=20))):
            return
        if parts.path != "/action":
            self._refuse(Refusal(404, "There is nothing here."))
            return
        action = self._read_action()
        if isinstance(action, Refusal):
            self._refuse(action)
            return
        try:
            self.server.backend.act(action)
        except LiveStereoError as error:
            self._json({"error": str(error)}, status=409)
            return
        self._json({"done": True})

    def _read_action(self) -> Action | Refusal:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return Refusal(411, "Send the length of the command.")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            return Refusal(411, "Send the length of the command.")
        if int(length) > MOST_BODY:
            return Refusal(413, "The command is too long.")
        if not self.headers.get("Content-Type", "").lower().startswith("application/json"):
            return Refusal(415, "Commands are JSON.")
        try:
            given = json.loads(self.rfile.read(int(length)))
        except (ValueError, UnicodeDecodeError, RecursionError):
            return Refusal(400, "The command is not JSON.")
        if not isinstance(given, dict) or not isinstance(given.get("name"), str) or not given["name"]:
            return Refusal(400, "A command is an object with a name.")
        return Action(given["name"][:64], given.get("value"))

    def _refused(self, method: str, query: dict[str, str]) -> bool:
        headers = {name.lower(): value for name, value in self.headers.items()}
        refusal = self.server.guard.check(method, query, headers)
        if refusal is None and self.server.backend.over:
            refusal = Refusal(503, "The run has ended.")
        if refusal is not None:
            self._refuse(refusal)
        return refusal is not None

    def _refuse(self, refusal: Refusal) -> None:
        self.close_connection = True
        if "text/html" in self.headers.get("Accept", ""):  # a person's browser: letters that a phone shows large enough
            page = _REFUSED.format(why=html.escape(refusal.why))
            self._send(page.encode(), "text/html; charset=utf-8", status=refusal.status)
        else:
            self._send(f"{refusal.why}\n".encode(), "text/plain; charset=utf-8", status=refusal.status)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what the base class finds malformed, in a line instead of a page."""
        self.close_connection = True
        if self.request_version == "HTTP/0.9":
            self.request_version = "HTTP/1.0"
        self._send(f"{message or 'Refused'}\n".encode(), "text/plain; charset=utf-8", status=code)

    def _asset(self, path: str, query: dict[str, str]) -> None:
        token = self.server.guard.token
        if path == "/" and token is not None and "token" in query:
            # The token leaves the address bar (and the history) and stays in a cookie.
            self._send(b"", "text/plain", {"Set-Cookie": self.server.guard.cookie(), "Location": "/"}, status=303)
            return
        name, kind = _ASSETS[path]
        self._send((files("livestereo.sinks") / "web_page" / name).read_bytes(), kind)

    def _screenshot(self, view: str) -> None:
        try:
            png = self.server.backend.screenshot(view)
        except SettingsError as error:
            self._refuse(Refusal(404, error.what))
            return
        except LiveStereoError as error:
            self._refuse(Refusal(503, error.what))
            return
        name = f"livestereo-{datetime.now():%Y%m%d-%H%M%S}.png"
        self._send(png, "image/png", {"Content-Disposition": f'attachment; filename="{name}"'})

    def _probe(self, query: dict[str, str]) -> None:
        try:
            u, v = float(query["u"]), float(query["v"])
        except (KeyError, ValueError):
            self._refuse(Refusal(400, "Send u and v, from 0 to 1."))
            return
        if not (0 <= u <= 1 and 0 <= v <= 1):
            self._refuse(Refusal(400, "Send u and v, from 0 to 1."))
            return
        self._json(self.server.backend.probe(u, v))

    def _picture(self, name: str) -> None:
        view, _, kind = name.rpartition(".")
        if view not in self.server.backend.views():
            self._refuse(Refusal(404, f"There is no view {quote(view)[:40]}."))
            return
        self.connection.settimeout(SEND_S)
        if kind == "jpg":
            found = self.server.backend.wait_picture(view, 0, SEND_S)
            if found is None:
                self._refuse(Refusal(503, "There is no picture yet."))
            else:
                self._send(found[1], "image/jpeg")
            return
        self._stream(view)

    def _stream(self, view: str) -> None:
        """Send pictures for as long as the client takes them; a send that takes too long ends it."""
        self.close_connection = True
        # A small buffer in the system: a client that stops reading is noticed, and gets no old pictures later.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 17)
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        self._security_headers()
        self.end_headers()
        # The head of the next part follows each picture at once: browsers show a picture when they see that head.
        # A length would have to stand in it, so there is none; the boundary cannot occur in a JPEG of ours.
        between = f"\r\n--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
        self.wfile.write(between[2:])
        serial, jpeg = 0, b""
        while not self.server.backend.over:
            found = self.server.backend.wait_picture(view, serial, REPEAT_S)
            if found is not None:
                serial, jpeg = found
            elif gone(self.connection, SEND_S):
                return
            if jpeg:  # while paused the same again: some programs show a picture when the next one comes
                self.wfile.write(jpeg + between)

    def _json(self, value: Any, status: int = 200) -> None:
        body = json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
        self._send(body, "application/json", status=status)

    def _security_headers(self) -> None:
        for name, value in _SECURITY.items():
            self.send_header(name, value)

    def _send(self, body: bytes, kind: str, extra: dict[str, str] | None = None, *, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self._security_headers()
        self.end_headers()
        if status not in (204, 304):
            self.connection.settimeout(SEND_S)
            self.wfile.write(body)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
