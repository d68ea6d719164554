"""The live window: a view of the run that a person can act through."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Protocol

from livestereo import display
from livestereo.display import Event
from livestereo.render.cards import draw_waiting
from livestereo.render.compose import Composer
from livestereo.render.layout import Layout, natural_canvas
from livestereo.render.views import displayed_size, explained_in, panes_of
from livestereo.sinks.aside import LastDone
from livestereo.sinks.base import RunState
from livestereo.sinks.snapshot import Snapshots
from livestereo.sinks.window_scene import Card, Effects, Measure, SceneMaker
from livestereo.sinks.window_state import WindowState
from livestereo.timing import Clock, monotonic
from livestereo.types import U8, Action, SizeWH, SourceInfo, StereoResult

TITLE = "livestereo"
# Without a new result: how often a fading message or a moved mouse is drawn again.
REDRAW_S = 1 / 30
SPLASH_AFTER_S = 0.5


class Screen(Protocol):
    """What a window must do; `livestereo.display.Window` does."""

    @property
    def is_open(self) -> bool:
        """False once closed."""
        ...

    @property
    def size_wh(self) -> SizeWH:
        """Size of its inside, px."""
        ...

    def show(self, bgr: U8) -> None:
        """Show a picture."""
        ...

    def resize(self, size_wh: SizeWH) -> None:
        """Give its inside another size."""
        ...

    def poll(self, wait_s: float = 0.0) -> list[Event]:
        """Give what happened."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class WindowView:
    """Shows results as they come, newest first, and turns keys and mouse into actions.

    `accept` may be called from any thread; all else belongs to the main thread. The window opens with the
    first result, in the size that suits the pictures. snapshots: writes what is shown on the key `s`. pool: looks up
    what is known of pixels, of the one under the mouse or of all; threads of the view's own if it is left out.

    Raises (from the first `poll` with a result):
        LiveStereoError: there is no display.
    """

    def __init__(
        self, state: WindowState, *, title: str = TITLE, measure: Measure | None = None, effects: Effects | None = None,
        snapshots: Snapshots | None = None, cards: Sequence[Card] = (),
        open_screen: Callable[[str, SizeWH], Screen] = display.Window, pool: Executor | None = None,
        clock: Clock = monotonic,
    ) -> None:  # fmt: skip
        self.state = state
        self._title = title
        self._measure = measure
        self._effects = effects
        self._snapshots = snapshots
        self._cards = tuple(cards)
        self._open_screen = open_screen
        self._clock = clock
        self._screen: Screen | None = None
        self._composer = Composer()
        # One thread for whole pictures, and one for the pixel under the mouse meanwhile.
        self._pool = pool or ThreadPoolExecutor(2, thread_name_prefix="livestereo-facts")
        self._explained: LastDone[StereoResult] = LastDone(self._pool)
        self._maker = SceneMaker(live=True, pool=self._pool, clock=clock)
        self._newest: StereoResult | None = None
        self._shown: StereoResult | None = None
        self._layout: Layout | None = None
        self._canvas: U8 | None = None
        self._drawn_s = float("-inf")
        self._stale = True
        self._actions: deque[Action] = deque()
        self._run = RunState()
        self._started_s: float | None = None
        self._splash = False
        self._expected: SizeWH | None = None
        self._source_name = ""

    def open(self, info: SourceInfo) -> None:
        """Get ready for this source."""
        self._maker = SceneMaker(
            live=info.live, count=info.count, measure=self._measure, effects=self._effects,
            cards=self._cards, pool=self._pool, clock=self._clock,
        )  # fmt: skip
        self._title = f"{self._title} – {info.name}" if info.name else self._title
        self._source_name = info.name
        self._expected = info.left_size_wh
        self.state.count = info.count

    def accept(self, result: StereoResult) -> None:
        """Keep the newest result; drawing happens in `poll`."""
        self._maker.arrived()
        self._newest = result

    def tell(self, state: RunState) -> None:
        """Take how the run goes."""
        for text in state.messages:
            self.state.say(text)
        # A change of the person's own stays on the screen until the run has it, or has said why not.
        if state.settings is not None and (state.settings != self._run.settings or state.messages):
            self.state.adopt(state.settings)
        self._stale = self._stale or state != self._run
        self._run = state

    def poll(self) -> Action | None:
        """Draw if there is something new, let the window live, and give the next thing the person asked for."""
        for text in self._snapshots.news() if self._snapshots is not None else ():
            self.state.say(text, "good" if text.startswith("Saved") else "warn")
        newest = self._newest
        if newest is None:
            self._wait_in_sight()
        elif self._screen is None:
            self._screen = self._open_screen(self._title, self._natural_size(displayed_size(newest)))
        if self._screen is not None:
            if newest is not None:
                if self._splash:
                    self._splash = False
                    self._fit_to(newest)
                ready = self._ready(newest)
                if ready is not None:
                    self._draw_if_needed(self._screen, ready)
            for event in self._screen.poll():
                self._stale = True
                self._actions.extend(self._own(action) for action in self.state.take(event, self._layout))
        while self._actions:
            action = self._actions.popleft()
            if action.name:
                return action
        return None

    def _natural_size(self, picture_wh: SizeWH) -> SizeWH:
        return natural_canvas(picture_wh, len(panes_of(self.state.view)), screen_wh=display.probe().screen_wh)

    def _wait_in_sight(self) -> None:
        """Show a window while the first result is made, if that takes a while, so that nobody thinks it hangs."""
        now = self._clock()
        self._started_s = now if self._started_s is None else self._started_s
        if now - self._started_s < SPLASH_AFTER_S:
            return
        if self._screen is None:
            self._splash = True
            self._screen = self._open_screen(self._title, self._natural_size(self._expected or (640, 480)))
        if now - self._drawn_s >= 0.25:
            self._drawn_s = now
            dots = "." * (1 + int((now - self._started_s) * 2) % 3)
            self._screen.show(draw_waiting(self._screen.size_wh, f"Getting ready{dots}", self._source_name))

    def _fit_to(self, newest: StereoResult) -> None:
        """Give the window of the wait the size that suits the pictures, now that it is known."""
        wanted = self._natural_size(displayed_size(newest))
        if self._screen is not None and wanted != self._screen.size_wh:
            self._screen.resize(wanted)

    def _own(self, action: Action) -> Action:
        """Do what is the view's own, saving and focusing. Anything else goes on to the run."""
        if action.name == "focus" and self._effects is not None and self._shown is not None:
            self.state.say(self._effects.focus_at(self._shown, *action.value))
            return Action("")
        if action.name != "save" or self._snapshots is None or self._shown is None:
            return action
        self.state.say(self._snapshots.save(self._shown, self.state.look(self._shown), self._canvas))
        return Action("")

    def _ready(self, newest: StereoResult) -> StereoResult | None:
        """Give the newest result whose pictures can be drawn at once; None: the first is being made ready.

        To explain all pixels takes far longer than a picture may: the window lives on meanwhile.
        """
        needed = () if self.state.effect else explained_in(self.state.view)
        if not needed:
            self._explained.forget()
            return newest
        return self._explained.of(newest, needed, partial(_explain, needed))

    def _draw_if_needed(self, screen: Screen, newest: StereoResult) -> None:
        now = self._clock()
        size = screen.size_wh
        resized = self._layout is None or self._layout.canvas_wh != size
        fading = bool(self.state.messages()) or self.state.help_shown
        due = now - self._drawn_s >= REDRAW_S
        if not (newest is not self._shown or resized or (due and (self._stale or fading))):
            return
        self._layout = self._maker.layout(size, newest, self.state)
        scene = self._maker.scene(self._layout, newest, self.state, self._run)
        self._canvas = self._composer.compose(scene)
        screen.show(self._canvas)
        self._shown, self._drawn_s, self._stale = newest, now, fading or self._maker.waits

    def close(self) -> None:
        """Close the window; idempotent."""
        self._pool.shutdown(cancel_futures=True)
        if self._screen is not None:
            self._screen.close()


def _explain(needed: Sequence[str], result: StereoResult) -> None:
    """Have it computed, and kept by the result."""
    for name in needed:
        getattr(result, name)
