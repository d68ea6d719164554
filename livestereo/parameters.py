"""Every setting as data: its range, its rule and what it is for, so that files, options and panels share one truth.

PARAMETERS["speckle_size"].check(200)      -> 200
PARAMETERS["speckle_size"].check(-1)       raises ValueError("must be 0 to 10000")
for_matcher("sgm")                         -> what a tuning panel shows while `sgm` runs
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

Kind = Literal["int", "float", "bool", "choice", "text"]
Group = Literal["matching", "filters", "display", "running"]

MATCHER_NAMES = ("sgbm", "bm", "sgm")
SGBM_MODES = ("sgbm", "3way", "hh", "hh4")
COLORMAPS = ("viridis", "cividis", "turbo", "inferno", "magma", "plasma", "gray")


@dataclass(frozen=True)
class Parameter:
    """One setting: what it may be, and how a panel shows it.

    kind: int, float, bool, choice or text. minimum, maximum: inclusive. step: allowed steps from `minimum` for an
    int (16: multiples of 16), a slider's step for a float. choices: for a choice. optional: may be None,
    "chosen by the program". matchers: those it applies to; empty for all. live: can be changed while it runs.
    """

    name: str
    label: str
    kind: Kind
    help: str
    group: Group
    minimum: float | None = None
    maximum: float | None = None
    step: float = 1
    choices: tuple[str | int | float, ...] = ()
    optional: bool = False
    unit: str = ""
    matchers: tuple[str, ...] = ()
    live: bool = True

    @property
    def rule(self) -> str:
        """The rule in words, to follow "must be"."""
        if self.kind == "bool":
            text = "true or false"
        elif self.kind == "choice":
            text = "one of " + ", ".join(f"{choice}" for choice in self.choices)
        elif self.kind == "text":
            text = "a name"
        else:
            unit = f" {self.unit}" if self.unit else ""
            text = f"{self.minimum:g} to {self.maximum:g}{unit}"
            if self.kind == "int" and self.step == 2 and (self.minimum or 0) % 2 == 1:
                text = f"an odd number, {text}"
            elif self.kind == "int" and self.step > 1:
                text = f"a multiple of {self.step:g}, {text}"
            elif self.kind == "int":
                text = f"a whole number, {text}"
        return text

    def check(self, value: Any) -> Any:
        """Give `value` in its own type.

        Raises:
            ValueError: the rule is broken; the text is the rule.
        """
        if value is None:
            if self.optional:
                return None
            raise ValueError(f"must be {self.rule}")
        fits = {
            "bool": isinstance(value, bool),
            "choice": not isinstance(value, bool) and value in self.choices,
            "text": isinstance(value, str) and bool(value.strip()),
            "int": isinstance(value, int) and not isinstance(value, bool),
            "float": isinstance(value, (int, float)) and not isinstance(value, bool) and -math.inf < value < math.inf,
        }[self.kind]
        if fits and self.kind in ("int", "float"):
            low, high = self.minimum or 0, self.maximum if self.maximum is not None else math.inf
            fits = low <= value <= high and (self.kind == "float" or self.step <= 1 or (value - low) % self.step == 0)
        if not fits:
            raise ValueError(f"must be {self.rule}")
        if self.kind == "choice":
            return next(choice for choice in self.choices if choice == value)
        return float(value) if self.kind == "float" else value


_SGBM, _BM, _SGM = ("sgbm",), ("bm",), ("sgm",)

_ALL = (
    Parameter("preset", "Preset", "text", "Where the other values start from.", "matching"),
    Parameter("matcher", "Matcher", "choice", "How disparity is found.", "matching", choices=MATCHER_NAMES),
    Parameter(
        "mode", "Mode", "choice", "Of StereoSGBM: five paths, three, or eight (hh, and hh4 with four).", "matching",
        choices=SGBM_MODES, matchers=_SGBM,
    ),
    Parameter("scale", "Scale", "choice", "Match at full or at half size.", "matching", choices=(1.0, 0.5)),
    Parameter(
        "keep_up", "Keep up", "bool", "Live, go to half size where this computer is slower than the cameras.",
        "matching", live=False,
    ),
    Parameter(
        "min_depth", "Nearest", "float", "Nearest depth of interest; sets the disparity range.", "matching",
        minimum=0.01, maximum=1000, step=0.05, optional=True, unit="m",
    ),
    Parameter(
        "max_depth", "Farthest", "float", "Farthest depth of interest; sets the smallest disparity.", "matching",
        minimum=0.02, maximum=100000, step=0.5, optional=True, unit="m",
    ),
    Parameter(
        "num_disparities", "Disparities", "int", "Disparity range, pixels of the full-size picture.", "matching",
        minimum=16, maximum=4064, step=16, optional=True, unit="px",
    ),
    Parameter(
        "min_disparity", "Smallest disparity", "int", "Pixels of the full-size picture; may be negative.", "matching",
        minimum=-4064, maximum=4064, optional=True, unit="px",
    ),
    Parameter(
        "block_size", "Block size", "int", "Width of the block that is compared; the matcher's own if not given.",
        "matching", minimum=1, maximum=51, step=2, optional=True, unit="px", matchers=("sgbm", "bm"),
    ),
    Parameter(
        "p1", "P1", "int", "Penalty for a step of one; from the block size if not given.", "matching",
        minimum=1, maximum=20000, optional=True, matchers=_SGBM,
    ),
    Parameter(
        "p2", "P2", "int", "Penalty for a jump, above P1; from the block size if not given.", "matching",
        minimum=2, maximum=20000, optional=True, matchers=_SGBM,
    ),
    Parameter(
        "uniqueness", "Uniqueness", "int", "By how much the best answer must beat the others.", "matching",
        minimum=0, maximum=60, optional=True, unit="%",
    ),
    Parameter(
        "left_right", "Left-right check", "int", "Largest difference between left and right; 0 is no check.",
        "matching", minimum=0, maximum=64, unit="px",
    ),
    Parameter(
        "pre_filter_cap", "Pre-filter cap", "int", "Limit of the pre-filtered pixel.", "matching",
        minimum=1, maximum=63, optional=True, matchers=("sgbm", "bm"),
    ),
    Parameter(
        "texture_threshold", "Texture", "int", "Give no answer where there is less texture.", "matching",
        minimum=0, maximum=10000, matchers=_BM,
    ),
    Parameter(
        "sgm_p1", "P1", "int", "Penalty for a step of one, in census bits.", "matching",
        minimum=1, maximum=100, matchers=_SGM,
    ),
    Parameter(
        "sgm_p2", "P2", "int", "Penalty for a jump, at least P1, in census bits.", "matching",
        minimum=1, maximum=100, matchers=_SGM,
    ),
    Parameter(
        "sgm_rows", "Level rows", "bool", "Measure a small vertical error and take it away.", "matching",
        matchers=_SGM,
    ),
    Parameter(
        "smooth", "Smooth noise", "choice", "Smooth the pictures first: auto (when they are noisy), on, off.",
        "matching", choices=("auto", "on", "off"), optional=True, matchers=("sgbm", "sgm"),
    ),
    Parameter(
        "even_exposure", "Even exposure", "bool", "Even out a different exposure of the two pictures.", "matching",
    ),
    Parameter(
        "median", "Median", "choice", "Width of the median filter; 0 is off.", "filters", choices=(0, 3, 5), unit="px",
    ),
    Parameter(
        "speckle_size", "Speckle size", "int", "Remove patches of fewer pixels (of the matched size); 0 is off.",
        "filters", minimum=0, maximum=10000, step=1, unit="px",
    ),
    Parameter(
        "speckle_range", "Speckle range", "float", "Neighbours within this belong to one patch.", "filters",
        minimum=0.0625, maximum=32, step=0.25, unit="px",
    ),
    Parameter("wls", "WLS", "bool", "Fill and smooth along the picture's edges.", "filters"),
    Parameter(
        "wls_lambda", "WLS lambda", "float", "How smooth.", "filters", minimum=10, maximum=100000, step=500,
    ),
    Parameter(
        "wls_sigma", "WLS sigma", "float", "How strongly edges hold.", "filters", minimum=0.1, maximum=10, step=0.1,
    ),
    Parameter("temporal", "Temporal", "bool", "Smooth over time where nothing moves.", "filters"),
    Parameter(
        "temporal_strength", "Temporal strength", "float", "Share of the past in a still pixel.", "filters",
        minimum=0, maximum=0.95, step=0.05,
    ),
    Parameter(
        "temporal_hold", "Temporal hold", "int", "Keep a lost pixel for so many pairs while it is still.", "filters",
        minimum=0, maximum=60, unit="pairs",
    ),
    Parameter(
        "temporal_confirm", "Temporal confirm", "int", "Show a still pixel once so many pairs agree.", "filters",
        minimum=1, maximum=20, unit="pairs",
    ),
    Parameter("holes", "Fill holes", "bool", "Occlusions from the far side, small holes from their edges.", "filters"),
    Parameter(
        "holes_size", "Hole size", "int", "Fill holes up to so many pixels wide.", "filters",
        minimum=1, maximum=2000, unit="px",
    ),
    Parameter("colormap", "Colours", "choice", "Colour map of depth.", "display", choices=COLORMAPS),
    Parameter(
        "range_near", "Range from", "float", "Near end of the colour range; fixed.", "display",
        minimum=0.01, maximum=10000, step=0.05, optional=True, unit="m",
    ),
    Parameter(
        "range_far", "Range to", "float", "Far end of the colour range; fixed.", "display",
        minimum=0.02, maximum=100000, step=0.1, optional=True, unit="m",
    ),
    Parameter("range_auto", "Automatic range", "bool", "Let the colour range follow the scene.", "display"),
    Parameter(
        "threads", "Threads", "int", "Threads of each matcher; from the cores if not given.", "running",
        minimum=1, maximum=256, optional=True, live=False,
    ),
    Parameter(
        "workers", "Workers", "int", "Pairs matched at the same time; from the cores if not given.", "running",
        minimum=1, maximum=64, optional=True, live=False,
    ),
    Parameter(
        "max_skew_ms", "Largest skew", "float", "Drop pairs whose exposures are further apart.", "running",
        minimum=0.1, maximum=1000, step=1, optional=True, unit="ms", live=False,
    ),
)  # fmt: skip

PARAMETERS: Mapping[str, Parameter] = MappingProxyType({parameter.name: parameter for parameter in _ALL})


def for_matcher(matcher: str, groups: tuple[Group, ...] = ("matching", "filters")) -> tuple[Parameter, ...]:
    """Give what can be changed live while `matcher` runs, in the order to show."""
    return tuple(
        parameter
        for parameter in _ALL
        if parameter.group in groups and parameter.live and (not parameter.matchers or matcher in parameter.matchers)
        and parameter.name != "preset"
    )  # fmt: skip
