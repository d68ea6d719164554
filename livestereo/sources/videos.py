"""Pairs from video files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from livestereo.errors import SourceError
from livestereo.frames import turn
from livestereo.sources import quiet
from livestereo.sources.files import RawPair
from livestereo.sources.pairing import Paired, Pairer
from livestereo.sources.pictures import to_bgr8
from livestereo.sources.request import SourceRequest
from livestereo.sources.split import halves
from livestereo.types import U8, Frame

quiet.hush()

_Taken = tuple[U8, float, int]
DEFAULT_FPS = 30.0
RATES_DIFFER = 0.01
END_SLACK = 2  # frames that one side may have more, when paired by time
# Counts in containers are estimates: edit lists and broken last frames cost one or two.
COUNT_SLACK = 2
COUNT_SLACK_SHARE = 0.02


class Video:
    """One video file, read frame by frame.

    Stamps are those of the container where they go forward, else index / fps.
    """

    def __init__(self, path: Path, fps: float | None) -> None:
        self.path = path
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise SourceError(
                f"{path} cannot be opened as a video.", "If it is one, it is cut or damaged: copy it again."
            )
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self._given_rate = fps is not None
        self.fps = fps or (rate if np.isfinite(rate) and 0 < rate <= 1000 else DEFAULT_FPS)
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.count = int(count) if np.isfinite(count) and 0 < count < 1e9 else None
        self.index = 0
        self._last_s = -np.inf

    def next(self) -> _Taken | None:
        """Give (BGR picture, stamp in seconds, index), or None at the end."""
        if not self._capture.grab():
            return None
        ok, image = self._capture.retrieve()
        if not ok or image is None:
            return None
        index, self.index = self.index, self.index + 1
        stamp = index / self.fps
        container = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
        if not self._given_rate and np.isfinite(container) and container > self._last_s:
            stamp = container
        self._last_s = stamp = max(stamp, np.nextafter(self._last_s, np.inf))
        return to_bgr8(image), float(stamp), index

    @property
    def cut(self) -> bool:
        """Far fewer frames came than the file says it has."""
        return self.count is not None and self.index < self.count - max(COUNT_SLACK, COUNT_SLACK_SHARE * self.count)

    def close(self) -> None:
        """Release the file; idempotent."""
        self._capture.release()


class Videos:
    """One or two video files (see `PairFiles`). One carries both views."""

    def __init__(self, paths: Sequence[Path], request: SourceRequest) -> None:
        self._request = request
        self._videos: list[Video] = []
        try:
            for path, fps in zip(paths, request.fps):
                self._videos.append(Video(path, fps))
        except SourceError:
            self.close()
            raise
        self.fps: float | None = self._videos[0].fps
        counts = [video.count for video in self._videos if video.count is not None]
        self.count = min(counts) if len(counts) == len(self._videos) else None
        self.focal_px: tuple[float | None, float | None] = (None, None)
        self.notes: tuple[str, ...] = ()
        self._what = ""
        self._fix = ""
        self._alone = 0
        self._pairs = 0

    def pairs(self) -> Iterator[RawPair]:
        """Give frame i of one with frame i of the other; or by time, where a shift is known or the rates differ."""
        return self._by_time() if self._wants_time() else self._by_number()

    def _wants_time(self) -> bool:
        if len(self._videos) == 1:
            return False
        first, second = (video.fps for video in self._videos)
        if abs(first / second - 1) > RATES_DIFFER:
            self.notes = (f"The videos have {first:g} and {second:g} frames per second: paired by time.",)
            return True
        return self._request.stamp_bias_s != 0

    def _by_number(self) -> Iterator[RawPair]:
        while True:
            taken = [video.next() for video in self._videos]
            if any(item is None for item in taken):
                self._alone = sum(item is not None for item in taken)
                self._judge_end([video for video, item in zip(self._videos, taken) if item is None], self._alone)
                return
            first, second = taken[0], taken[-1]
            assert first is not None and second is not None
            yield self._pair(first, second)

    def _by_time(self) -> Iterator[RawPair]:
        """Nearest frames in time, after the known shift; read from whichever video is behind."""
        bias = -self._request.stamp_bias_s if self._request.swap else self._request.stamp_bias_s
        fps = (self._videos[0].fps, self._videos[1].fps)
        pairer: Pairer[tuple[int, int]] = Pairer(self._request.max_skew_s, bias, fps, exact=True)
        held: dict[tuple[int, int], _Taken] = {}
        reached = [0.0 if bias >= 0 else -bias, bias if bias > 0 else 0.0]
        while True:
            side = 0 if reached[0] <= reached[1] else 1
            taken = self._videos[side].next()
            if taken is None:
                break
            reached[side] = taken[1] + (bias if side else 0.0)
            held[side, taken[2]] = taken
            for event in pairer.offer(side, taken[1], (side, taken[2])):
                if isinstance(event, Paired):
                    yield self._pair(held.pop(event.left), held.pop(event.right))
                else:
                    del held[event.token]
                    self._alone += 1
        other = self._videos[1 - side]
        self._alone += len(held)
        surplus = 0
        while other.next() is not None:
            surplus += 1
        self._alone += surplus
        self._judge_end([self._videos[side]], surplus if surplus > other.fps * abs(bias) + END_SLACK else 0)

    def _pair(self, first: _Taken, second: _Taken) -> RawPair:
        images = halves(first[0], self._request) if self._request.splits else (first[0], second[0])
        frames = [
            Frame(turn(image, flip), item[1], item[2])
            for image, flip, item in zip(images, self._request.flip, (first, second))
        ]
        self._pairs += 1
        return RawPair(frames[0], frames[1], str((second if self._request.swap else first)[2]))

    def _judge_end(self, ended: Sequence[Video], surplus: int) -> None:
        """Find out whether this is how it should end."""
        cut = next((video for video in ended if video.cut), None)
        used = f"The {self._pairs} pairs before that were used"
        if cut is not None:
            self._what = f"{cut.path} is cut: {cut.index} of its {cut.count} frames can be read."
            self._fix = f"{used}." if self._pairs else "Copy it again."
        elif surplus and not self._request.allow_missing:
            short = ended[0]
            longer = next(video for video in self._videos if video is not short)
            ahead = f" ({longer.count} frames)" if longer.count else ""
            self._what = f"{short.path} ends after {short.index} frames, {longer.path} goes on{ahead}."
            self._fix = f"{used}; --allow-missing takes this as the end."

    def trouble(self) -> tuple[str, str]:
        """What was cut or missing."""
        if not self._what and not any(video.index for video in self._videos):
            return f"{self._videos[0].path} has no frames that can be read.", "It is damaged: copy it again."
        return self._what, self._fix

    def dropped(self) -> dict[str, int]:
        """Frames read without a partner."""
        return {"pairing": self._alone, "camera": 0}

    def close(self) -> None:
        """Release the files; idempotent."""
        for video in self._videos:
            video.close()
