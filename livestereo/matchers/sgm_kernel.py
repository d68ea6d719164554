"""The compiled part of the matcher `sgm`: census codes, one pass of semi-global matching, row offsets of points.

H. Hirschmüller, "Stereo processing by semi-global matching and mutual information", PAMI 30(2), 2008, with the census
cost of Zabih and Woodfill (ECCV 1994). `sgm_reference` computes the same, readably and slowly.

How it is made fast. All costs of one pixel are one value of bytes (`sgm_vectors`). The right picture's codes lie
mirrored in memory, so that the codes for disparities 0, 1, 2, … are one contiguous load. A row is walked to the right
(costs, the path from the left and the one from above) and back again (the path from the right, then the winner); only
three rows of bytes are kept between the two, which stay in the level-2 cache, and nothing of size W·H·D exists.
A path is taken less its own minimum, which keeps the recurrence in eight bits:

    L(x, d) = C(x, d) + min(L'(d), L'(d ± 1) + P1, P2)      L' = L − min(L) one step back on the path

Along a row that is min(min(L(d), L(d ± 1) + P1) − min(L), P2): the same, for L ≤ 18 + P2 where it counts, and the
minimum of all lanes, which takes longest, is then not waited for twice.

Nothing in here allocates, so several threads can be in it at once, each with its own memory. The functions close over
integers only: then numba finds the compiled code again in later processes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from livestereo.matchers.sgm_vectors import (
    add,
    add_saturated,
    bit_or,
    bit_where_not_below,
    byte_at,
    count_below,
    count_bits,
    exclusive_or,
    first_equal,
    load,
    lowest,
    minimum,
    reverse,
    shift_down,
    shift_up,
    splat,
    store,
    subtract,
)

Compiled = Callable[..., None]
Jit = Callable[[Callable[..., Any]], Compiled]

REACH = 3  # px that the census looks to each side
BLOCK = 64  # pixels that are coded at a time; also the bytes of slack around working memory
GUARD = 32  # bytes of 255 between the pixels of the row above, where a disparity has no neighbour
ROW_REACH = 2  # rows that a point is sought up and down
INVALID = -(2**31)
NONE = -32768  # as `fixed.INVALID`
NO_VOTE = 0xFF00  # above every vote: its sum would be 255, which is none

_inline: Jit = numba.njit(inline="always")


def _jit(cache: bool) -> Jit:
    made: Jit = numba.njit(nogil=True, boundscheck=False, cache=cache, error_model="numpy")
    return made


@_inline
def _bits_apart(address: Any, plane: Any, a: Any, b: Any, chunk: Any, count: Any) -> Any:
    """Bits in which a left code (two bytes, splatted) differs from those of all disparities."""
    bits_a = count_bits(exclusive_or(load(address, chunk, count), a))
    bits_b = count_bits(exclusive_or(load(address + plane, chunk, count), b))
    return add(bits_a, bits_b)


@_inline
def _step(here: Any, near: Any, cost: Any, p1: Any, p2: Any) -> Any:
    """One step of a path. `here`: one step back; `near`: the smaller of its two neighbours in disparity."""
    return add_saturated(cost, minimum(minimum(here, add_saturated(near, p1)), p2))


@_inline
def _near(path: Any, p1: Any) -> Any:
    """What a path along the row offers its next pixel, before its jumps: here, or one disparity aside for P1."""
    return minimum(path, add_saturated(minimum(shift_up(path), shift_down(path)), p1))


def make_census(chunk: int, cache: bool) -> Compiled:
    """Compile the census; see `encode` for the arguments."""
    count = BLOCK // chunk

    def encode(picture: Any, offsets: Any, codes: Any, first: int, step: int) -> None:
        """Code a picture that is padded by REACH on every side and to whole blocks on the right.

        picture: (H + 2 REACH, ≥ W + 2 REACH) uint8. offsets: (16,2) int64 of (dy, dx); a bit is set where that
        neighbour is not darker. codes: (H, 2, …) uint8; the code of column x goes to `first + step * x`, with step 1
        or −1 (mirrored).
        """
        height = picture.shape[0] - 2 * REACH
        blocks = (picture.shape[1] - 2 * REACH) // BLOCK
        stride = picture.strides[0]
        for y in range(height):
            row = picture[y + REACH].ctypes.data + REACH
            for plane in range(2):
                out = codes[y, plane].ctypes.data
                for block in range(blocks):
                    x = block * BLOCK
                    centre = load(row + x, chunk, count)
                    code = splat(np.uint8(0), chunk, count)
                    for bit in range(8):
                        dy = offsets[plane * 8 + bit, 0]
                        dx = offsets[plane * 8 + bit, 1]
                        other = load(row + dy * stride + dx + x, chunk, count)
                        code = bit_or(code, bit_where_not_below(other, centre, np.uint8(1 << bit)))
                    if step > 0:
                        store(out + first + x, code)
                    else:
                        store(out + first - x - (BLOCK - 1), reverse(code))

    return _jit(cache)(encode)


def make_rows(chunk: int, count: int, cache: bool) -> Compiled:
    """Compile the search for row offsets; see `seek` for the arguments."""
    lanes = chunk * count

    def seek(
        left: Any,
        right: Any,
        base: int,
        used: int,
        offset: int,
        spare: Any,
        points: Any,
        patch: Any,
        costs: Any,
        out: Any,
    ) -> None:
        """Find on which row of the right picture each point lies.

        left, right, base, used, offset, spare: as for `match`. points: (n,2) int64 of (y, x), far enough inside.
        patch: (m,2) int64 of (dy, dx), the pixels compared. costs: working memory, (2 ROW_REACH + 1, lanes) uint8.
        out: (n,) float32, right row − left row, NaN where there is no clear answer.
        """
        left_plane = left.shape[2]
        plane = right.shape[2]
        at_spare = spare.ctypes.data
        at_costs = costs.ctypes.data
        for n in range(points.shape[0]):
            best: Any = 255
            best_row = 0
            best_d = 0
            for row in range(2 * ROW_REACH + 1):
                cost = load(at_spare, chunk, count)
                for i in range(patch.shape[0]):
                    y = points[n, 0] + patch[i, 0]
                    x = points[n, 1] + patch[i, 1]
                    code = left[y].ctypes.data + x
                    a = splat(byte_at(code), chunk, count)
                    b = splat(byte_at(code + left_plane), chunk, count)
                    codes = right[y + row - ROW_REACH].ctypes.data + base + offset - x
                    cost = add_saturated(cost, _bits_apart(codes, plane, a, b, chunk, count))
                store(at_costs + row * lanes, cost)
                low = lowest(cost)
                if low < best:
                    best = np.int64(low)
                    best_row = row
                    best_d = first_equal(cost, low)
            out[n] = np.nan
            # A doubtful point: bad even at its best, at the end of the search, or with a rival elsewhere.
            if best < 94 and 0 < best_row < 2 * ROW_REACH:
                limit = np.uint8(min(255, best + best // 4 + 8))
                rivals = count_below(load(at_costs + best_row * lanes, chunk, count), limit)
                for d in range(max(0, best_d - 2), min(used, best_d + 3)):
                    rivals -= costs[best_row, d] < limit
                if rivals == 0:
                    up: Any = 255
                    down: Any = 255
                    for d in range(max(0, best_d - 1), min(used, best_d + 2)):
                        up = min(up, np.int64(costs[best_row - 1, d]))
                        down = min(down, np.int64(costs[best_row + 1, d]))
                    steep = max(1, max(up, down) - best)
                    out[n] = best_row - ROW_REACH + np.float32(up - down) / np.float32(2 * steep)

    return _jit(cache)(seek)


def make_matcher(chunk: int, count: int, tolerant: bool, cache: bool) -> Compiled:
    """Compile the matcher for up to `chunk * count` disparities; see `match` for the arguments."""
    lanes = chunk * count

    def match(
        left: Any,
        right: Any,
        width: int,
        base: int,
        used: int,
        offset: int,
        penalty_1: int,
        penalty_2: int,
        row_penalty: int,
        tolerance: int,
        spare: Any,
        rivals: Any,
        costs: Any,
        sums: Any,
        above: Any,
        total: Any,
        found: Any,
        votes: Any,
        fine: Any,
        out: Any,
    ) -> None:
        """Match all rows.

        left, right: codes, (H, 2, …) uint8; the right ones mirrored, column x at `base − x`. used: disparities.
        offset: the smallest disparity. row_penalty: bits that a match one row higher or lower costs, if `tolerant`.
        tolerance: of the left-right check, px; a large one switches it off. spare: 255 in the lanes beyond `used`.
        rivals: (256,) uint8, for each winning sum the sum under which another one makes it doubtful. costs, sums,
        above, total, found, votes, fine: working memory, see `sgm.Memory`. out: (H,W) int16 in 1/16 px, NONE for none.
        """
        height = left.shape[0]
        p1 = splat(np.uint8(penalty_1), chunk, count)
        p2 = splat(np.uint8(penalty_2), chunk, count)
        off_row = splat(np.uint8(row_penalty), chunk, count)
        zero = splat(np.uint8(0), chunk, count)
        left_plane = left.shape[2]
        plane = right.shape[2]
        at_spare = spare.ctypes.data
        at_costs = costs.ctypes.data
        at_sums = sums.ctypes.data
        at_above = above.ctypes.data + GUARD
        at_total = total.ctypes.data + BLOCK
        last = used - 1
        for x in range(width):
            store(at_above + x * (lanes + GUARD), zero)
        for y in range(height + 1):
            # Row y is walked to the right while row y − 1 is walked back. Each walk is one long chain of operations
            # that wait for one another; two side by side take little more time than one. Below the last row the way
            # to the right is walked for nobody, as is the way back above the first.
            row = min(y, height - 1)
            codes = left[row].ctypes.data
            mirrored = right[row].ctypes.data + base + offset
            row_up = 0 if row == 0 else 2 * plane
            row_down = 0 if row == height - 1 else 2 * plane
            out_near, out_low = zero, zero
            back_near, back_low = zero, zero
            for i in range(width):
                # The way back frees the memory that the way to the right fills: its direction changes with each row.
                slot = (i if y % 2 == 0 else width - 1 - i) * lanes
                stored_cost = load(at_costs + slot, chunk, count)
                stored_sum = load(at_sums + slot, chunk, count)
                # To the right, x = i.
                a = splat(byte_at(codes + i), chunk, count)
                b = splat(byte_at(codes + left_plane + i), chunk, count)
                here = mirrored - i
                cost = _bits_apart(here, plane, a, b, chunk, count)
                if tolerant:
                    up = _bits_apart(here - row_up, plane, a, b, chunk, count)
                    down = _bits_apart(here + row_down, plane, a, b, chunk, count)
                    cost = minimum(cost, add(minimum(up, down), off_row))
                cost = bit_or(cost, load(at_spare, chunk, count))
                store(at_costs + slot, cost)
                across = add_saturated(cost, minimum(subtract(out_near, out_low), p2))
                out_near = _near(across, p1)
                out_low = splat(lowest(across), chunk, count)
                # From above: its neighbours in disparity are read from memory, one byte to either side.
                pixel = at_above + i * (lanes + GUARD)
                near = minimum(load(pixel - 1, chunk, count), load(pixel + 1, chunk, count))
                step = _step(load(pixel, chunk, count), near, cost, p1, p2)
                store(pixel, subtract(step, splat(lowest(step), chunk, count)))
                store(at_sums + slot, add_saturated(across, step))
                # Back, x = width − 1 − i of the row before.
                across = add_saturated(stored_cost, minimum(subtract(back_near, back_low), p2))
                back_near = _near(across, p1)
                back_low = splat(lowest(across), chunk, count)
                sum_ = add_saturated(stored_sum, across)
                low = lowest(sum_)
                d = first_equal(sum_, low)
                store(at_total, sum_)
                before = byte_at(at_total + d - 1)
                after = byte_at(at_total + d + 1)
                limit = rivals[low]
                others = count_below(sum_, limit) - (before < limit) - (after < limit)
                low = np.uint8(255) if others > 1 else low  # 1: the winner itself
                flanks = (np.uint32(before) << np.uint32(16)) | (np.uint32(after) << np.uint32(24))
                found[width - 1 - i] = np.uint32(low) | (np.uint32(d) << np.uint32(8)) | flanks
            if y == 0:
                continue
            # The right view's winners: for each of its pixels the lowest sum among the left pixels that chose it;
            # the larger disparity where two are equal.
            votes[: width + last] = NO_VOTE
            for x in range(width):
                chosen = (found[x] >> np.uint32(8)) & np.uint32(255)
                chosen_from = np.uintp(x + last) - np.uintp(chosen)
                key = ((found[x] & np.uint32(255)) << np.uint32(8)) | (np.uint32(255) - chosen)
                votes[chosen_from] = min(votes[chosen_from], np.uint16(key))
            for k in range(width + last):
                winner = np.uint32(16) * (np.uint32(255) - (np.uint32(votes[k]) & np.uint32(255)))
                votes[k] = np.uint16(winner) if votes[k] < NO_VOTE else np.uint16(NO_VOTE)
            # Sixteenths of a pixel: the flanks of the sum are taken as equally steep, x = rise / (2 steep), and
            # slightly rounded at the bottom, x (9 − 2 |x|) / 8: without that, fractions crowd around whole pixels.
            for x in range(width):
                low_sum = np.int32(found[x] & np.uint32(255))
                d_ = np.int32((found[x] >> np.uint32(8)) & np.uint32(255))
                before_ = np.int32((found[x] >> np.uint32(16)) & np.uint32(255))
                after_ = np.int32(found[x] >> np.uint32(24))
                steep = max(max(before_, after_) - low_sum, np.int32(1))
                rise = before_ - after_
                part = np.float32(rise * (9 * steep - abs(rise))) / np.float32(steep * steep) + np.float32(8.5)
                part_ = np.int32(part) - np.int32(8) if (d_ > 0) & (d_ < np.int32(last)) else np.int32(0)
                column = np.int32(x) - np.int32(offset) - d_
                unseen = (low_sum == 255) | (column < 0) | (column >= np.int32(width))
                fine[x] = np.int32(INVALID) if unseen else d_ * np.int32(16) + part_
            # What the right view's pixels on either side of the match have chosen, both in one word; then compared.
            for x in range(width):
                sixteenths = np.int64(fine[x])
                shown = sixteenths if sixteenths != INVALID else 0
                place = x + last
                floor = np.uint32(votes[np.uintp(place - (shown >> 4))])
                ceiling = np.uint32(votes[np.uintp(place - ((shown + 15) >> 4))])
                found[x] = floor | (ceiling << np.uint32(16))
            lead = np.int32(16 * offset)
            apart_from = np.int32(16 * tolerance)
            for x in range(width):
                value = fine[x]
                vote = np.int32(found[x] & np.uint32(0xFFFF))
                other = np.int32(found[x] >> np.uint32(16))
                apart = (vote != np.int32(NO_VOTE)) & (abs(vote - value) > apart_from)
                apart &= (other != np.int32(NO_VOTE)) & (abs(other - value) > apart_from)
                out[y - 1, x] = np.int16(NONE) if (value == np.int32(INVALID)) | apart else np.int16(value + lead)

    return _jit(cache)(match)
