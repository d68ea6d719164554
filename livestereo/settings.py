"""All settings of a run in one frozen value: flag > file > preset > default.

    settings = resolve_settings("fast", {"num_disparities": 128})
    tuned = settings.changed(uniqueness=8)

Ranges and rules are data (`livestereo.parameters`); a value that breaks one is told by name and never mended.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from livestereo.compiled import numba_installed, numba_trouble, numba_usable
from livestereo.errors import MissingExtra, SettingsError
from livestereo.parameters import PARAMETERS
from livestereo.settings_file import read_settings_file

INSTALL_SGM = "Install it: pip install 'livestereo[fast]'"
MEND_SGM = "Mend it: pip install --upgrade 'livestereo[fast]'"
DEFAULT_FILE = Path("livestereo.toml")


class Settings(BaseModel):
    """Every setting of a run; see `PARAMETERS` for ranges and meaning. None: chosen by the program.

    Lengths in px are those of the full-size picture, depths metres. `notes` is what the user should be told about
    how these settings came about (a fallback, say).

    Raises:
        SettingsError: from `Settings.make`, `changed` and `resolve_settings`, naming the field and the rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: str = "balanced"
    matcher: Literal["sgbm", "bm", "sgm"] = "sgbm"
    mode: Literal["sgbm", "3way", "hh", "hh4"] = "3way"
    scale: float = 1.0
    keep_up: bool = False
    min_depth: float | None = None
    max_depth: float | None = None
    num_disparities: int | None = None
    min_disparity: int | None = None
    block_size: int | None = None
    p1: int | None = None
    p2: int | None = None
    uniqueness: int | None = None
    left_right: int = 1
    pre_filter_cap: int | None = None
    texture_threshold: int = 10
    sgm_p1: int = 6
    sgm_p2: int = 24
    sgm_rows: bool = True
    even_exposure: bool = True
    smooth: Literal["auto", "on", "off"] | None = None
    median: int = 5
    speckle_size: int = 200
    speckle_range: float = 1.0
    wls: bool = False
    wls_lambda: float = 500.0
    wls_sigma: float = 0.8
    temporal: bool = False
    temporal_strength: float = 0.6
    temporal_hold: int = 4
    temporal_confirm: int = 2
    holes: bool = False
    holes_size: int = 64
    colormap: str = "viridis"
    range_near: float | None = None
    range_far: float | None = None
    range_auto: bool = False
    threads: int | None = None
    workers: int | None = None
    max_skew_ms: float | None = None
    notes: tuple[str, ...] = Field(default=(), exclude=True)

    @field_validator(*PARAMETERS, mode="before")
    @classmethod
    def _follow_the_rule(cls, value: Any, info: Any) -> Any:
        return PARAMETERS[info.field_name].check(value)

    @classmethod
    def make(cls, values: Mapping[str, Any], *, origin: str = "") -> Settings:
        """Build from plain values; fields that belong together are checked together.

        `origin` says where the values are from (a file, a preset) and begins the message.

        Raises:
            SettingsError: unknown names or broken rules, all of them named.
        """
        broken = [f"{name} is not a setting" for name in values if name not in PARAMETERS and name != "notes"]
        for name, value in values.items():
            if name in PARAMETERS:
                try:
                    PARAMETERS[name].check(value)
                except ValueError as error:
                    broken.append(f"{name} {error}, got {value!r}")
        if not broken:
            made = cls(**values)
            broken = made._contradictions()
            if not broken:
                return made
        raise SettingsError(
            f"{origin + ': ' if origin else ''}{'; '.join(broken)}.",
            "Known settings: " + ", ".join(PARAMETERS) + "." if any("is not a setting" in b for b in broken) else "",
        )

    def _contradictions(self) -> list[str]:
        broken = []
        if self.min_depth is not None and self.max_depth is not None and self.min_depth >= self.max_depth:
            broken.append(f"min_depth ({self.min_depth:g}) must be below max_depth ({self.max_depth:g})")
        if self.p1 is not None and self.p2 is not None and self.p1 >= self.p2:
            broken.append(f"p1 ({self.p1}) must be below p2 ({self.p2})")
        if self.sgm_p1 > self.sgm_p2:
            broken.append(f"sgm_p1 ({self.sgm_p1}) must not be above sgm_p2 ({self.sgm_p2})")
        if self.matcher == "bm" and self.block_size is not None and self.block_size < 5:
            broken.append(f"block_size must be at least 5 with matcher bm, got {self.block_size}")
        if self.range_near is not None and self.range_far is not None and self.range_near >= self.range_far:
            broken.append(f"range_near ({self.range_near:g}) must be below range_far ({self.range_far:g})")
        return broken

    def changed(self, **values: Any) -> Settings:
        """Give a copy with some values changed.

        Raises:
            SettingsError: a name or a value is not valid.
        """
        return Settings.make({**self.model_dump(), "notes": self.notes, **values})

    def computes_otherwise(self, other: Settings) -> bool:
        """Whether these settings give another depth, or another speed, than `other`: more than the display differs."""
        shown = {name for name, parameter in PARAMETERS.items() if parameter.group == "display"}
        return self.model_dump(exclude=shown) != other.model_dump(exclude=shown)

    def value_of(self, name: str) -> Any:
        """Give one value by its parameter's name."""
        return getattr(self, name)


# What each preset changes of the defaults.
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "balanced": MappingProxyType({"keep_up": True}),
        "quality": MappingProxyType({"mode": "hh4", "smooth": "auto"}),
        "fast": MappingProxyType({"matcher": "sgm", "speckle_size": 100}),
        "turbo": MappingProxyType({"matcher": "sgm", "scale": 0.5, "speckle_size": 100}),
    }
)
OWN_BASE = "balanced"  # what a preset of one's own builds on where it names no base
# Without `sgm`, the presets that are made of it.
FALLBACK: Mapping[str, Any] = MappingProxyType({"scale": 0.5})


def sgm_installed() -> bool:
    """Tell whether the library that compiles `sgm` is there, without importing it."""
    return numba_installed()


def as_preset(settings: Settings) -> dict[str, Any]:
    """Give what a preset must hold so that it leads to `settings`: `base`, and what differs from it.

    `threads` and `workers` are this computer's and are left out.
    """
    start = Settings.make(PRESETS[OWN_BASE])
    values = settings.model_dump(exclude={"preset", "threads", "workers"})
    return {"base": OWN_BASE, **{name: value for name, value in values.items() if value != getattr(start, name)}}


def default_file_used(preset: str) -> bool:
    """Tell whether `./livestereo.toml` is there and has a part in settings that start from `preset`.

    Raises:
        SettingsError: it cannot be read.
    """
    file = read_settings_file(_file(None))
    return bool(file.settings) or preset in file.presets


def preset_names(config_file: Path | None = None) -> tuple[str, ...]:
    """Give the names of all presets, our own and those of the settings file."""
    own = read_settings_file(_file(config_file)).presets
    return tuple(dict.fromkeys((*PRESETS, *own)))


def resolve_settings(
    preset: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    config_file: Path | None = None,
    *,
    sgm: bool | None = None,
) -> Settings:
    """Put settings together: `overrides` (None values are not given) > file > preset > default.

    The file is `config_file`, or `./livestereo.toml` where it is there. It may hold settings at its top level and
    presets of its own: `[presets.mine]` with `base = "quality"` and what differs. What its top level takes from a
    `preset` that is named here is told in `notes`. `sgm` says whether that matcher can be used; looked up if not given.

    Raises:
        SettingsError: an unknown preset, file, name, or a value that breaks its rule.
        MissingExtra: `sgm` was asked for by name and is not installed.
    """
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    file = read_settings_file(_file(config_file))
    name = preset or given.get("preset") or file.settings.get("preset") or OWN_BASE
    if not isinstance(name, str):
        raise SettingsError(f"preset must be a name, got {name!r}.")
    chosen = _preset_values(name, file.presets, str(file.path or ""))
    notes: tuple[str, ...] = ()
    asked = {**file.settings, **given}
    wanted = {**chosen, **asked}.get("matcher") == "sgm"
    usable = not wanted or (numba_usable() if sgm is None else sgm)  # it is imported only if it is needed
    if not usable and asked.get("matcher") == "sgm":
        raise no_sgm()
    if not usable:
        chosen = {**{k: v for k, v in chosen.items() if k != "matcher" and not k.startswith("sgm_")}, **FALLBACK}
        notes = (f"The preset {name} uses StereoSGBM 3WAY at half size. {no_sgm()}",)
    lost = [one for one, value in chosen.items() if one not in given and file.settings.get(one, value) != value]
    if preset is not None and lost:
        notes += (f"{file.path} sets {', '.join(lost)} at its top level: that wins over the preset {name}.",)
    if "scale" in asked and "keep_up" not in asked:
        chosen["keep_up"] = False  # who names the scale means it
    if file.settings:  # told apart, so that a wrong value is blamed on the file
        Settings.make(file.settings, origin=str(file.path))
    return Settings.make({**chosen, **asked, "preset": name, "notes": notes})


def no_sgm() -> MissingExtra:
    """Give the error for `sgm` asked for by name where it cannot be used."""
    trouble = numba_trouble()
    if trouble is None or not numba_installed():
        return MissingExtra("The matcher sgm is not installed.", f"{INSTALL_SGM}.")
    return MissingExtra(f"The matcher sgm cannot be used: {trouble}.", f"{MEND_SGM}.")


def _file(config_file: Path | None) -> Path | None:
    if config_file is not None:
        return config_file
    return DEFAULT_FILE if DEFAULT_FILE.is_file() else None


def _preset_values(
    name: str, own: Mapping[str, Mapping[str, Any]], path: str, seen: tuple[str, ...] = ()
) -> dict[str, Any]:
    if name in seen:
        raise SettingsError(f"{path}: the presets {' -> '.join((*seen, name))} build on one another in a circle.")
    if name in own:
        values = dict(own[name])
        if "preset" in values:
            raise SettingsError(f"{path}, preset {name}: preset cannot stand in a preset.", 'Write base = "…" instead.')
        base = values.pop("base", OWN_BASE)
        start = _preset_values(base, own, path, (*seen, name)) if base != name else dict(PRESETS.get(name, {}))
        Settings.make(values, origin=f"{path}, preset {name}")
        return {**start, **values}
    if name in PRESETS:
        return dict(PRESETS[name])
    raise SettingsError(f"Unknown preset: {name!r}.", f"Known: {', '.join(dict.fromkeys((*PRESETS, *own)))}.")
