from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livestereo.errors import SourceError
from livestereo.sources.sets import expand, missing_text, natural_key, pair_sets, wild_text


def both(left: list[str], right: list[str]):
    sets = pair_sets([(text, Path(f"L{text}")) for text in left], [(text, Path(f"R{text}")) for text in right])
    return [(a.name[1:], b.name[1:]) for a, b in sets.pairs], sets


def test_numbers_sort_by_value() -> None:
    assert sorted(["a10", "a9", "A2", "b1"], key=natural_key) == ["A2", "a9", "a10", "b1"]


def test_padding_does_not_matter() -> None:
    pairs, sets = both(["1", "2", "10"], ["01", "02", "10"])
    assert pairs == [("1", "01"), ("2", "02"), ("10", "10")]
    assert not sets.left_only and not sets.right_only


def test_names_without_numbers_pair_by_name() -> None:
    assert both(["bedroom", "toy"], ["bedroom", "toy"])[0] == [("bedroom", "bedroom"), ("toy", "toy")]


def test_a_camera_number_in_the_name_is_ignored() -> None:
    assert both(["cam0_0001", "cam0_0002"], ["cam1_0001", "cam1_0002"])[0] == [
        ("cam0_0001", "cam1_0001"),
        ("cam0_0002", "cam1_0002"),
    ]


def test_missing_ones_are_listed_and_both_sided_gaps_are_fine() -> None:
    pairs, sets = both(["1", "2", "5", "6"], ["1", "5", "7"])
    assert pairs == [("1", "1"), ("5", "5")]
    assert missing_text(sets) == (
        "Pictures are missing on one side: no right picture for L2, L6; no left picture for R7."
    )


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(SourceError, match="have a number in common"):
        both(["1", "2"], ["7", "8"])


def test_two_sets_of_plain_names_pair_in_order_and_it_is_told() -> None:
    pairs, sets = both(["a", "b"], ["c", "d"])
    assert pairs == [("a", "c"), ("b", "d")] and "natural order" in sets.note


@pytest.mark.parametrize(
    ("pattern", "name", "text"),
    [
        ("left*.png", "left07.png", "07"), ("*_left.png", "toy_left.png", "toy"), ("./l*.png", "l1.png", "1"),
        ("set?/im%03d.png", "set1/im004.png", "1/im004"), ("im[0-9].pgm", "im3.pgm", "3"),
    ],
)  # fmt: skip
def test_what_the_wildcards_stand_for(pattern: str, name: str, text: str) -> None:
    assert wild_text(pattern, Path(name)) == text


def test_expand_sorts_naturally_and_knows_printf(tmp_path: Path) -> None:
    for name in ("im1.png", "im2.png", "im10.png", "imx.png"):
        (tmp_path / name).write_bytes(b"x")
    assert [p.name for p in expand(f"{tmp_path}/im*.png")] == ["im1.png", "im2.png", "im10.png", "imx.png"]
    assert [p.name for p in expand(f"{tmp_path}/im%02d.png")] == ["im1.png", "im2.png", "im10.png"]
    with pytest.raises(SourceError, match="No file matches"):
        expand(f"{tmp_path}/nothing*.png")


@given(st.sets(st.integers(0, 99999), min_size=1, max_size=30), st.sets(st.integers(0, 99999), min_size=1, max_size=30))
def test_every_picture_is_paired_or_listed(left: set[int], right: set[int]) -> None:
    if not left & right:
        return
    _, sets = both([str(n) for n in left], [f"{n:05d}" for n in right])
    assert {int(a.name[1:]) for a, _ in sets.pairs} == left & right
    assert {int(p.name[1:]) for p in sets.left_only} == left - right
    assert {int(p.name[1:]) for p in sets.right_only} == right - left
    assert all(int(a.name[1:]) == int(b.name[1:]) for a, b in sets.pairs)
