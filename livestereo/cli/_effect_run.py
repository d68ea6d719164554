"""Pairs through the pipeline and an effect, one after another, to files and a window."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np

from livestereo.cli._doubts import Doubts
from livestereo.cli._effect_files import Background, Outlet, WantedThing
from livestereo.cli._output import Output
from livestereo.cli._results import Troubles, each_result, is_still
from livestereo.cli._setup import Opened
from livestereo.matchers.sgbm import cost_bytes
from livestereo.memory import available_bytes
from livestereo.render.effects import Effect, EffectSettings, apply_effect, choose, scene_of
from livestereo.render.effects.cutout import over
from livestereo.render.effects.live import LiveEffect
from livestereo.render.effects.scene import EffectScene
from livestereo.settings import Settings, resolve_settings
from livestereo.types import SizeWH, StereoResult

LARGE_PX = 6_000_000
LIKELY_RANGE = 0.15  # of the width
LEAST_KNOWN = 0.02  # share of the picture: with less, an effect shows what was filled in, not what is there


class EffectRun:
    """One effect over all pairs of a source; what is chosen from the scene stays steady within a film."""

    def __init__(
        self,
        kind: str,
        effect_settings: EffectSettings,
        settings: Settings,
        *,
        things: list[WantedThing] | None,
        background: Background | None,
        quick: bool,
        careful_matching: bool,
        output: Output,
        duration_s: float | None = None,
    ) -> None:
        self._kind = kind
        self._effect_settings = effect_settings
        self._settings = settings
        self._careful = careful_matching and not quick
        self._things = things
        self._background = background
        self._quick = quick
        self._output = output
        self._duration_s = duration_s
        self._steady = LiveEffect(kind)
        self._told: set[str] = set()
        self.warnings: list[str] = []

    def go(
        self, opened: Opened, troubles: Troubles, outlet: Outlet | None, *, frames: int | None, show: bool
    ) -> list[dict[str, Any]]:
        """Work through the source; gives a row for each pair."""
        from livestereo.cli._window import Viewer

        info = opened.source.info
        if self._careful:  # for a photo the most careful preset is worth its second
            self._settings = _careful(self._settings, info.left_size_wh or (0, 0))
            if self._settings.scale < 1:
                self._tell("These photos are large: they are matched at half size.")
        endless = info.live and frames is None and (show or self._duration_s is not None)
        done: list[dict[str, Any]] = []
        viewer = Viewer(f"livestereo: {self._kind}", self._output) if show else None
        start = time.monotonic()
        doubts = Doubts(opened)
        results = each_result(
            opened, self._settings, self._output, troubles, frames=frames, endless=endless, text=self._kind
        )
        try:
            for result in results:
                made, scene = self._make(result, still=is_still(info))
                if not self._quick:
                    doubts.look(result)
                name = _name(result)
                files: list[str] = []
                if outlet is not None:
                    baseline = scene.rectification.baseline_m if scene.rectification.metric else None
                    files = outlet.write(made, name, result.pair.t_s, baseline_m=baseline)
                for note in made.notes:
                    self._tell(note)
                done.append(_row(name, made, files))
                if viewer is not None and not viewer.show(made, wait_for_key=not info.live and info.count == 1):
                    break
                if self._duration_s is not None and time.monotonic() - start >= self._duration_s:
                    break
        finally:
            results.close()
            if viewer is not None:
                viewer.close()
        doubts.tell(self._output)
        self.warnings = doubts.warnings
        return done

    def _make(self, result: StereoResult, *, still: bool) -> tuple[Effect, EffectScene]:
        scene = scene_of(result, quick=self._quick)
        if np.count_nonzero(scene.known) < LEAST_KNOWN * scene.known.size:
            self._tell("There is next to no depth in these pictures, so the effect has little to go by: see `doctor`.")
        wanted = dataclasses.replace(self._effect_settings, time=result.pair.t_s)
        if self._things is not None:
            wanted = dataclasses.replace(wanted, things=tuple(t.placed(scene.size_wh) for t in self._things))
        chosen = choose(scene, wanted)
        if not still:
            chosen = self._steady.steady(chosen, result.frame.seq, result.pair.t_s)
        if not scene.rectification.metric and self._effect_settings.visibility_m is not None:
            self._tell("Depth is relative, so the visibility is not in metres but in units of the baseline.")
        made = apply_effect(self._kind, scene, chosen=chosen)
        if self._background is not None and self._kind == "cutout":
            made = dataclasses.replace(made, image=over(made.image, self._background.for_scene(scene)))
        turn = scene.rectification.to_display
        return dataclasses.replace(
            made, image=turn(made.image), frames=tuple(turn(f) for f in made.frames),
            views=tuple(turn(v) for v in made.views),
        ), scene  # fmt: skip

    def _tell(self, note: str) -> None:
        if note not in self._told:
            self._told.add(note)
            self._output.say(note)


def _careful(settings: Settings, size_wh: SizeWH) -> Settings:
    """The same settings on top of the preset `quality`; large photos, which are soft at their own size, at half.

    Where there is no memory for that the preset stays what it is.
    """
    quality, plain = resolve_settings("quality"), resolve_settings("balanced")
    changed = {
        name: value
        for name, value in settings.model_dump().items()
        if value != getattr(plain, name) and name not in ("preset", "notes")
    }
    if size_wh[0] * size_wh[1] > LARGE_PX:
        changed["scale"] = 0.5
    scale = changed.get("scale", 1.0)
    width, height = (round(side * scale) for side in size_wh)
    free = available_bytes()
    if free is not None and cost_bytes(quality.mode, width, height, round(LIKELY_RANGE * width)) > free:
        return settings.changed(scale=scale)
    return quality.changed(**changed)


def _name(result: StereoResult) -> str:
    name = result.frame.name.rsplit(".", 1)[0] if result.frame.name else ""
    return f"{result.frame.seq:06d}" if not name or name.isdigit() else name.replace("/", "_")


def _row(name: str, made: Effect, files: list[str]) -> dict[str, Any]:
    height, width = made.image.shape[:2]
    details = {k: float(v) if isinstance(v, np.floating) else v for k, v in made.details.items()}
    return {"name": name, "width": width, "height": height, **details, "files": files}
