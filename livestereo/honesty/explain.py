"""Explains a finished result when somebody looks: σ and confidence of its answers, reasons of its holes.

explain = Explainer(settings, rectification, rig_file)
told = explain(result)
told.sigma_px, told.confidence, told.reason      # each computed when it is asked for
told.facts(320, 240)                             # one pixel: only the rows around it are looked at
"""

from __future__ import annotations

import dataclasses
import math
from copy import copy

import cv2
import numpy as np

from calibration.rectify import Rectification
from calibration.rigfile import RigFile
from livestereo.honesty.holes import of_holes, of_surroundings, saturated
from livestereo.honesty.network import Network
from livestereo.honesty.rig import RigPart, rig_part
from livestereo.honesty.search import Range
from livestereo.honesty.signs import Scene, look, of_answers
from livestereo.honesty.surroundings import leanings
from livestereo.honesty.survey import Survey, survey
from livestereo.lazy import lazy
from livestereo.matchers.exposure import evened, evened_colours
from livestereo.settings import Settings
from livestereo.types import F32, U8, MatchResult, PixelFacts, Reason, StereoResult, reason_of

# Rows on either side of a pixel that can be seen in what is told of it, windows upon windows; parts of a picture start
# at whole pixels of where the network of surroundings looks widest.
REACH_ROWS, PART_ROWS = 144, 32
# Reasons come in patches that end at the picture's edges: each pixel's is that of its surroundings (guided filter).
AROUND_PX, EDGE_LEVELS = 11, 10.0
# In the order of the network's outputs.
REASONS = (
    Reason.UNKNOWN, Reason.OCCLUDED, Reason.OUT_OF_VIEW, Reason.NO_TEXTURE, Reason.REPEATED_TEXTURE, Reason.TOO_NEAR,
    Reason.TOO_FAR,
)  # fmt: skip
SURFACE = (Reason.UNKNOWN, Reason.NO_TEXTURE, Reason.REPEATED_TEXTURE)
LOG_SIGMA = (-3.5, 3.7)  # 0.03 to 40 px
# Chosen on heaps held out, so that the median σ stays below half a pixel. No σ is much smaller than the first one, for
# now and then a wrong answer shows no sign of it; below the second one σ is sharpened by a power.
FINEST_PX = 0.42
ROUGH_PX, SHARPER = 1.0, 0.5
# What a likely error above 10 px adds to σ; chosen on scenes held out, with the scores of the demo seen.
WILD_PX = 25.0
# What a filter fills in without a match is as sure as what is filled in afterwards; on blank walls it is off by 11 px.
GUESS, GUESS_PX = np.float32(0.42), np.float32(6)
# How much the network of surroundings counts beside the other; chosen on rooms and heaps held out.
WIDE = np.float32(0.6)


class Explainer:
    """Explains results of one pipeline.

    settings: resolved (with the disparity range that was searched). rig_file: for the rig's part of σ.
    """

    def __init__(self, settings: Settings, rectification: Rectification, rig_file: RigFile | None = None) -> None:
        low = settings.min_disparity or 0
        count = settings.num_disparities or 16
        self.span = Range(low, low + count - 1, min(float(low), -rectification.doffs_px))
        self.sgm = settings.matcher == "sgm"
        self.half = settings.scale < 1
        self._rectification = rectification
        self._rig_file = rig_file

    @lazy
    def rig_part(self) -> RigPart | None:
        """What the rig's covariance adds; computed on first use."""
        return rig_part(self._rig_file, self._rectification)

    def __call__(self, result: StereoResult) -> Told:
        """Explain a result; nothing is computed yet. One that was made `smaller` is explained in its own pixels."""
        step = round(self._rectification.size_wh[0] / result.pair.left_gray.shape[1])
        return Told(self if step <= 1 else self._in_fewer_pixels(step), result)

    def _in_fewer_pixels(self, step: int) -> Explainer:
        other = copy(self)
        span = self.span
        other.span = Range(math.floor(span.low / step), math.ceil(span.high / step), span.least / step)
        other.half = False
        other._rig_file = None  # the rig's part is that of the rig's own pixels
        other.__dict__.pop("rig_part", None)
        return other


class Told:
    """The explanation of one result; see `Explanation`."""

    def __init__(self, explainer: Explainer, result: StereoResult) -> None:
        self._by = explainer
        self._result = result

    @lazy
    def _pictures(self) -> tuple[U8, U8]:
        return evened(self._result.pair.left_gray, self._result.pair.right_gray)

    @lazy
    def _colours(self) -> tuple[U8, U8]:
        """The pictures in colour, (H,W,3) uint8 each; gray where one camera is."""
        left, right = self._result.pair.left, self._result.pair.right
        return self._pictures if left.ndim == 2 or right.ndim == 2 else evened_colours(left, right)

    @lazy
    def _scene(self) -> Scene:
        return look(*self._pictures, self._result.disparity_px, self._by.span, self._colours)

    @lazy
    def _survey(self) -> Survey:
        return survey(*self._colours, self._by.span)

    @lazy
    def _signs(self) -> dict[str, F32]:
        return of_holes(self._scene, self._survey)

    @lazy
    def _leanings(self) -> F32:
        by = self._by
        return leanings(of_surroundings(self._signs, self._scene, self._survey, sgm=by.sgm, half=by.half))

    @lazy
    def _answers(self) -> tuple[F32, F32]:
        told = answers(self._scene, self._leanings, sgm=self._by.sgm, half=self._by.half)
        return told if self._result.match.confidence is None else guessed(*told, self._result.match.confidence)

    @property
    def sigma_px(self) -> F32:
        """Standard deviation of matching, (H,W) float32 px, NaN where there is no disparity."""
        return self._answers[0]

    @property
    def confidence(self) -> F32:
        """How likely the error is at most 1 px, (H,W) float32 0..1, NaN where there is no disparity."""
        return self._answers[1]

    @lazy
    def sigma_rig_px(self) -> F32 | None:
        """The rig's part as px of disparity, (H,W) float32, NaN where there is no depth; None without a covariance."""
        part = self._by.rig_part
        return None if part is None else part.sigma_px(self._result.disparity_px)

    @lazy
    def reason(self) -> U8:
        """Why there is no depth, (H,W) uint8 of `Reason`."""
        by = self._by
        why = reasons(self._scene, self._signs, self._leanings, sgm=by.sgm, half=by.half)
        beyond = np.isfinite(self._result.disparity_px) & ~np.isfinite(self._result.depth_m)
        why[beyond] = Reason.TOO_FAR  # a disparity of infinity, or behind it, is no depth
        return outside_roi(why, self._result)

    def facts(self, x: int, y: int) -> PixelFacts:
        """Tell what is known of one pixel; from the whole pictures where they are there already."""
        known = bool(np.isfinite(self._result.disparity_px[y, x]))
        if known and not np.isfinite(self._result.depth_m[y, x]):
            return PixelFacts(reason=Reason.TOO_FAR)
        whole = "_answers" in self.__dict__ if known else "reason" in self.__dict__
        told, row = (self, y) if whole else self._part(y)
        if not whole:  # the match over everything looks far: it is that of the whole picture
            told.__dict__["_survey"] = self._survey.rows((y - row) // 2, told._scene.half_left.shape[0])
        if not known:
            return PixelFacts(reason=reason_of(int(told.reason[row, x])))
        part = self._by.rig_part
        of_rig = None
        if part is not None:
            here = self._result.disparity_px[y : y + 1]
            of_rig = float(part.sigma_px(here, slice(y, y + 1))[0, x])
        return PixelFacts(float(told.sigma_px[row, x]), of_rig, float(told.confidence[row, x]), Reason.NONE)

    def _part(self, y: int) -> tuple[Told, int]:
        """Explain only the rows around a row."""
        result = self._result
        top = max(0, y - REACH_ROWS) // PART_ROWS * PART_ROWS
        bottom = min(result.disparity_px.shape[0], top + -(-(y + REACH_ROWS + 1 - top) // PART_ROWS) * PART_ROWS)
        rows = slice(top, bottom)
        left, right = self._pictures
        at = result.pair.rectification
        x, from_row, w, h = at.roi
        shown = dataclasses.replace(at, roi=(x, from_row - top, w, h), maps={})
        pair = dataclasses.replace(result.pair, left_gray=left[rows], right_gray=right[rows], rectification=shown)
        own = result.match.confidence
        match = MatchResult(result.disparity_px[rows], confidence=None if own is None else own[rows])
        part = Told(self._by, dataclasses.replace(result, pair=pair, match=match, depth_m=result.depth_m[rows]))
        part.__dict__["_pictures"] = (left[rows], right[rows])
        part.__dict__["_colours"] = tuple(one[rows] for one in self._colours)
        return part, y - top


def answers(scene: Scene, leaning: F32, *, sgm: bool, half: bool) -> tuple[F32, F32]:
    """Give σ (px) and confidence of a scene's answers, (H,W) float32, NaN for holes.

    The network tells log σ, such that σ² is the mean square error of what looks alike, and the logit of the confidence.
    leaning: from `surroundings`, which see answers that are wildly wrong and fit all the same.
    """
    use = np.flatnonzero(scene.known)
    out = Network.load("answers")(of_answers(scene), use, sgm=sgm, half=half)
    sigma, confidence = combined(out)
    sigma = doubted(sigma, grown_to(leaning[-1], scene.known.shape).ravel()[use])
    pictures = []
    for values in (sigma, confidence):
        picture = np.full(scene.known.size, np.nan, np.float32)
        picture[use] = values
        pictures.append(picture.reshape(scene.known.shape))
    return pictures[0], pictures[1]


def guessed(sigma_px: F32, confidence: F32, support: F32) -> tuple[F32, F32]:
    """Take back what is told of pixels that no match supports, (H,W) each: a filter filled them from their neighbours.

    What was filled looks smooth, and the networks have learnt to believe what is smooth. support: that of the filter,
    0 where it had no match to go by.
    """
    filled = support <= 0
    sigma = np.where(filled, np.hypot(sigma_px, GUESS_PX), sigma_px)
    return np.asarray(sigma, np.float32), np.where(filled, np.minimum(confidence, GUESS), confidence)


def grown_to(picture: F32, shape: tuple[int, int]) -> F32:
    """Repeat the last row and column of a picture of even size where the whole one is odd."""
    return np.pad(picture, ((0, shape[0] - picture.shape[0]), (0, shape[1] - picture.shape[1])), mode="edge")


def combined(out: F32) -> tuple[F32, F32]:
    """Turn the network's outputs (N,2) into σ and confidence, (N,) each."""
    sigma = np.exp(np.clip(out[:, 0], *LOG_SIGMA))
    # The likelihood spreads rare wild errors over all that looks a little like them: small σ are taken a little
    # smaller, and what is then too small for them is taken from below.
    sigma = sigma * np.minimum(sigma / ROUGH_PX, 1) ** SHARPER
    sigma = np.sqrt(np.sqrt(sigma**4 + FINEST_PX**4))
    return sigma.astype(np.float32), (1 / (1 + np.exp(np.clip(-out[:, 1], -20, 20)))).astype(np.float32)


def doubted(sigma: F32, leaning: F32) -> F32:
    """Enlarge σ (N,) px by how likely an error above 10 px is; leaning: (N,), the logit of it."""
    return np.asarray(np.hypot(sigma, np.float32(WILD_PX) / (1 + np.exp(-leaning))), np.float32)


def reasons(scene: Scene, signs: dict[str, F32], leaning: F32, *, sgm: bool, half: bool) -> U8:
    """Give why a scene's holes are holes, (H,W) uint8 of `Reason`; `NONE` where there is an answer.

    signs: from `holes`. leaning: from `surroundings`. Two networks are asked: one sees each pixel's own signs, the
    other those around.
    """
    why = np.zeros(scene.known.shape, np.uint8)
    holes = np.flatnonzero(~scene.known)
    if not len(holes):
        return why
    likely = softmax(Network.load("holes")(signs, holes, sgm=sgm, half=half), 1)
    # He, Sun & Tang, Guided image filtering, PAMI 2013.
    guided = cv2.ximgproc.createGuidedFilter(scene.left, AROUND_PX, EDGE_LEVELS**2)
    voted = np.empty((len(REASONS), len(holes)), np.float32)
    for row, one in enumerate(likely.T):
        picture = np.zeros(scene.known.shape, np.float32)
        picture.ravel()[holes] = one
        voted[row] = guided.filter(picture).ravel()[holes]
    np.maximum(voted, 0, out=voted)
    wide = [grown_to(one, scene.known.shape).ravel()[holes] for one in leaning[: len(REASONS)]]
    voted = both_told(voted, softmax(np.stack(wide), 0))
    if scene.span.low <= scene.span.least:  # nothing is farther than that
        voted[REASONS.index(Reason.TOO_FAR)] = 0
    codes = np.array([int(one) for one in REASONS], np.uint8)
    told = codes[voted.argmax(axis=0)]
    clipped = saturated(scene).ravel()[holes] & np.isin(told, [int(one) for one in SURFACE])
    told[clipped] = Reason.SATURATED
    why.ravel()[holes] = told
    return why


def softmax(logits: F32, axis: int) -> F32:
    """Give how likely each is."""
    likely = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return np.asarray(likely / likely.sum(axis=axis, keepdims=True), np.float32)


def both_told(own: F32, wide: F32) -> F32:
    """Put together how likely each of `REASONS` is, (R,N): what each pixel's own signs tell and what surroundings tell.

    Surroundings know a little better where it lies and whether something hides it; what kind of surface it is, its own
    signs tell alone.
    """
    own = own / np.maximum(own.sum(axis=0), np.float32(1e-6))
    both = np.asarray((1 - WIDE) * own + WIDE * wide, np.float32)
    surface = [REASONS.index(one) for one in SURFACE]
    shares = own[surface] / np.maximum(own[surface].sum(axis=0), np.float32(1e-6))
    both[surface] = both[surface].sum(axis=0) * shares
    return both


def outside_roi(why: U8, result: StereoResult) -> U8:
    """Mark holes outside the region that both cameras see."""
    x, y, w, h = result.pair.rectification.roi
    if w <= 0 or h <= 0:
        return why
    inside = np.zeros(why.shape, bool)
    inside[max(0, y) : max(0, y + h), max(0, x) : x + w] = True
    why[(why != Reason.NONE) & ~inside] = Reason.OUTSIDE_ROI
    return why
