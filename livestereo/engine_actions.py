"""What an action of a person does to the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from livestereo.errors import SettingsError
from livestereo.parameters import MATCHER_NAMES, PARAMETERS
from livestereo.settings import Settings, preset_names, resolve_settings, sgm_installed
from livestereo.types import Action

# What stays when another preset is chosen while it runs: the rig's side of things, the display, the machine.
KEPT_BY_PRESETS = (
    "min_depth", "max_depth", "num_disparities", "min_disparity", "colormap", "range_near", "range_far", "range_auto",
    "threads", "workers", "max_skew_ms",
)  # fmt: skip
Resolve = Callable[[str, Mapping[str, Any]], Settings]
SETTING_ACTIONS = ("settings", "preset", "matcher", "reset")


def is_about_settings(action: Action) -> bool:
    """Whether the action asks for other settings."""
    return action.name in SETTING_ACTIONS or action.name.partition(":")[0] in ("set", "toggle")


def changed_settings(action: Action, now: Settings, start: Settings, resolve: Resolve | None) -> Settings:
    """Give the settings that an action leads to.

    `resolve` turns a preset's name, and the range, display and machine settings of `now`, which are kept, into
    settings; without it they come from the presets that are built in.

    Raises:
        SettingsError: the value breaks its rule, or the name is not known.
    """
    kind, _, name = action.name.partition(":")
    value = action.value
    if kind == "reset":
        return start
    if kind == "settings" and isinstance(value, Settings):
        return _scale_meant(value, now)
    if kind == "settings" and isinstance(value, Mapping):
        return _scale_meant(now.changed(**value), now)
    if kind == "preset":
        chosen = str(value) if value is not None else _after(now.preset, preset_names())
        kept: dict[str, Any] = {one: getattr(now, one) for one in KEPT_BY_PRESETS}
        if now.keep_up and now.scale != 1:  # what was left out to keep up belongs to the preset that was too slow
            kept["num_disparities"] = start.num_disparities
        return (resolve or resolve_settings)(chosen, kept)
    if kind == "matcher":
        usable = tuple(one for one in MATCHER_NAMES if one != "sgm" or sgm_installed())
        return now.changed(matcher=str(value) if value is not None else _after(now.matcher, usable))
    if kind in ("set", "toggle") and name in PARAMETERS:
        return _scale_meant(now.changed(**{name: not getattr(now, name) if kind == "toggle" else value}), now)
    raise SettingsError(f"There is no setting {name or action.name!r}.")


def whole_number(action: Action, otherwise: int | None = None) -> int:
    """Give the whole number that an action carries; `otherwise`: what it means without one.

    Raises:
        SettingsError: it is none.
    """
    value = otherwise if action.value is None else action.value
    if isinstance(value, bool) or not isinstance(value, int):
        raise SettingsError(f"{action.name} takes a whole number.")
    return value


def _scale_meant(new: Settings, now: Settings) -> Settings:
    # Who sets the scale by hand means it: no automatic choice takes it back.
    return new.changed(keep_up=False) if new.scale != now.scale and new.keep_up and now.keep_up else new


def _after(current: str, names: tuple[str, ...]) -> str:
    return names[(names.index(current) + 1) % len(names)] if current in names else names[0]
