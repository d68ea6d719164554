"""When two cameras really expose: measured from a moving board, from flashes, or from motion alone.

    recorder = SyncRecorder(detector=detector)       # or without a board
    gather(source, recorder, seconds=20)             # or recorder.add(pair) for each pair
    result = measure(recorder.recording())           # SyncResult, or raises SyncRefused

Stamps say when frames were delivered. What the two cameras saw says when they were exposed. The difference is each
pair of cameras' *stamp bias* (true skew − stamp skew), which is lasting; the skew itself is new after every opening.
"""

from __future__ import annotations

from livestereo.sync.gather import Gathered, gather
from livestereo.sync.measure import SyncResult, measure
from livestereo.sync.offset import Offset, SyncRefused
from livestereo.sync.recording import Recording, SyncRecorder

__all__ = [
    "Gathered", "Offset", "Recording", "SyncRecorder", "SyncRefused", "SyncResult", "gather", "measure",
]  # fmt: skip
