"""Pairs from video files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from livestereo.codecs import contents
from livestereo.errors import LiveStereoError, SourceError
from livestereo.frames import turn
from livestereo.sources import quiet
from livestereo.sources.files import RawPair
from livestereo.sources.pairing import SLACK_S, Paired, Pairer
from livestereo.sources.pictures import to_bgr8
from livestereo.sources.request import SourceRequest
from livestereo.sources.split import halves
from livestereo.types import U8, Frame
from livestereo.wording import counted

quiet.hush()

_Taken = tuple[U8, float, int]
DEFAULT_FPS = 30.0
RATES_DIFFER = 0.01
END_SLACK = 2  # frames that one side may have more, when paired by time
# Counts in containers are estimates: edit lists and broken last frames cost one or two.
COUNT_SLACK = 2
COUNT_SLACK_SHARE = 0.02
# Some codecs have packets that show no picture: up to one in ten (VP8).
UNSEEN_SHARE = 0.1
# A longer rest is not looked through, which means decoding it: the container's count stands for it.
LONG_REST_S = 60.0
# Steps of the stamps that differ so much from those of the rate come from a clock, not from a count.
UNEVEN_SHARE = 0.25
UNEVEN_S = 0.0015  # containers that keep milliseconds round by less


class Video:
    """One video file, read frame by frame.

    Stamps are those of the container where they go forward, else index / fps. clocked: those that came so far are not
    merely index / fps, so that they tell of frames that are missing.
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
        self.clocked = False
        self.start_s = 0.0
        self._last_s = -np.inf
        self._reached_s = 0.0  # by the container, since the first frame

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
        if np.isfinite(container):
            self._reached_s = max(self._reached_s, container)
        if not self._given_rate and np.isfinite(container) and container > self._last_s:
            stamp = container
            uneven_s = abs(stamp - self._last_s - 1 / self.fps) if index else 0.0
            self.clocked = self.clocked or uneven_s > max(UNEVEN_SHARE / self.fps, UNEVEN_S)
        self.start_s = self.start_s if index else stamp
        self._last_s = stamp = max(stamp, np.nextafter(self._last_s, np.inf))
        return to_bgr8(image), float(stamp), index

    @property
    def cut(self) -> bool:
        """Far fewer frames came than the file says it has, or than are in it."""
        if self.count is None or not _fewer(self.index, self.count):
            return False
        try:
            there = contents(self.path)
        except LiveStereoError:
            return True
        if there.frames is not None or there.duration_s is None or self.index == 0:
            return True
        # No count in the header: OpenCV makes one of length and rate, which holds where no frame was left out.
        if self.index < there.packets * (1 - UNSEEN_SHARE) - COUNT_SLACK:
            return True
        end_s = there.start_s + self._reached_s + 1 / self.fps
        return _fewer(end_s * self.fps, there.duration_s * self.fps)

    def rest(self) -> int:
        """Count the frames that are left; they are gone then."""
        if self.count is not None and self.count - self.index > LONG_REST_S * self.fps:
            return self.count - self.index
        left = 0
        while self._capture.grab():
            left += 1
        return left

    def close(self) -> None:
        """Release the file; idempotent."""
        self._capture.release()


def _fewer(frames: float, stated: float) -> bool:
    return frames < stated - max(COUNT_SLACK, COUNT_SLACK_SHARE * stated)


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
        """Give frame i of one with frame i of the other; or by time, where a shift is known or the rates differ, and
        from where on the stamps of the containers say that frames are missing.
        """
        if not self._wants_time():
            return self._by_number()
        return self._by_time(-self._request.stamp_bias_s if self._request.swap else self._request.stamp_bias_s)

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
                ended = [video for video, item in zip(self._videos, taken) if item is None]
                going = [video for video in self._videos if video not in ended]
                self._alone = sum(1 + video.rest() for video in going)
                self._judge_end(ended, self._alone)
                return
            first, second = taken[0], taken[-1]
            assert first is not None and second is not None
            if self._apart(first, second):
                self.notes += (
                    f"Frames are missing, by the stamps of the videos: from pair {self._pairs} on they are paired by "
                    f"time. --fps {self._videos[0].fps:.3g} pairs by number.",
                )
                yield from self._by_time(self._videos[0].start_s - self._videos[1].start_s, (first, second))
                return
            yield self._pair(first, second)

    def _apart(self, first: _Taken, second: _Taken) -> bool:
        """Whether the stamps of two videos say that these frames do not belong together."""
        if len(self._videos) == 1 or not any(video.clocked for video in self._videos):
            return False
        since = [item[1] - video.start_s for item, video in zip((first, second), self._videos)]
        return abs(since[1] - since[0]) > 0.5 / min(video.fps for video in self._videos) + SLACK_S

    def _by_time(self, bias: float, ahead: tuple[_Taken, _Taken] | None = None) -> Iterator[RawPair]:
        """Nearest frames in time; read from whichever video is behind.

        bias: is added to the stamps of the second, seconds. ahead: frames that were read already.
        """
        fps = (self._videos[0].fps, self._videos[1].fps)
        pairer: Pairer[tuple[int, int]] = Pairer(self._request.max_skew_s, bias, fps, exact=True)
        held: dict[tuple[int, int], _Taken] = {}
        reached = [0.0 if bias >= 0 else -bias, bias if bias > 0 else 0.0]
        frames = [chain((ahead[side],) if ahead else (), iter(self._videos[side].next, None)) for side in (0, 1)]
        while True:
            side = 0 if reached[0] <= reached[1] else 1
            taken = next(frames[side], None)
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
        surplus = other.rest()
        self._alone += len(held) + surplus
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
        used = f"The {counted(self._pairs, 'pair')} before that {'was' if self._pairs == 1 else 'were'} used"
        if cut is not None:
            self._what = f"{cut.path} is cut: {cut.index} of its {cut.count} frames can be read."
            self._fix = f"{used}." if self._pairs else "Copy it again."
        elif surplus and not self._request.allow_missing:
            short = ended[0]
            longer = next(video for video in self._videos if video is not short)
            ahead = f" ({longer.count} frames)" if longer.count else ""
            self._what = f"{short.path} ends after {counted(short.index, 'frame')}, {longer.path} goes on{ahead}."
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
