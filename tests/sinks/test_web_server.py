"""The page's server, talked to over real sockets on loopback."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
import pytest
from sink_scenes import make_result

from livestereo.errors import LiveStereoError
from livestereo.render.views import VIEWS as WHOLE_VIEWS
from livestereo.settings import Settings
from livestereo.sinks.base import RunState
from livestereo.sinks.snapshot import Snapshots
from livestereo.sinks.web import VIEWS, WebView
from livestereo.sinks.web_guard import WebAddress
from livestereo.types import Action, SourceInfo

LOCAL = WebAddress("127.0.0.1", 0)


@pytest.fixture
def web() -> Iterator[WebView]:
    view = WebView(LOCAL, Settings(), can={"tune", "record", "swap", "step"}, presets=("balanced", "quality"))
    view.open(SourceInfo("test", True, fps=30))
    view.accept(make_result())
    view.tell(RunState(settings=Settings(), pairs=7, depth_fps=12.5, dropped={"busy": 3}))
    yield view
    view.close()
    view.close()


def port_of(web: WebView) -> int:
    return web._server.guard.port


def ask(
    web: WebView, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(web), timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def command(web: WebView, name: str, value: Any = None) -> tuple[int, dict[str, Any]]:
    body = json.dumps({"name": name, "value": value}).encode()
    status, _, answer = ask(web, "POST", "/action", body, {"Content-Type": "application/json", "X-LiveStereo": "1"})
    return status, json.loads(answer)


def raw(web: WebView, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port_of(web)), 20) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def test_the_page_and_its_parts(web: WebView) -> None:
    for path, kind in (("/", "text/html"), ("/app.js", "text/javascript"), ("/app.css", "text/css")):
        status, headers, body = ask(web, "GET", path)
        assert status == 200 and headers["content-type"].startswith(kind) and len(body) > 500
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    page = ask(web, "GET", "/")[2].decode()
    assert "http://" not in page and "https://" not in page  # works offline


def test_state(web: WebView) -> None:
    state = json.loads(ask(web, "GET", "/state?since=0")[2])
    figures = {cell["label"]: cell["value"] for cell in state["figures"]}
    assert figures["DEPTH"] == "12.5 fps" and figures["DROPPED"] == "busy 3" and figures["FILL"] == "75 %"
    assert state["name"] == "test" and state["size"] == [320, 240] and state["recording_s"] is None
    assert 0 < state["look"]["near_m"] < state["look"]["far_m"]
    assert "uniqueness" in state["values"]


def test_state_before_the_first_result() -> None:
    view = WebView(LOCAL, Settings())
    view.open(SourceInfo("early", True))
    try:
        assert json.loads(ask(view, "GET", "/state")[2])["figures"] == []
        assert ask(view, "GET", "/screenshot.png")[0] == 503
        assert json.loads(ask(view, "GET", "/probe?u=0.5&v=0.5")[2])["lines"] == []
    finally:
        view.close()


def test_parameters_make_themselves(web: WebView) -> None:
    sliders = {one["name"]: one for one in json.loads(ask(web, "GET", "/parameters")[2])}
    assert sliders["mode"]["choices"][0]["value"] == "sgbm"
    assert sliders["uniqueness"]["steps"][0]["value"] is None and sliders["uniqueness"]["steps"][-1]["value"] == 60


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_a_jpeg(web: WebView, view: str) -> None:
    status, headers, body = ask(web, "GET", f"/view/{quote(view)}.jpg")
    assert status == 200
    assert headers["content-type"] == "image/jpeg"
    picture = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None and picture.shape == (240, 320, 3)


def test_the_stream_gives_picture_after_picture(web: WebView) -> None:
    with socket.create_connection(("127.0.0.1", port_of(web)), 20) as connection:
        connection.sendall(b"GET /view/left.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        stream = connection.makefile("rb")
        head = b""
        while head.count(b"\r\n\r\n") < 2:  # the answer's head, and the first part's
            head += stream.readline()
        assert b"multipart/x-mixed-replace" in head
        shades = []
        for seq, shade in ((1, 40), (2, 200)):
            web.accept(make_result(seq=seq, shade=shade))
            shades.append(_next_shade(stream))
            while abs(shades[-1] - shade) > 4:  # the picture of the result before may still be on its way
                shades[-1] = _next_shade(stream)
        assert shades[0] < 60 < 180 < shades[1]


def _next_shade(stream: Any) -> float:
    """Mean of the next picture of a stream; its head has been read, and that of the one after it is read here."""
    data = b""
    while not data.endswith(b"\r\n--livestereo-frame\r\nContent-Type: image/jpeg\r\n\r\n"):
        data += stream.read(1)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return float(picture.mean())


def test_other_programs_can_read_the_stream(web: WebView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livestereo.sinks.web_server.REPEAT_S", 0.02)
    capture = cv2.VideoCapture(f"http://127.0.0.1:{port_of(web)}/view/left.mjpg", cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            pytest.skip("this OpenCV reads no network streams")
        for seq in range(1, 4):
            web.accept(make_result(seq=seq))
            done, picture = capture.read()
            assert done and picture.shape == (240, 320, 3)
    finally:
        capture.release()


def test_commands_reach_the_run(web: WebView) -> None:
    for name, value in (
        ("pause", None), ("record", None), ("swap", None), ("preset", "quality"), ("set:uniqueness", 12),
        ("set:uniqueness", 12.0), ("set:wls", True), ("set:num_disparities", None), ("reset", None), ("step", -1),
    ):  # fmt: skip
        status, answer = command(web, name, value)
        assert (status, answer) == (200, {"done": True}), name
    got = [web.poll() for _ in range(10)]
    assert got[3:6] == [Action("preset", "quality"), Action("set:uniqueness", 12), Action("set:uniqueness", 12)]
    assert got[5] is not None and isinstance(got[5].value, int)
    assert web.poll() is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quit", None), ("message", "x"), ("settings", {}), ("set:uniqueness", 61), ("set:uniqueness", "many"),
        ("set:uniqueness", [1]), ("set:threads", 4), ("set:nothing", 1), ("preset", "../../etc"), ("preset", None),
        ("lock_exposure", None), ("colormap", "rainbow"), ("range", None), ("range", {"near": 2, "far": 1}),
        ("range", {"near": "x", "far": 1}), ("range", {"near": 1}), ("pause", {"deep": []}), ("save", "x" * 200),
        ("step", "x"), ("step", 5), ("step", True), ("swap", 1), ("matcher", "magic"), ("colormap", ["turbo"]),
        ("range", {"near": 10**400, "far": 1}), ("set:uniqueness", 10**400), ("set:wls_lambda", 10**400),
    ],
)  # fmt: skip
def test_what_is_not_allowed_never_reaches_the_run(web: WebView, name: str, value: object) -> None:
    status, answer = command(web, name, value)
    assert status == 409 and answer["error"]
    assert web.poll() is None


def test_colours_change_at_once(web: WebView) -> None:
    before = ask(web, "GET", "/view/depth.jpg")[2]
    assert command(web, "colormap", "turbo")[0] == 200
    assert ask(web, "GET", "/view/depth.jpg")[2] != before
    assert command(web, "range", {"near": 0.5, "far": 2.5})[0] == 200
    look = json.loads(ask(web, "GET", "/state")[2])["look"]
    assert (look["near_m"], look["far_m"], look["colormap"]) == (0.5, 2.5, "turbo")
    assert command(web, "range_auto", True)[0] == 200
    assert json.loads(ask(web, "GET", "/state")[2])["look"]["auto"] is True


def test_probe(web: WebView) -> None:
    known = json.loads(ask(web, "GET", "/probe?u=0.9&v=0.9")[2])
    assert known["known"] and known["lines"][0].startswith("2.000 ± 0.033 m")
    hole = json.loads(ask(web, "GET", "/probe?u=0.1&v=0.1")[2])
    assert not hole["known"] and hole["lines"][1] == "hidden from the right camera"
    for query in ("", "?u=1", "?u=2&v=0", "?u=nan&v=0", "?u=x&v=y"):
        assert ask(web, "GET", f"/probe{query}")[0] == 400


def test_screenshot_of_the_view_that_is_looked_at(web: WebView) -> None:
    bodies = {}
    for view in ("", *WHOLE_VIEWS):
        status, headers, body = ask(web, "GET", f"/screenshot.png?view={view}" if view else "/screenshot.png")
        assert status == 200
        assert re.fullmatch(r'attachment; filename="livestereo-\d{8}-\d{6}\.png"', headers["content-disposition"])
        assert cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR) is not None
        bodies[view] = body
    assert bodies[""] == bodies["split"] and len(set(bodies.values())) == len(WHOLE_VIEWS)
    assert ask(web, "GET", "/screenshot.png?view=nothing")[0] == 404


def test_each_page_gets_the_key_of_its_own_view(web: WebView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.slots, "watched", lambda view: True)  # somebody looks at each of them
    keys = {
        view: [one["text"] for one in json.loads(ask(web, "GET", f"/state?view={view}")[2])["reasons"]]
        for view in ("split", "reason", "confidence")
    }
    assert keys["split"] == [] and keys["reason"] and keys["confidence"] and keys["reason"] != keys["confidence"]
    told = json.loads(ask(web, "GET", "/state?since=0")[2])["reasons"]
    assert [one["text"] for one in told] == keys["reason"], "who does not say what it shows gets what is watched"


def test_save_writes_on_this_computer(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "out")
    view = WebView(LOCAL, Settings(), snapshots=snapshots)
    view.open(SourceInfo("test", True))
    try:
        view.accept(make_result())
        assert command(view, "save")[0] == 200
        assert view.poll() is None
        snapshots.close()
        assert view.poll() is None
        texts = [m["text"] for m in json.loads(ask(view, "GET", "/state")[2])["messages"]]
        assert any("Saved" in text for text in texts)
        assert len(list((tmp_path / "out").iterdir())) == 6
    finally:
        view.close()


def test_too_many_commands_are_refused(web: WebView) -> None:
    statuses = [command(web, "pause")[0] for _ in range(70)]
    assert statuses[:64] == [200] * 64 and set(statuses[64:]) == {409}


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST /action HTTP/1.1\r\nHost: localhost\r\nX-LiveStereo: 1\r\nContent-Type: application/json\r\n"
         b"Content-Length: 5000\r\n\r\n", 413),
        (b"POST /action HTTP/1.1\r\nHost: localhost\r\nX-LiveStereo: 1\r\nContent-Type: application/json\r\n\r\n", 411),
        (b"POST /action HTTP/1.1\r\nHost: localhost\r\nX-LiveStereo: 1\r\nContent-Type: application/json\r\n"
         b"Content-Length: -5\r\n\r\n", 411),
        (b"POST /action HTTP/1.1\r\nHost: localhost\r\nX-LiveStereo: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST /action HTTP/1.1\r\nHost: localhost\r\nX-LiveStereo: 1\r\nContent-Type: text/plain\r\n"
         b"Content-Length: 2\r\n\r\n{}", 415),
        (b"POST /action HTTP/1.1\r\nHost: localhost\r\nX-LiveStereo: 1\r\nContent-Type: application/json\r\n"
         b"Content-Length: 3\r\n\r\n{a}", 400),
        (b"POST /action HTTP/1.1\r\nHost: localhost\r\nX-LiveStereo: 1\r\nContent-Type: application/json\r\n"
         b"Content-Length: 2\r\n\r\n[]", 400),
        (b"POST /action HTTP/1.1\r\nHost: localhost\r\nX-LiveStereo: 1\r\nContent-Type: application/json\r\n"
         b"Content-Length: 2000\r\n\r\n" + b"[" * 2000, 400),
        (b"POST /elsewhere HTTP/1.1\r\nHost: localhost\r\nX-LiveStereo: 1\r\nContent-Length: 0\r\n\r\n", 404),
        (b"POST /action HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 403),
        (b"POST /action HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nX-LiveStereo: 1\r\n"
         b"Content-Length: 0\r\n\r\n", 403),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 70000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
        (b"DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /view/../../etc/passwd.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"GET /../web.py HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"GET /view/nothing.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    ],
)  # fmt: skip
def test_bad_requests_are_refused_and_the_server_lives_on(
    web: WebView, request_bytes: bytes, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = raw(web, request_bytes)
    assert f" {status} ".encode() in answer.split(b"\r\n")[0] + b" "
    assert ask(web, "GET", "/state")[0] == 200
    said = capfd.readouterr()
    assert said.out == "" and said.err == ""  # nothing that a client does reaches the terminal


def test_other_addresses_need_the_token() -> None:
    view = WebView(WebAddress("0.0.0.0", 0), Settings(), token="s3cret")
    view.open(SourceInfo("test", True))
    try:
        view.accept(make_result(64, 48))
        for path in ("/", "/state", "/view/left.jpg", "/view/left.mjpg", "/screenshot.png", "/app.js", "/?token=wrong"):
            assert ask(view, "GET", path)[0] == 403, path
        assert ask(view, "POST", "/action", b"{}")[0] == 403
        status, headers, _ = ask(view, "GET", "/?token=s3cret")
        assert status == 303 and headers["location"] == "/"
        cookie = headers["set-cookie"].split(";")[0]
        assert ask(view, "GET", "/", headers={"Cookie": cookie})[0] == 200
        assert ask(view, "GET", "/view/left.jpg", headers={"Cookie": cookie})[0] == 200
        assert ask(view, "GET", "/", headers={"Cookie": cookie[:-1]})[0] == 403
        # A person's browser is told on a page, in letters that a phone shows large enough; a script in a line.
        told = ask(view, "GET", "/view/%3Cb%3E.jpg", headers={"Accept": "text/html,*/*"})[2].decode()
        assert "open the link that the program printed" in told and 'name="viewport"' in told
        assert ask(view, "GET", "/")[2].startswith(b"The token is missing or wrong")
        assert all("token=s3cret" in link for link in view.links)
    finally:
        view.close()


def test_a_port_in_use_is_one_message() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(LiveStereoError, match="in use") as told:
            WebView(WebAddress("127.0.0.1", taken.getsockname()[1]), Settings())
        assert told.value.fix


def test_an_address_that_is_not_ours_is_one_message() -> None:
    with pytest.raises(LiveStereoError, match="cannot listen"):
        WebView(WebAddress("192.0.2.77", 0), Settings())


def test_stalled_clients_cost_nothing(web: WebView) -> None:
    web.slots.max_fps = 1000
    stalled = []
    try:
        for _ in range(10):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            connection.connect(("127.0.0.1", port_of(web)))
            connection.sendall(b"GET /view/left.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
            stalled.append(connection)
        dead = socket.create_connection(("127.0.0.1", port_of(web)))
        dead.sendall(b"GET /view/left")  # a request that never ends
        stalled.append(dead)
        # One picture of noise is larger than all buffers on the way: every client gets stuck in its first or second.
        noisy = make_result(640, 480)
        noisy.pair.left[:] = np.random.default_rng(0).integers(0, 255, noisy.pair.left.shape, np.uint8)
        quiet = 0
        for _ in range(400):
            web.accept(noisy)
            web.slots.wait("right", 0, 0.02)
            quiet = 0 if web.slots.watched("left") else quiet + 1
            if quiet > 20 and len(web._server._server._open) >= 10:
                break
        assert quiet > 20
        made = web.slots.encoded
        for _ in range(20):
            web.accept(noisy)
        assert web.slots.encoded == made  # nobody waits: nothing is made
        # One who does read is served as ever.
        assert ask(web, "GET", "/view/left.jpg")[0] == 200
        assert ask(web, "GET", "/state")[0] == 200
    finally:
        for connection in stalled:
            connection.close()


def test_too_many_connections_are_turned_away(web: WebView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livestereo.sinks.web_server.MOST_CONNECTIONS", 2)
    idle = [socket.create_connection(("127.0.0.1", port_of(web)), 20) for _ in range(2)]
    try:
        for connection in idle:
            connection.sendall(b"GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(20).startswith(b"HTTP/1.1 200")
        assert raw(web, b"GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/1.1 503")
    finally:
        for connection in idle:
            connection.close()


def test_a_request_that_trickles_in_is_cut_off(web: WebView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livestereo.sinks.web_server.REQUEST_S", 0.2)
    with socket.create_connection(("127.0.0.1", port_of(web)), 20) as connection:
        connection.sendall(b"GET /state HTTP/1.1\r\nHost: loc")
        assert connection.recv(100) == b""


def test_closing_ends_streams(web: WebView) -> None:
    with socket.create_connection(("127.0.0.1", port_of(web)), 20) as connection:
        connection.sendall(b"GET /view/left.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(100)
        web.close()
        while connection.recv(65536):
            pass
