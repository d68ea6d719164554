"""The 3D view: which points are shown, and the page in a real browser."""

from __future__ import annotations

import queue
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sink_scenes import FOCAL_PX, make_result

from livestereo.errors import LiveStereoError, MissingExtra
from livestereo.sinks.view3d_cloud import Cuts, depth_edges, live_cloud
from livestereo.sinks.web_guard import WebAddress
from livestereo.types import SourceInfo

WAIT_MS = 60_000


def test_points_lie_where_the_pixels_say() -> None:
    result = make_result(64, 48, depth_m=2.0)
    points, colors = live_cloud(result, Cuts())
    assert points.shape == colors.shape == (64 * 48 * 3 // 4, 3)
    assert np.allclose(points[:, 2], 2.0)
    # The last pixel, (63, 47), with the principal point at (32, 24).
    assert points[-1] == pytest.approx([31 * 2 / FOCAL_PX, 23 * 2 / FOCAL_PX, 2.0], rel=1e-5)
    assert (colors == 90).all()


def test_thinning_is_even_keeps_the_limit_and_stays_the_same() -> None:
    result = make_result(320, 240)
    points, _ = live_cloud(result, Cuts(most=5000))
    assert 4700 <= len(points) <= 5000
    assert np.array_equal(points, live_cloud(result, Cuts(most=5000))[0])
    # As many in the lower left quarter as in the lower right one: 5000 / 3 each, within 4 σ of a binomial.
    below = points[points[:, 1] > 0]
    left, right = (below[:, 0] < 0).sum(), (below[:, 0] >= 0).sum()
    assert abs(int(left) - int(right)) < 4 * np.sqrt(5000 * 2 / 3)


def test_cuts() -> None:
    result = make_result(64, 48, depth_m=2.0)
    assert len(live_cloud(result, Cuts(near_m=2.5))[0]) == 0
    assert len(live_cloud(result, Cuts(far_m=1.5))[0]) == 0
    assert len(live_cloud(result, Cuts(confidence=0.7))[0]) > 0
    assert len(live_cloud(result, Cuts(confidence=0.9))[0]) == 0
    assert len(live_cloud(make_result(64, 48, explained=False), Cuts(confidence=0.9))[0]) > 0


def test_edges_between_two_depths_are_left_out_and_holes_are_no_edges() -> None:
    disparity = np.full((20, 20), 10, np.float32)
    disparity[:, 10:] = 30
    disparity[0] = np.nan
    edges = depth_edges(disparity)
    assert edges[1:, 9:11].all() and not edges[:, :9].any() and not edges[:, 11:].any() and not edges[0].any()


def test_a_vertical_rig_stands_upright() -> None:
    points, _ = live_cloud(make_result(64, 48, turns=1), Cuts())
    # A turn by 90° takes x to −y: the picture's width is now the cloud's height.
    assert np.ptp(points[:, 1]) > np.ptp(points[:, 0])


def test_without_the_library_the_line_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from livestereo.sinks.view3d import View3d

    monkeypatch.setitem(__import__("sys").modules, "viser", None)
    with pytest.raises(MissingExtra, match=r"livestereo\[view3d\]"):
        View3d(WebAddress("127.0.0.1", 0))


@pytest.fixture
def view(tmp_path: Path) -> Iterator[Any]:
    pytest.importorskip("viser", reason="viser is not installed")
    from livestereo.sinks.view3d import View3d

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = View3d(WebAddress("127.0.0.1", port), save_dir=tmp_path)
    made.open(SourceInfo("test", True))
    yield made
    made.close()
    made.close()


def test_nothing_is_computed_while_nobody_looks(view: Any) -> None:
    for seq in range(20):
        view.accept(make_result(64, 48, seq=seq))
    assert view.clouds == 0


def test_a_port_in_use_is_one_message(view: Any) -> None:
    from livestereo.sinks.view3d import View3d

    with pytest.raises(LiveStereoError, match="in use"):
        View3d(view.address)


def test_port_0_is_any_free_one(view: Any) -> None:
    from livestereo.sinks.view3d import View3d

    other = View3d(WebAddress("127.0.0.1", 0))
    try:
        assert other.address.port not in (0, 8090, view.address.port)
        assert str(other.address.port) in other.link
    finally:
        other.close()


def test_saving_writes_the_whole_cloud(view: Any, tmp_path: Path) -> None:
    view.accept(make_result(64, 48))
    view._save()
    (path,) = tmp_path.iterdir()
    head = path.read_bytes()[:400].decode("ascii", "replace")
    assert head.startswith("ply") and "property float nx" in head and "property uchar red" in head


def test_a_control_moved_while_a_cloud_is_made_counts(view: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, go, again = threading.Event(), threading.Event(), threading.Event()
    made: list[int] = []

    def show(*_: Any) -> None:
        made.append(view.cuts().most)
        if len(made) == 1:
            inside.set()
            assert go.wait(30)
        else:
            again.set()

    monkeypatch.setattr(view._server, "get_clients", lambda: {0: None})  # somebody looks
    monkeypatch.setattr(view, "_show", show)
    view.accept(make_result(64, 48))
    assert inside.wait(30)
    view._most.value = 5
    view._look_again()
    go.set()
    assert again.wait(10) and made[-1] == 5000


def test_cameras_are_shown_and_hidden_at_once(view: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: queue.Queue[bool] = queue.Queue()
    monkeypatch.setattr(view._server, "get_clients", lambda: {0: None})
    monkeypatch.setattr(view, "_draw_cameras", lambda result: drawn.put(view._cameras.value))
    view.accept(make_result(64, 48))
    assert drawn.get(timeout=30)
    for wanted in (False, True):  # twice in less than a second, and no further pair comes
        view._cameras.value = wanted
        view._look_again()
        now = not wanted
        while now != wanted:
            now = drawn.get(timeout=10)


def test_what_is_held_still_stays_when_a_control_is_moved(view: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: queue.Queue[int] = queue.Queue()
    monkeypatch.setattr(view._server, "get_clients", lambda: {0: None})
    monkeypatch.setattr(view, "_show", lambda result, look: shown.put(result.frame.seq))
    view.accept(make_result(64, 48, seq=1))
    assert shown.get(timeout=30) == 1
    with view._changed:  # its thread does not look round meanwhile
        view._seen = view._newest, view._count
        view._freeze.value = True
        view.accept(make_result(64, 48, seq=2))
        view._look_again()
    assert shown.get(timeout=10) == 1
    view._freeze.value = False
    view._look_again()
    while shown.get(timeout=10) != 2:
        pass


@pytest.mark.slow
def test_in_a_browser(view: Any) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if chromium is None:
        pytest.skip("there is no Chromium")
    outside: list[str] = []
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--no-first-run", "--disable-background-networking", "--use-gl=angle",
                  "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
        )  # fmt: skip
        page = browser.new_page()
        page.set_default_timeout(WAIT_MS)
        own = ("http://localhost", "data:", "blob:")
        page.on("request", lambda asked: None if asked.url.startswith(own) else outside.append(asked.url))
        view.accept(make_result(320, 240))
        page.goto(view.link, wait_until="domcontentloaded")
        page.wait_for_selector("text=clouds per second")
        assert "Save as PLY" in page.content()
        made = view.clouds
        assert made >= 1
        for seq in range(1, 4):
            view.accept(make_result(320, 240, seq=seq, depth_m=2 + seq / 10))
            page.wait_for_timeout(400)
        assert view.clouds > made
        browser.close()
    assert outside == []  # works with no network
    assert view.failure is None
