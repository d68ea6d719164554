"""The left picture as it is looked at: nearly the exact one, in less time."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("numba")

from calibration.rectify import Rectification
from livestereo.frames import LazyFrame
from livestereo.gray import grays_of
from livestereo.render import shown
from livestereo.render.shown import left_as_shown
from livestereo.types import U8, RectifiedPair, StereoFrame

SAMPLINGS = {
    "420": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, "422": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "444": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
}  # fmt: skip


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "numba_loaded", lambda: True)


def _pair(size_wh: tuple[int, int], sampling: str, turn_deg: float | None) -> RectifiedPair:
    """A colourful picture whose colours change slowly, rectified by a turn, or as it is."""
    width, height = size_wh
    coarse = np.random.default_rng(2).integers(60, 200, (4, 5, 3)).astype(np.uint8)
    image = cv2.resize(coarse, size_wh, interpolation=cv2.INTER_LINEAR)
    flags = [cv2.IMWRITE_JPEG_QUALITY, 97, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLINGS[sampling]]
    data = bytes(cv2.imencode(".jpg", image, flags)[1])

    def decode() -> U8:
        return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)

    frame = StereoFrame(LazyFrame(decode, 0.0, 0, data), LazyFrame(decode, 0.0, 0, data), 0)
    maps = {}
    if turn_deg is not None:
        M = cv2.getRotationMatrix2D((width / 2 + 3, height / 2 - 2), turn_deg, 1.1)
        x, y = np.meshgrid(np.arange(width), np.arange(height))
        at = np.stack([x, y, np.ones_like(x)], -1) @ cv2.invertAffineTransform(M).T
        maps["left"] = cv2.convertMaps(at[..., 0].astype(np.float32), at[..., 1].astype(np.float32), cv2.CV_16SC2)
    rectification = Rectification(
        size_wh=size_wh, focal_px=100, cx_px=50, cy_px=40, baseline_m=0.1, maps=maps,
        source_size_wh={"left": size_wh, "right": size_wh},
    )  # fmt: skip
    gray = rectification.apply(grays_of(frame)[0], "left")
    return RectifiedPair(frame, rectification, gray, gray)


@pytest.mark.parametrize("sampling", sorted(SAMPLINGS))
@pytest.mark.parametrize("size_wh", [(160, 120), (161, 121)])
@pytest.mark.parametrize("turn_deg", [None, 0.0, 7.0])
def test_it_looks_as_the_exact_picture(sampling: str, size_wh: tuple[int, int], turn_deg: float | None) -> None:
    pair = _pair(size_wh, sampling, turn_deg)
    found = left_as_shown(pair)
    assert "image" not in pair.frame.left.__dict__  # the whole picture was not decoded
    assert found.shape == (size_wh[1], size_wh[0], 3)
    apart = np.abs(found.astype(int) - pair.left)
    inside = cv2.erode((pair.left_gray > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert apart[inside].mean() < 1.2  # rounding of luma, chroma and of what is made of them
    assert np.percentile(apart[inside], 99) <= 5
    if turn_deg:
        assert (found[pair.left_gray == 0].max(axis=-1) <= 24).mean() > 0.95  # outside stays black


def test_a_picture_that_was_decoded_is_shown_itself() -> None:
    pair = _pair((160, 120), "420", 7.0)
    exact = pair.left
    assert left_as_shown(pair) is exact
    other = _pair((160, 120), "420", 7.0)
    assert other.frame.left.image is not None
    np.testing.assert_array_equal(left_as_shown(other), exact)
