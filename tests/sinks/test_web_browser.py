"""The page in a real browser, served by the whole program."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from livestereo.takes.verify import verify

pytestmark = pytest.mark.slow
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
WAIT_MS = 60_000  # a limit for a slow machine; nothing depends on it being reached


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if chromium is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


def serve(where: str, folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Start the program; give it and the link that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "livestereo", "preview", "demo:clean", "--size", "320x240", "--web", where, "--headless",
         "--json", "--duration", "300", "--save-dir", str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        found = re.search(r"http://\S+", line)
        if found:
            return process, found.group(0)
    raise AssertionError(f"no link was printed; exit {process.wait()}")


def stop(process: subprocess.Popen[str]) -> dict[str, Any]:
    """End it as Ctrl-C does; give its figures."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    return json.loads(out)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("web")


@pytest.fixture(scope="module")
def link(folder: Path) -> Iterator[str]:
    process, url = serve("0", folder)
    yield url
    figures = stop(process)
    assert figures["pairs"] > 0


@pytest.fixture
def page(browser: Any, link: str) -> Iterator[Any]:
    # The tests' own waiting needs eval, which the page's policy forbids; the phone test runs under the policy.
    context = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
    opened = context.new_page()
    troubles: list[str] = []
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    opened.set_default_timeout(WAIT_MS)
    opened.goto(link, wait_until="domcontentloaded")
    opened.wait_for_function("document.querySelectorAll('#figures div').length > 2")
    yield opened
    context.close()
    assert troubles == []


def pixels(page: Any, pane: str) -> str:
    """What the browser shows in a pane now."""
    return page.evaluate(  # type: ignore[no-any-return]
        """(pane) => { const i = document.querySelector(pane + ' img'); const c = document.createElement('canvas');
        c.width = 64; c.height = 48; c.getContext('2d').drawImage(i, 0, 0, 64, 48); return c.toDataURL(); }""",
        pane,
    )


def until_changed(page: Any, pane: str, before: str) -> None:
    page.wait_for_function(
        """([pane, before]) => { const i = document.querySelector(pane + ' img');
        if (!i.naturalWidth) return false; const c = document.createElement('canvas');
        c.width = 64; c.height = 48; c.getContext('2d').drawImage(i, 0, 0, 64, 48);
        return c.toDataURL() !== before; }""",
        arg=[pane, before],
    )


def state(page: Any) -> dict[str, Any]:
    return page.evaluate("fetch('/state?since=0').then((a) => a.json())")  # type: ignore[no-any-return]


def fill_percent(page: Any) -> float:
    figures = {cell["label"]: cell["value"] for cell in state(page)["figures"]}
    return float(figures["FILL"].split()[0])


def test_both_pictures_are_shown_and_change(page: Any) -> None:
    page.wait_for_function("[...document.querySelectorAll('figure img')].every((i) => i.naturalWidth === 320)")
    for pane in ("#first", "#second"):
        until_changed(page, pane, pixels(page, pane))


def test_a_slider_changes_depth(page: Any) -> None:
    before = fill_percent(page)
    # The fewest disparities that there are: nearly nothing of the scene can be matched.
    page.evaluate(
        """() => { const i = document.getElementById('p-num_disparities'); i.value = 6;
        i.dispatchEvent(new Event('input')); i.dispatchEvent(new Event('change')); }"""
    )
    page.wait_for_function(
        """(before) => fetch('/state?since=0').then((a) => a.json()).then((s) =>
        parseFloat(s.figures.find((c) => c.label === 'FILL').value) < before - 15)""",
        arg=before,
    )
    page.click("#reset")
    page.wait_for_function(
        """(before) => fetch('/state?since=0').then((a) => a.json()).then((s) =>
        parseFloat(s.figures.find((c) => c.label === 'FILL').value) > before - 8)""",
        arg=before,
    )


def test_views_colours_and_pause(page: Any) -> None:
    page.click("text=Anaglyph")
    page.wait_for_function("document.getElementById('second').hidden && document.getElementById('legend').hidden")
    page.click("#views button[data-view=depth]")
    page.click("#pause")
    page.wait_for_selector("#paused:not([hidden])")
    page.wait_for_function("document.querySelector('#first img').naturalWidth === 320")
    before = pixels(page, "#first")
    page.select_option("#colormap", "turbo")
    until_changed(page, "#first", before)
    page.click("#pause")
    page.wait_for_selector("#paused[hidden]", state="attached")


def test_what_was_shown_before_does_not_pass_for_the_new_view(page: Any) -> None:
    page.wait_for_function("document.querySelectorAll('.making').length === 0")
    # From the click to the first new part: what is there is marked, and its key is gone.
    page.click("#views button[data-view=confidence]")
    page.wait_for_selector("#reasons:not([hidden]) span")
    held = page.evaluate(
        """() => { document.querySelector('#views [data-view=reason]').click();
        return [document.getElementById('first').className, document.getElementById('reasons').children.length]; }"""
    )
    assert held == ["making", 0]
    page.wait_for_function("document.querySelectorAll('.making').length === 0")
    page.wait_for_selector("#reasons:not([hidden]) span")


def test_steps_are_offered_while_paused(page: Any) -> None:
    def pairs() -> str:
        return next(cell["value"] for cell in state(page)["figures"] if cell["label"] == "PAIR")

    assert page.is_hidden("#back") and page.is_hidden("#forward")
    page.click("#pause")
    page.wait_for_selector("#forward:not([hidden])")
    page.wait_for_selector("#back:not([hidden])")
    before = pairs()
    page.click("#forward")
    page.wait_for_function(
        """(before) => fetch('/state?since=0').then((a) => a.json()).then((s) =>
        s.figures.find((c) => c.label === 'PAIR').value !== before)""",
        arg=before,
    )
    page.click("#pause")
    page.wait_for_selector("#forward[hidden]", state="attached")


def test_a_tap_reads_depth(page: Any) -> None:
    page.wait_for_function("document.querySelector('#second img').naturalWidth === 320")
    page.locator("#second").click(position={"x": 200, "y": 150})
    page.wait_for_selector("#readout:not([hidden]) b")
    assert page.inner_text("#readout b")


def test_recording_starts_and_stops(page: Any) -> None:
    page.click("#record")
    page.wait_for_selector("#rec:not([hidden])")
    page.click("#record")
    page.wait_for_selector("#rec[hidden]", state="attached")
    page.wait_for_selector(".toast:has-text('Recorded')")


def test_the_key_r_records_a_take_that_is_whole(page: Any, folder: Path) -> None:
    before = set(folder.glob("take-*"))
    page.keyboard.press("r")
    page.wait_for_selector("#rec:not([hidden])")
    page.wait_for_function("document.getElementById('record').textContent === 'Stop'")
    # The clock of the recording is that of written pairs: not before one is in the take is it ended.
    page.wait_for_function("document.getElementById('rec-time').textContent !== '00:00'")
    page.keyboard.press("r")
    page.wait_for_selector("#rec[hidden]", state="attached")
    page.wait_for_selector(".toast:has-text('Recorded')")
    (take,) = set(folder.glob("take-*")) - before
    found = verify(take)
    assert found.ok and found.pairs > 0


def test_keys_change_the_view_but_not_while_somebody_types(page: Any) -> None:
    page.keyboard.press("6")
    page.wait_for_function("document.querySelector('#views [data-view=anaglyph]').ariaPressed === 'true'")
    page.focus("#near")
    page.keyboard.press("4")
    page.keyboard.press("r")
    assert page.get_attribute("#views [data-view=anaglyph]", "aria-pressed") == "true"
    assert state(page)["recording_s"] is None


def test_the_screenshot_is_a_picture(page: Any) -> None:
    with page.expect_download() as download:
        page.click("#shot")
    assert re.fullmatch(r"livestereo-\d{8}-\d{6}\.png", download.value.suggested_filename)
    path = download.value.path()
    assert Path(path).read_bytes().startswith(b"\x89PNG")


def test_nothing_is_wider_than_a_phone(browser: Any, link: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    try:
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        troubles: list[str] = []
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.goto(link, wait_until="domcontentloaded")
        page.wait_for_selector("#figures div:nth-child(3)")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        # Every figure can be read whole.
        assert page.evaluate("[...document.querySelectorAll('#figures b')].filter((b) => b.scrollWidth > b.clientWidth)"
                             ".map((b) => b.textContent)") == []  # fmt: skip
        # Large enough for a finger: 44 px is the usual rule, 34 for the small choices.
        assert page.evaluate("Math.min(...[...document.querySelectorAll('.actions button')].filter((b) => !b.hidden)"
                             ".map((b) => b.offsetHeight))") >= 42  # fmt: skip
        assert troubles == []
    finally:
        context.close()


def test_with_a_token_from_elsewhere(browser: Any) -> None:
    from sink_scenes import make_result

    from livestereo.settings import Settings
    from livestereo.sinks.web import WebView
    from livestereo.sinks.web_guard import WebAddress
    from livestereo.types import SourceInfo

    view = WebView(WebAddress("0.0.0.0", 0), Settings())
    view.open(SourceInfo("test", True))
    context = browser.new_context(bypass_csp=True)
    try:
        view.accept(make_result())
        link, _, token = view.links[0].partition("/?token=")
        assert len(token) > 20
        base = "http://127.0.0.1:" + link.rsplit(":", 1)[1]
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        assert page.goto(base).status == 403
        assert page.goto(f"{base}/?token={token[:-1]}x").status == 403
        answer = page.goto(f"{base}/?token={token}", wait_until="domcontentloaded")
        assert answer.status == 200 and "token" not in page.url
        page.wait_for_function("document.querySelector('#first img').naturalWidth === 320")
    finally:
        context.close()
        view.close()
