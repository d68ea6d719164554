"""The parts of a rig file as frozen values: what is stored of a rig beside its geometry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, field_validator

from calibration.rig import StereoRig

VERSION = (1, 0)

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
# cv2.remap cannot address pictures beyond 2^15.
Pixels = Annotated[int, Field(strict=True, gt=0, lt=32768)]
Size = tuple[Pixels, Pixels]
Flip = Literal["none", "h", "v", "180", "90", "270"]
Row3 = tuple[Number, Number, Number]
Matrix3 = tuple[Row3, Row3, Row3]


class Part(BaseModel):
    """A part of the file. Keys it does not know are kept, so that a newer program's notes survive."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)


class Camera(Part):
    """One camera as it was: stable `id`, `name` for people, `controls` by name as read back while calibrating."""

    id: StrictStr = ""
    name: StrictStr = ""
    controls: dict[str, Any] = Field(default_factory=dict)


class Cameras(Part):
    """The cameras of both sides, after `--swap`."""

    left: Camera = Camera()
    right: Camera = Camera()


class Capture(Part):
    """How the pictures must be taken for the rig to hold.

    swap: exchange the two pictures as they come. flip: turn each picture as it comes, before the swap.
    size_wh: what each camera delivers, before flip and swap, px. autofocus, zoom: it was on, or moved,
    while calibrating; None where unknown.
    """

    swap: StrictBool = False
    flip: tuple[Flip, Flip] = ("none", "none")
    size_wh: tuple[Size, Size] | None = None
    autofocus: StrictBool | None = None
    zoom: StrictBool | None = None


class Timing(Part):
    """How the stamp bias was measured, and the shutters' readouts.

    method: board, flash or motion. uncertainty_ms: half of the bias's 95 % interval. stamps: whose stamps it is
    about (`driver`, `grab`). readout_ms: first row to last, left and right after `swap`, or None. time: ISO 8601.
    """

    method: StrictStr = ""
    uncertainty_ms: Number | None = None
    stamps: StrictStr = ""
    readout_ms: tuple[Number, Number] | None = None
    time: StrictStr = ""


class MadeBy(Part):
    """What wrote the rig: program, its version, the command, when (ISO 8601), and from what."""

    program: StrictStr = ""
    version: StrictStr = ""
    command: StrictStr = ""
    time: StrictStr = ""


class Covariance(Part):
    """Covariance of the rig: `parameters` names n values, `matrix` is (n,n) in their units squared.

    Names: `left.fx`, `left.cy`, `left.k1`, `right.…`; `rotation.x|y|z` (rad: a small rotation δ after the rig's,
    exp([δ]) R_right_left); `translation.x|y|z` (metres). Others may stand beside them.
    """

    parameters: tuple[StrictStr, ...]
    matrix: tuple[tuple[Number, ...], ...]

    @field_validator("matrix")
    @classmethod
    def _is_covariance(cls, matrix: tuple[tuple[float, ...], ...], info: Any) -> tuple[tuple[float, ...], ...]:
        n = len(info.data.get("parameters", ()))
        if len(matrix) != n or any(len(row) != n for row in matrix):
            raise ValueError(f"must be {n}x{n}, one row and one column for each of the parameters")
        values = np.array(matrix, dtype=np.float64).reshape(n, n)
        scale = np.sqrt(np.abs(np.outer(np.diag(values), np.diag(values))))
        if (np.diag(values) < 0).any() or (np.abs(values - values.T) > 1e-9 * scale + 1e-300).any():
            raise ValueError("must be symmetric with no negative value on its diagonal")
        return matrix

    @classmethod
    def of(cls, parameters: Sequence[str], matrix: NDArray[np.float64]) -> Covariance:
        """Make one from an (n,n) array; it is made exactly symmetric."""
        symmetric = (np.asarray(matrix) + np.asarray(matrix).T) / 2
        return cls(parameters=tuple(parameters), matrix=tuple(tuple(map(float, row)) for row in symmetric))

    @property
    def array(self) -> NDArray[np.float64]:
        """The matrix, (n,n) float64."""
        return np.array(self.matrix, dtype=np.float64).reshape(len(self.parameters), len(self.parameters))


class RigFile(BaseModel):
    """A rig with everything that is stored beside it.

    rig: the geometry. metric: lengths are metres; otherwise board squares, and depth is in squares too.
    covariance: of the solve, or None. stamp_bias_ms: true skew − stamp skew, both right − left: add it to what the
    stamps say. timing: how it was measured.
    summary: figures of the calibration, by the names of `calibrate --json`. extra: keys that this version
    does not know, nested as in the file. version: of the file it came from.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True, extra="forbid")

    rig: StereoRig
    metric: StrictBool = True
    covariance: Covariance | None = None
    cameras: Cameras = Cameras()
    capture: Capture = Capture()
    stamp_bias_ms: Number = 0.0
    timing: Timing = Timing()
    made_by: MadeBy = MadeBy()
    summary: dict[str, Any] = Field(default_factory=dict)
    extra: dict[str, Any] = Field(default_factory=dict)
    version: tuple[int, int] = VERSION
