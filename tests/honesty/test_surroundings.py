"""The network that sees wide surroundings: the same on every computer's threads, any size, and wild answers show."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import pytest

from calibration.rectify import make_rectification
from livestereo.cli._build import build_pipeline
from livestereo.honesty import surroundings
from livestereo.honesty.explain import REASONS, doubted
from livestereo.honesty.holes import WIDE_NAMES, of_holes, of_surroundings
from livestereo.honesty.search import Range
from livestereo.honesty.signs import look
from livestereo.honesty.surroundings import leanings
from livestereo.honesty.survey import survey
from livestereo.settings import resolve_settings
from livestereo.sources import open_source
from livestereo.types import F32, U8

SPAN = Range(0, 63, 0)


@lru_cache(maxsize=1)
def pictures() -> tuple[U8, U8, F32]:
    """Both gray pictures of a small room of the demo and its disparity."""
    with open_source(["demo:room,seed=12,size=320x240"]) as source:
        frame, rig = source.read(1.0), source.info.rig
    assert frame is not None and rig is not None
    settings = resolve_settings("balanced", {"min_disparity": 0, "num_disparities": 64})
    result = build_pipeline(settings, make_rectification(rig.rig)).process(frame)
    return result.pair.left_gray, result.pair.right_gray, result.disparity_px


def signs(left: U8, right: U8, disparity_px: F32) -> list[F32]:
    scene, seen = look(left, right, disparity_px, SPAN), survey(left, right, SPAN)
    return of_surroundings(of_holes(scene, seen), scene, seen, sgm=False, half=False)


def test_threads_change_nothing() -> None:
    seen = signs(*pictures())
    assert len(seen) == len(WIDE_NAMES) and all(one.shape == (120, 160) and one.dtype == np.float32 for one in seen)
    before, told = cv2.getNumThreads(), []
    try:
        for threads in (1, 2, 5):
            cv2.setNumThreads(threads)
            told.append(leanings(seen))
    finally:
        cv2.setNumThreads(before)
    assert told[0].shape == (len(REASONS) + 2, 240, 320)
    assert all(np.array_equal(told[0], one) for one in told)


def test_odd_sizes() -> None:
    cut = [np.ascontiguousarray(one[:173, :251]) for one in pictures()]
    told = leanings(signs(*cut))
    assert told.shape == (len(REASONS) + 2, 172, 250) and np.isfinite(told).all()


def test_a_patch_on_the_wrong_surface_is_doubted() -> None:
    left, right, disparity = pictures()
    wrong = disparity.copy()
    patch = slice(90, 140), slice(150, 210)
    wrong[patch] += 24
    known = np.isfinite(disparity[patch])
    before, after = (leanings(signs(left, right, one))[-1][patch][known] for one in (disparity, wrong))
    sigma = np.full(len(before), 0.5, np.float32)
    assert np.median(doubted(sigma, before)) < 0.7 and np.median(doubted(sigma, after)) > 1.5


def test_large_pictures_are_told_in_bands_as_they_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.random.default_rng(0).normal(0, 1, (24, 320, 96)).astype(np.float32)
    whole = surroundings._forward(features)
    monkeypatch.setattr(surroundings, "AT_ONCE", 48 * 96)
    banded = surroundings._forward(features)
    assert banded.shape == whole.shape
    np.testing.assert_allclose(banded, whole, atol=2e-3)
