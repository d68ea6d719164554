"""The values that flow through the program: each stage makes a new one and changes none.

Arrays are read-only by contract. Disparity: px, float32, NaN invalid. Depth: metres, float32,
NaN invalid, z of the rectified left camera. Pictures: BGR or gray uint8. Times: seconds,
monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from livestereo.lazy import lazy

if TYPE_CHECKING:
    from pathlib import Path

    from calibration.rectify import Rectification
    from calibration.rigfile import RigFile

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
SizeWH = tuple[int, int]


class Reason(IntEnum):
    """Why a pixel has no depth (`MatchResult.reason`, uint8); NONE where it has one."""

    NONE = 0
    UNKNOWN = 1
    OCCLUDED = 2
    OUT_OF_VIEW = 3
    NO_TEXTURE = 4
    REPEATED_TEXTURE = 5
    TOO_NEAR = 6
    TOO_FAR = 7
    SATURATED = 8
    OUTSIDE_ROI = 9


@dataclass(frozen=True)
class Frame:
    """One picture of one camera.

    image: (H,W,3) uint8 BGR. encoded: the camera's own bytes (one JPEG) or None; turned: how the picture in them
    was mirrored or turned to give `image` (as `--flip` names it).
    t_s: monotonic seconds, stamped right after grab and before decode (files: index / fps).
    seq: number of the frame since its camera was opened; gaps in it are frames that were lost.
    """

    image: U8
    t_s: float
    seq: int
    encoded: bytes | None = None
    turned: str = "none"


@dataclass(frozen=True)
class StereoFrame:
    """One pair. `seq` counts pairs from 0; `skew_s` = right − left after the known stamp bias.

    `name`: what to call the pair to a person: the left file's name, or the frame number.
    `gap`: cause of a gap since the pair before (a camera was lost, say), or None.
    """

    left: Frame
    right: Frame
    seq: int
    skew_s: float = 0.0
    name: str = ""
    gap: str | None = None

    @property
    def t_s(self) -> float:
        """Stamp of the pair: the left camera's."""
        return self.left.t_s


@dataclass(frozen=True)
class RectifiedPair:
    """A rectified pair: gray for matching at once, colour only when somebody asks.

    left_gray, right_gray: (H,W) uint8. left, right: (H,W,3) uint8 BGR, computed on first use.
    """

    frame: StereoFrame
    rectification: Rectification
    left_gray: U8
    right_gray: U8

    @property
    def seq(self) -> int:
        """Number of the pair."""
        return self.frame.seq

    @property
    def t_s(self) -> float:
        """Stamp of the pair, seconds."""
        return self.frame.t_s

    @lazy
    def left(self) -> U8:
        """Rectified left picture, (H,W,3) uint8 BGR."""
        return self.rectification.apply(self.frame.left.image, "left")

    @lazy
    def right(self) -> U8:
        """Rectified right picture, (H,W,3) uint8 BGR."""
        return self.rectification.apply(self.frame.right.image, "right")


@dataclass(frozen=True)
class MatchResult:
    """What a matcher or filter answers.

    disparity_px: (H,W) float32, NaN invalid, x_left − x_right in rectified pixels.
    confidence: (H,W) float32 in 0..1, or None. reason: (H,W) uint8 of `Reason`, or None.
    sigma_px: (H,W) float32, standard deviation of the disparity, NaN where invalid, or None.
    """

    disparity_px: F32
    confidence: F32 | None = None
    reason: U8 | None = None
    sigma_px: F32 | None = None

    @property
    def sigma_rig_px(self) -> F32 | None:
        """What the rig adds to σ: a matcher knows of none."""
        return None


@dataclass(frozen=True)
class PixelFacts:
    """What is known of one pixel besides its depth; None where nobody can tell.

    sigma_px, sigma_rig_px: standard deviations of disparity, of matching and of the rig. confidence: 0..1. reason: why
    there is no depth (`Reason.NONE` where there is).
    """

    sigma_px: float | None = None
    sigma_rig_px: float | None = None
    confidence: float | None = None
    reason: Reason | None = None


class Explanation(Protocol):
    """What is seldom looked at of a result, each computed when asked; `MatchResult` describes the arrays."""

    @property
    def confidence(self) -> F32 | None:
        """(H,W) float32 0..1, NaN invalid."""
        ...

    @property
    def sigma_px(self) -> F32 | None:
        """(H,W) float32 px, NaN invalid."""
        ...

    @property
    def sigma_rig_px(self) -> F32 | None:
        """(H,W) float32 px, NaN invalid; None where the rig's covariance is unknown."""
        ...

    @property
    def reason(self) -> U8 | None:
        """(H,W) uint8 of `Reason`."""
        ...


@dataclass(frozen=True)
class StereoResult:
    """A finished pair. Depth is the z of the rectified left camera, metres (relative if not metric).

    disparity_px, depth_m: (H,W) float32, NaN invalid. stage_s: seconds spent per stage, by name.
    `explain` gives what is seldom looked at (confidence, hole reasons, σ); it is computed when it is asked for.
    settings: the resolved settings that this depth was computed with.
    fresh: filters that remember had forgotten everything before this pair.
    """

    frame: StereoFrame
    pair: RectifiedPair
    match: MatchResult
    depth_m: F32
    stage_s: Mapping[str, float] = field(default_factory=dict)
    finished_s: float = 0.0
    explain: Callable[[StereoResult], Explanation] | None = None
    settings: Any = None
    fresh: bool = False

    @property
    def disparity_px(self) -> F32:
        """(H,W) float32 px, NaN invalid."""
        return self.match.disparity_px

    @lazy
    def analysis(self) -> Explanation:
        """Confidence, hole reasons and σ, each computed on first use."""
        return self.explain(self) if self.explain is not None else self.match

    @property
    def confidence(self) -> F32 | None:
        """(H,W) float32 0..1, NaN where there is no disparity: how likely disparity is right to 1 px. Or None."""
        return self.analysis.confidence

    @property
    def reason(self) -> U8 | None:
        """(H,W) uint8 of `Reason` or None."""
        return self.analysis.reason

    @property
    def sigma_px(self) -> F32 | None:
        """Standard deviation of matching, (H,W) float32 px of disparity, NaN where there is none. Or None."""
        return self.analysis.sigma_px

    @property
    def sigma_of(self) -> str:
        """What `depth_sigma_m` covers, in words: without a covariance in the rig file it is the matcher's part."""
        return "matching alone" if self.analysis.sigma_rig_px is None else "matching and rig"

    @lazy
    def depth_sigma_m(self) -> F32 | None:
        """Standard deviation of depth, (H,W) float32, units of depth, NaN where there is none: Z²·σ_d / (f·B). Or None.

        σ_d is that of matching and, where the rig file holds a covariance, of the rig; see `sigma_of`.
        """
        sigma, rig = self.analysis.sigma_px, self.analysis.sigma_rig_px
        if sigma is None:
            return None
        at = self.pair.rectification
        whole = sigma if rig is None else np.hypot(sigma, rig)
        return np.asarray(whole * self.depth_m * self.depth_m / np.float32(at.focal_px * at.baseline_m), np.float32)

    def facts(self, x: int, y: int) -> PixelFacts:
        """Tell what is known of a pixel of the rectified picture; looks only around it where that is enough."""
        look = getattr(self.analysis, "facts", None)
        if look is not None:
            found: PixelFacts = look(x, y)
            return found
        told = self.analysis
        return PixelFacts(
            sigma_px=_value(told.sigma_px, x, y), sigma_rig_px=_value(told.sigma_rig_px, x, y),
            confidence=_value(told.confidence, x, y),
            reason=None if told.reason is None else reason_of(int(told.reason[y, x])),
        )  # fmt: skip


def reason_of(code: int) -> Reason:
    """Give the reason of a code; unknown codes are unknown reasons."""
    return Reason(code) if code in set(Reason) else Reason.UNKNOWN


def _value(array: F32 | None, x: int, y: int) -> float | None:
    return None if array is None or not np.isfinite(array[y, x]) else float(array[y, x])


@dataclass(frozen=True)
class SourceInfo:
    """What a source says of itself before its first pair.

    live: cameras and URLs (newest wins) against files (every pair). sizes: (width, height) px or None
    when not yet known. fps: nominal or None. count: number of pairs or None. rig: carried by a take and
    the demo. left_id/right_id: stable camera ids or file names. truth: the demo scene, which knows the truth.
    files: pictures, videos and recordings that are read; no output may replace them. faults: those of the notes that
    tell of damage, which the summary of a run repeats.
    """

    name: str
    live: bool
    left_size_wh: SizeWH | None = None
    right_size_wh: SizeWH | None = None
    fps: float | None = None
    count: int | None = None
    rig: RigFile | None = None
    rectified: bool = False
    left_id: str = ""
    right_id: str = ""
    notes: tuple[str, ...] = ()
    capture: Mapping[str, Any] = field(default_factory=dict)
    truth: Any = None
    files: tuple[Path, ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class CaptureStats:
    """Counts since opening. offered = 2 × paired + sum of `dropped` by cause + what waits in the rings.

    fps_*: measured now. state_*: ok, stalled, frozen, slow, wrong size, missing, ended; missing_s: for how long.
    """

    offered: int = 0
    paired: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    fps_left: float = 0.0
    fps_right: float = 0.0
    state_left: str = "ok"
    state_right: str = "ok"
    missing_s: float = 0.0
    reconnects: int = 0
    waiting: int = 0
    row_skew_s: float = 0.0


@dataclass(frozen=True)
class Finding:
    """Something an observer found out. `check` is one of the names in the command-line contract."""

    check: str
    what: str
    fix: str = ""
    severity: float = 0.0
    ok: bool = False


@dataclass(frozen=True)
class Action:
    """What a person asked for through a window, a page or a key: a name and a value."""

    name: str
    value: Any = None
