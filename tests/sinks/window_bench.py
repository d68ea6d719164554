"""A window with everything fake around it."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path

from sink_scenes import FakeClock, FakeScreen, make_result

from livestereo.render.compose import Ruler
from livestereo.settings import Settings
from livestereo.sinks.aside import AtOnce
from livestereo.sinks.snapshot import Snapshots
from livestereo.sinks.window import WindowView
from livestereo.sinks.window_effects import WindowEffects
from livestereo.sinks.window_state import Measurement, WindowState
from livestereo.types import Action, SourceInfo

EVERYTHING = {"tune", "measure", "wls", "temporal", "holes", "record", "swap", "lock_exposure", "step", "effect"}


class Bench:
    """A window with everything fake around it."""

    def __init__(
        self, can: set[str] | None = None, tmp_path: Path | None = None, pool: Executor | None = None,
        **settings: object,
    ) -> None:  # fmt: skip
        self.clock = FakeClock()
        self.screens: list[FakeScreen] = []
        config = tmp_path / "livestereo.toml" if tmp_path else None
        self.state = WindowState(
            Settings(**settings), can=EVERYTHING if can is None else can, clock=self.clock, config_file=config,  # type: ignore[arg-type]
            effects=("fog", "focus"),
        )  # fmt: skip
        self.snapshots = Snapshots(tmp_path / "out") if tmp_path else None
        self.measured: list[Measurement] = []
        self.view = WindowView(
            self.state, open_screen=self._open, clock=self.clock, snapshots=self.snapshots, measure=self._measure,
            effects=WindowEffects(), pool=pool or AtOnce(),
        )  # fmt: skip
        self.view.open(SourceInfo("test", True, fps=30))
        self.view.accept(make_result())
        assert self.poll() == []
        self.state.hide_help()
        self.clock.now += 1
        assert self.poll() == []

    def _open(self, title: str, size_wh: tuple[int, int]) -> FakeScreen:
        self.screens.append(FakeScreen(title, (1342, 526)))  # whatever screen the tests run on
        return self.screens[-1]

    def _measure(self, result: object, measurement: Measurement) -> Ruler:
        self.measured.append(measurement)
        return Ruler(measurement.start, measurement.end, ("1.23 m",))

    @property
    def screen(self) -> FakeScreen:
        return self.screens[0]

    def poll(self) -> list[Action]:
        """All actions until the view has no more."""
        found = []
        while (action := self.view.poll()) is not None:
            found.append(action)
        return found

    def press(self, *keys: str) -> list[Action]:
        self.screen.press(*keys)
        self.clock.now += 0.1
        found = self.poll()
        self.clock.now += 0.1
        return found + self.poll()

    def texts(self) -> list[str]:
        return [message.text for message in self.state.messages()]
