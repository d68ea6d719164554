"""Decoding the planes of a baseline JPEG, compiled: the bytes that libjpeg gives, in less time.

Most of the work is to find where each code of variable length ends, one after another. The two pictures of a pair are
walked in turn, so that one goes on while the other waits for its table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from livestereo.jpeg_bits_kernel import begin, ended_wrong, following, left_over, unstuffed, walk
from livestereo.jpeg_transform_kernel import finish_row

Compiled = Callable[..., Any]
U: Any = np.uint64


def make_decoder(cache: bool) -> Compiled:
    """Compile the decoding; see `decode` for the arguments."""

    def decode(
        scan: Any, length: int, marks: Any, data: Any, codes: Any, rest: Any, quant: Any, blocks: Any, used: int,
        scan_: Any, length_: int, marks_: Any, data_: Any, codes_: Any, rest_: Any, quant_: Any, blocks_: Any,
        used_: int, rows: int, sections: Any, slots: Any, coefficients: Any, before: Any, space: Any, words: Any,
        luma: Any, blue: Any, red: Any, luma_: Any,
    ) -> Any:  # fmt: skip
        """Decode all planes of the first scan, and the luma of the second one, which has the same shape.

        Gives True where one is not as it should be, and what was written means nothing. Names with _ are of the second
        picture. scan: uint8, its first `length` bytes. marks: (m,) int64, where these are 255. codes, rest, quant: see
        `jpeg_header.Tables`. rows: of units. blocks: (n,4) uint64 of such a row: tables of its first and its other
        coefficients, place, component. sections: (1 or 3, 4) int64, of the planes, see `finish_row`. slots: (256,)
        uint64, by the number of coefficients read. luma, blue, red: planes, see `finish_row`. Working memory: data
        uint8, longer than the scan by as much as a row may go astray; coefficients (2, …) int16, of which `used` are
        wanted; before (2,3), space (64 · SIDE,) int32; words (16 · SIDE,) uint32.
        """
        left, left_ = unstuffed(scan, length, marks, data), unstuffed(scan_, length_, marks_, data_)
        at, at_ = U(data.ctypes.data), U(data_.ctypes.data)
        start, end, start_, end_ = at, at + left, at_, at_ + left_
        bits, count, bits_, count_ = U(0), U(0), U(0), U(0)
        for i in range(3):
            before[0, i] = before[1, i] = 0
        wrong = False
        number = U(blocks.shape[0])
        at_blocks, at_blocks_, at_slots = U(blocks.ctypes.data), U(blocks_.ctypes.data), U(slots.ctypes.data)
        at_before, at_codes, at_rest = U(before[0].ctypes.data), U(codes.ctypes.data), U(rest.ctypes.data)
        at_before_, at_codes_, at_rest_ = U(before[1].ctypes.data), U(codes_.ctypes.data), U(rest_.ctypes.data)
        to, to_ = U(coefficients[0].ctypes.data), U(coefficients[1].ctypes.data)
        for row in range(rows):
            for i in range(used):
                coefficients[0, i] = 0
            for i in range(used_):
                coefficients[1, i] = 0
            block, block_ = U(0), U(0)
            bits, count, at, k, place, table = begin(
                bits, count, at, block, at_blocks, at_before, at_codes, at_rest, to
            )
            bits_, count_, at_, k_, place_, table_ = begin(
                bits_, count_, at_, block_, at_blocks_, at_before_, at_codes_, at_rest_, to_
            )
            while True:
                bits, count, at, k = following(bits, count, at, k, place, table, at_codes, at_rest, at_slots, to)
                bits_, count_, at_, k_ = following(
                    bits_, count_, at_, k_, place_, table_, at_codes_, at_rest_, at_slots, to_
                )
                if k >= U(64):
                    wrong |= ended_wrong(k)
                    block += U(1)
                    if block == number:
                        break
                    bits, count, at, k, place, table = begin(
                        bits, count, at, block, at_blocks, at_before, at_codes, at_rest, to
                    )
                if k_ >= U(64):
                    wrong |= ended_wrong(k_)
                    block_ += U(1)
                    if block_ == number:
                        break
                    bits_, count_, at_, k_, place_, table_ = begin(
                        bits_, count_, at_, block_, at_blocks_, at_before_, at_codes_, at_rest_, to_
                    )
            # One of them has come to the end of its row; the other walks on alone.
            if block < number:
                bits, count, at, astray = walk(
                    bits, count, at, k, place, table, block, number, at_blocks, at_before, at_codes, at_rest, at_slots,
                    to,
                )  # fmt: skip
                wrong |= astray
            if block_ < number:
                bits_, count_, at_, astray = walk(
                    bits_, count_, at_, k_, place_, table_, block_, number, at_blocks_, at_before_, at_codes_, at_rest_,
                    at_slots, to_,
                )  # fmt: skip
                wrong |= astray
            wrong |= (at > end + U(8)) | (at_ > end_ + U(8))
            if wrong:
                break
            wrong |= finish_row(coefficients[0], sections[0], quant, row, space, words, luma)
            wrong |= finish_row(coefficients[1], sections[0], quant_, row, space, words, luma_)
            if sections.shape[0] == 3:
                wrong |= finish_row(coefficients[0], sections[1], quant, row, space, words, blue)
                wrong |= finish_row(coefficients[0], sections[2], quant, row, space, words, red)
        return wrong | left_over(at - start, count, left) | left_over(at_ - start_, count_, left_)

    jit: Any = numba.njit(nogil=True, boundscheck=False, cache=cache, error_model="numpy")
    made: Compiled = jit(decode)
    return made
