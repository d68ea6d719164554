"""Opens pictures and finds the calibration that belongs to them, by one set of rules for every command.

The rig: `--rig`; else the one that a take or the demo carries; else `./rig.json` (told). With none,
`--rectified` pictures are taken as they are; photos and files are measured: up to 1 px of vertical error
counts as rectified, above it they are rectified from matches, depth is relative, and it is told.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2

from calibration.errors import CalibrationError
from calibration.rectify import Rectification, identity_rectification, make_rectification, scale_rig
from calibration.rigfile import RigFile, load_rig
from calibration.uncalibrated import rectify_pair
from livestereo.cli._camera_state import restored
from livestereo.cli._options import PhaseOptions, RigOptions, SourceOptions
from livestereo.cli._output import Output
from livestereo.errors import RigError, SettingsError
from livestereo.imageio import reading
from livestereo.interrupts import raise_if_heard
from livestereo.settings import Settings
from livestereo.sources import open_source
from livestereo.sources.base import Source
from livestereo.sources.request import SourceRequest
from livestereo.takes.relative import with_relative
from livestereo.types import StereoFrame

# A focal length for pictures of which none is known: a horizontal view of about 62°, as most webcams have.
ASSUMED_FOCAL_PER_WIDTH = 0.83
# Below this the clocks of ordinary cameras cannot be told apart in a reasonable time.
LEAST_PHASE_MS = 0.5
NO_PHASE = PhaseOptions()
LIVE_ADVICE = (
    "Calibrate the two cameras with `livestereo calibrate` and give --rig; without a rig both must see one bright "
    "scene with texture when they start."
)


def make_request(options: SourceOptions, rig_file: RigFile | None = None) -> SourceRequest:
    """Parse source options; what the rig was calibrated with (swap, flip, bias, readouts, cameras) fills the rest.

    Raises:
        SettingsError: an option is not of its form.
    """
    swap, flip = options.swap, options.flip
    stamp_bias_s, readout_s = 0.0, None
    cameras: dict[str, Any] = {}
    if rig_file is not None:
        cameras = restored(rig_file)
        swap = rig_file.capture.swap if swap is None else swap
        flip = ",".join(rig_file.capture.flip) if flip is None else flip
        stamp_bias_s = (rig_file.stamp_bias_ms or 0.0) / 1000
        if rig_file.timing.readout_ms is not None:
            readout_s = (rig_file.timing.readout_ms[0] / 1000, rig_file.timing.readout_ms[1] / 1000)
    if options.shift is not None:
        stamp_bias_s = options.shift / 1000
    return SourceRequest.parse(
        side_by_side=options.side_by_side,
        top_bottom=options.top_bottom,
        size=options.size,
        fps=options.fps,
        fourcc=options.fourcc,
        exposure=options.exposure,
        swap=bool(swap),
        flip=flip,
        max_skew_ms=options.max_skew,
        allow_missing=options.allow_missing,
        stamp_bias_s=stamp_bias_s,
        readout_s=readout_s,
        **cameras,
    )


def find_rig_file(options: RigOptions, output: Output, *, carried: bool = False) -> RigFile | None:
    """Load `--rig`, or `./rig.json` where the source carries none; None when there is neither."""
    if options.rig is not None:
        return load_rig(options.rig)
    default = Path("rig.json")
    if not carried and not options.rectified and default.is_file():
        output.say("Using ./rig.json; name another with --rig.")
        return load_rig(default)
    return None


def check_size(rig_file: RigFile, frame: StereoFrame, *, scale: bool, output: Output) -> RigFile:
    """Give the rig for pictures of this frame's size.

    A rig with no size takes that of the pictures, told. Another size is refused, because a camera's modes often
    crop; with `scale` the rig is scaled and the doubt is told.

    Raises:
        RigError: the rig was made for another size.
    """
    sizes = {side: (image.shape[1], image.shape[0]) for side, image in _images(frame).items()}
    rig = rig_file.rig
    wanted = {"left": rig.left.size_wh, "right": rig.right.size_wh}
    if all(wanted[side] == sizes[side] for side in sizes):
        return rig_file
    if any(wanted[side] is not None and wanted[side] != sizes[side] for side in sizes):
        told = " and ".join(
            f"{side} {_size(wanted[side])}, the pictures {_size(sizes[side])}"
            for side in sizes
            if wanted[side] not in (None, sizes[side])
        )
        if not scale:
            raise RigError(
                f"The rig file is for another picture size: {told}.",
                "Camera modes of the same shape often crop, so a rig cannot simply be scaled: calibrate at this "
                "size, or use --scale-rig and then prove the depth with `livestereo check --board`.",
            )
        output.warn(
            "The rig is scaled to this picture size. Its depth scale is unproven until `livestereo check` "
            "has seen a board."
        )
        # The covariance is that of the old size's pixels, and says nothing of a scale that is unproven.
        return _with(rig_file, rig=scale_rig(rig, sizes["left"], sizes["right"]), covariance=None)
    output.say(f"The rig file has no picture size: taking that of the pictures, {_size(sizes['left'])}.")
    sized = dataclasses.replace(
        rig,
        left=dataclasses.replace(rig.left, size_wh=sizes["left"]),
        right=dataclasses.replace(rig.right, size_wh=sizes["right"]),
    )
    return _with(rig_file, rig=sized)


def _with(rig_file: RigFile, **changes: object) -> RigFile:
    """Copy a rig file with some fields changed."""
    return rig_file.model_copy(update=changes)


def _images(frame: StereoFrame) -> dict[str, cv2.typing.MatLike]:
    return {"left": frame.left.image, "right": frame.right.image}


def _size(size_wh: tuple[int, int] | None) -> str:
    return "unknown" if size_wh is None else f"{size_wh[0]}x{size_wh[1]}"


@dataclasses.dataclass
class Opened:
    """An open source and what is known of its geometry."""

    source: Source
    rig_file: RigFile | None
    rig_options: RigOptions
    output: Output
    request: SourceRequest = dataclasses.field(default_factory=SourceRequest)
    _rectification: Rectification | None = None

    def rectification_for(self, frame: StereoFrame) -> Rectification:
        """Give the rectification of this source, made from its first pair and kept.

        Raises:
            RigError: the rig does not fit the pictures, or there is none and `rectified` pictures differ in size.
            CalibrationError: no rig, not rectified, and the matches do not carry a rectification.
        """
        if self._rectification is None:
            made = self._make(frame)
            if self.rig_options.rig is None:
                made = with_relative(made, self.source.info.capture.get("relative", {}))
            self._rectification = made
            for note in self._rectification.notes:
                self.output.say(note)
        return self._rectification

    def _make(self, frame: StereoFrame) -> Rectification:
        if self.rig_file is not None:
            self.rig_file = check_size(self.rig_file, frame, scale=self.rig_options.scale_rig, output=self.output)
            made = make_rectification(self.rig_file.rig, metric=self.rig_file.metric)
            if self.rig_options.rectified or self.source.info.rectified:
                # The pictures were rectified with this rig already: keep its focal length and baseline, warp nothing.
                return dataclasses.replace(made, maps={}, display_turns=0)
            return made
        info = self.source.info
        try:
            return rectification_without_rig(
                frame,
                rectified=self.rig_options.rectified or info.rectified,
                focal_px=info.capture.get("exif_focal_px", (None, None)),
            )
        except CalibrationError as error:
            if info.live:  # the usual advice is about photos
                raise CalibrationError(error.what, LIVE_ADVICE) from error
            raise


def rectification_without_rig(
    frame: StereoFrame, *, rectified: bool, focal_px: tuple[float | None, float | None] = (None, None)
) -> Rectification:
    """Give a rectification for a pair with no rig: as it is, or from matches; depth is relative.

    `focal_px`: of the left and right picture, where their EXIF tells it.

    Raises:
        RigError: they are said to be rectified, and their sizes differ.
        CalibrationError: the matches do not carry a rectification.
    """
    images = _images(frame)
    (h, w), (h2, w2) = (image.shape[:2] for image in images.values())
    if rectified and (h, w) != (h2, w2):
        raise RigError(
            f"Left is {w}x{h} and right is {w2}x{h2}: they cannot be one rectified pair.",
            "Give two pictures of one size, or a rig file of these two cameras with --rig.",
        )
    if rectified:
        known = next((focal for focal in focal_px if focal), ASSUMED_FOCAL_PER_WIDTH * w)
        return identity_rectification((w, h), known)
    return rectify_pair(frame.left.image, frame.right.image, focal_px=focal_px)


@contextmanager
def open_pictures(
    pictures: Sequence[str], source_options: SourceOptions, rig_options: RigOptions, output: Output,
    *, partial: bool = False, phase: PhaseOptions = NO_PHASE, settings: Settings | None = None,
) -> Iterator[Opened]:  # fmt: skip
    """Open a source with the rig that belongs to it; everything is released at the end.

    phase: live cameras are brought into phase while they are opened. settings: give the bound on skew where no option
    does. partial: a take may lack pictures; black ones stand for them.

    Raises:
        SettingsError: an option is not of its form.
        SourceError: the source cannot be opened.
        CalibrationError: the rig file cannot be read.
    """
    raise_if_heard()
    if settings is not None and source_options.max_skew is None:
        source_options = dataclasses.replace(source_options, max_skew=settings.max_skew_ms)
    if rig_options.rig is not None and not rig_options.rig.exists():
        raise SettingsError(f"There is no rig file {rig_options.rig}.", "Make one with `livestereo calibrate`.")
    carried = carries_rig(pictures)
    rig_file = find_rig_file(rig_options, output, carried=carried)
    # The pictures of a take are as its rig wanted them: nothing is left to exchange or turn.
    request = dataclasses.replace(make_request(source_options, None if carried else rig_file), partial=partial)
    if not carried and rig_file is not None and source_options.swap is None and rig_file.capture.swap:
        output.say("The rig was calibrated with left and right exchanged: exchanging them here too.")
    with in_phase(open_source(pictures, request), phase, request, output) as source:
        for note in source.info.notes:
            output.say(note)
        named = () if rig_options.rig is None else (rig_options.rig,)
        with reading((*source.info.files, *named)):
            yield Opened(source, rig_file if rig_file is not None else source.info.rig, rig_options, output, request)


def in_phase(source: Source, phase: PhaseOptions, request: SourceRequest, output: Output) -> Source:
    """Let a live source be brought into phase when it is opened, where that is asked for.

    Raises:
        SettingsError: a bound that is not possible, or a source that cannot be opened again.
    """
    bound_s = phase_bound_s(phase)
    if bound_s is None:
        return source
    from livestereo.sync.phased import PhasedSource

    return PhasedSource(reopening(source, request), bound_s, output.say)


def phase_bound_s(phase: PhaseOptions) -> float | None:
    """Check the bound that is asked for; seconds, or None.

    Raises:
        SettingsError: it is not possible.
    """
    bound = phase.phase_search
    if bound is not None and not LEAST_PHASE_MS <= bound <= 1000:
        raise SettingsError(
            f"A phase within ±{bound:g} ms is not possible.", f"Give {LEAST_PHASE_MS:g} ms or more; 4 is good."
        )
    return None if bound is None else bound / 1000


def reopening(source: Source, request: SourceRequest) -> Any:
    """Give the source as one whose cameras can be opened again.

    Raises:
        SettingsError: it has no two live cameras.
    """
    if not source.info.live or request.splits or not hasattr(source, "reopen"):
        raise SettingsError(
            "--phase-search needs two live cameras: nothing else has a phase that can change.",
            "Leave --phase-search out.",
        )
    return source


def carries_rig(pictures: Sequence[str]) -> bool:
    """Tell whether the source brings its own rig: the demo, or a take."""
    first = pictures[0] if pictures else ""
    return first == "demo" or first.startswith("demo:") or (Path(first) / "take.json").is_file()
