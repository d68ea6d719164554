"""Checks of the two pictures themselves: order, turns, exposure, colour, focus, darkness, frozen, flicker, blocks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.order import SURE, exchanged
from calibration.quality import is_swapped
from livestereo.diagnosis.evidence import Evidence, blockiness, gray
from livestereo.diagnosis.following import one_scene
from livestereo.types import U8, Finding

CAPTURE, GEOMETRY, SCENE, NOTE = 0.9, 0.8, 0.4, 0.2


def size(e: Evidence) -> Finding | None:
    """Pictures of different sizes. A rig of both expects them; without one, what they show must bring them together."""
    (h1, w1), (h2, w2) = (image.shape[:2] for image in (e.last.left.image, e.last.right.image))
    if (h1, w1) == (h2, w2):
        return Finding("size", f"Both pictures are {w1}x{h1}.", ok=True)
    told = f"Left is {w1}x{h1}, right {w2}x{h2}"
    if e.rig_file is not None and e.rectification is not None:
        return Finding("size", f"{told}, as the rig expects.", ok=True)
    if e.result is not None:
        return Finding("size", f"{told}, brought to one by what both show.", ok=True)
    fix = "Ask both for one size with --size, or calibrate these two." if e.info.live else "Give two of one size."
    if e.matches.enough:
        return Finding("size", f"{told}: they can be brought to one by what both show, no better.", fix, GEOMETRY)
    return Finding("size", f"{told}, and nothing that both show brings them together.", fix, 1.0)


def frozen(e: Evidence) -> Finding | None:
    """A side that gives the same picture again and again while the other one changes, or that has stalled."""
    for side, state in (("left", e.stats.state_left), ("right", e.stats.state_right)):
        if state in ("frozen", "stalled", "missing"):
            return Finding(
                "frozen", f"The {side} camera is {state}.", "Plug it in again; try another cable or port.", 1.0
            )
    if len(e.frames) < 4:
        return None
    same = {
        side: sum(
            np.array_equal(getattr(a, side).image, getattr(b, side).image) for a, b in zip(e.frames, e.frames[1:])
        )
        for side in ("left", "right")
    }
    steps = len(e.frames) - 1
    for side, other in (("left", "right"), ("right", "left")):
        if same[side] >= max(3, 0.5 * steps) and same[other] < 0.3 * steps:
            return Finding(
                "frozen", f"The {side} picture stood still in {same[side]} of {steps} steps while the other moved.",
                "Plug the camera in again; try another cable or port.", 1.0,
            )  # fmt: skip
    return Finding("frozen", "Both pictures change.", ok=True)


def turned(e: Evidence) -> list[Finding]:
    """Mirrored, turned or exchanged pictures."""
    at = e.arranged
    if not at.known:
        return []
    found = []
    if at.mirrored:
        found.append(
            Finding("mirrored", "One picture is a mirror image of the other.", "Use --flip h,none or none,h.", 1.0)
        )
    elif at.rotated_deg:
        found.append(
            Finding(
                "rotated", f"The right picture is turned by {at.rotated_deg}° against the left one.",
                f"Use --flip none,{360 - at.rotated_deg}.", 1.0,
            )
        )  # fmt: skip
    else:
        found += [
            Finding("mirrored", "No picture is mirrored.", ok=True),
            Finding("rotated", "Both are upright.", ok=True),
        ]
    points = e.rectified_points
    swapped = at.swapped
    if points is not None and e.rectification is not None and found[0].ok:
        swapped = is_swapped(points[0][:, 0] - points[1][:, 0] + e.rectification.doffs_px)
        if swapped and e.turned_apart:
            swapped = False
    told = 0.0
    if swapped and e.rig_file is None:  # only a rig, or what hides what, tells where infinity lies
        moves = e.matches.left_px[:, 0] - e.matches.right_px[:, 0]
        told = exchanged(e.last.left.image, e.last.right.image, *(float(v) for v in np.percentile(moves, (2, 98))))
        swapped = told > -SURE
    if swapped and not at.mirrored and not at.rotated_deg:
        what, fix = "Left and right are exchanged: near things move the wrong way.", "Use --swap."
        if e.rig_file is None and told < SURE:
            what = (
                "Everything moves the wrong way: left and right are exchanged, or were turned inwards or shifted "
                "against each other."
            )
            fix = "Use --swap if they are exchanged; else calibrate, or use a negative --min-disparity."
        found.append(Finding("swapped", what, fix, 0.99))
    elif swapped is False:
        found.append(Finding("swapped", "Left and right are in the right order.", ok=True))
    return found


def exposure(e: Evidence) -> Finding | None:
    """One picture brighter than the other, measured at matched places."""
    if e.patches is None:
        return None
    left, right = (side.mean(axis=1) for side in e.patches)
    usable = (left > 12) & (right > 12) & (left < 240) & (right < 240)
    if usable.sum() < 30:
        return None
    ratio = float(np.exp(np.median(np.log(right[usable] / left[usable]))))
    larger = max(ratio, 1 / ratio)
    brighter = "right" if ratio > 1 else "left"
    text = f"The {brighter} picture is {100 * (larger - 1):.0f} % brighter than the other."
    severity = CAPTURE * min(1.0, 0.8 + larger / 10)
    if larger < 1.16:
        return Finding("exposure", f"Both are exposed alike (ratio {ratio:.2f}).", ok=True)
    return Finding("exposure", text, "Lock the exposure of both: key k, or --exposure locked.", severity)


def white_balance(e: Evidence) -> Finding | None:
    """The same thing in two colours, measured at matched places."""
    if e.patches is None:
        return None
    left, right = e.patches
    usable = ((left > 15) & (right > 15) & (left < 235) & (right < 235)).all(axis=1)
    if usable.sum() < 30:
        return None
    colourful = float(
        np.abs(np.concatenate([left[usable, 2] - left[usable, 0], right[usable, 2] - right[usable, 0]])).mean()
    )
    if colourful < 1.0:
        return None  # gray cameras have no white balance
    ratio = np.log(right[usable] / left[usable])
    shift = np.median(ratio[:, [0, 2]] - ratio[:, [1]], axis=0)
    percent = 100 * (np.exp(np.abs(shift)) - 1)
    worst = int(np.argmax(percent))
    if percent[worst] < 8:
        return Finding("white_balance", f"Colours agree within {percent[worst]:.0f} %.", ok=True)
    name = ("blue", "red")[worst]
    more = "right" if shift[worst] > 0 else "left"
    return Finding(
        "white_balance", f"The {more} picture has {percent[worst]:.0f} % more {name} than the other.",
        "Lock the white balance of both: key k.", CAPTURE * 0.9,
    )  # fmt: skip


def sharpness(e: Evidence) -> list[Finding]:
    """One picture blurred against the other (focus), or both (blur)."""
    at = e.edge_widths
    if at is None:
        return []
    found = []
    wide, sharp = max(at.left, at.right), min(at.left, at.right)
    soft, other = ("left", "right") if at.left > at.right else ("right", "left")
    if at.unequal:
        found.append(
            Finding(
                "focus", f"The {soft} picture is blurred: edges {wide:.1f} px wide against {sharp:.1f}.",
                "Focus both cameras at the working distance and switch autofocus off.", CAPTURE,
            )
        )  # fmt: skip
    else:
        found.append(Finding("focus", f"Both are equally sharp ({at.left:.1f} and {at.right:.1f} px).", ok=True))
    if at.both_blurred:
        found.append(
            Finding(
                "blur", f"Both pictures are blurred: the sharpest edges are {at.least:.1f} px wide.",
                "Clean the lenses, focus, and give more light so that exposure is shorter.", CAPTURE * 0.85,
            )
        )  # fmt: skip
    else:
        which = f"The {other} picture" if at.unequal else "At least one picture"
        found.append(Finding("blur", f"{which} is sharp: its sharpest edges are {at.least:.1f} px wide.", ok=True))
    return found


def light(e: Evidence) -> list[Finding]:
    """Too dark, or too bright, in both pictures or in one."""
    found = []
    worst_dark, worst_bright = 255.0, 0.0
    for picture in e.grays:
        worst_dark = min(worst_dark, float(np.percentile(picture, 90)))
        worst_bright = max(worst_bright, 100 * float(np.mean(picture >= 250)))
    median = min(float(np.median(p)) for p in e.grays)
    if worst_dark < 70 and median < 40:
        found.append(
            Finding(
                "dark",
                f"It is too dark: nine of ten pixels are below {worst_dark:.0f} of 255.",
                "Give more light.",
                0.86,
            )
        )
    else:
        found.append(Finding("dark", f"Bright enough (nine of ten pixels below {worst_dark:.0f}).", ok=True))
    if worst_bright > 18:
        found.append(
            Finding(
                "bright", f"{worst_bright:.0f} % of a picture is white: nothing can be seen there.",
                "Less light, a shorter exposure, or turn the cameras away from the window.", 0.86,
            )
        )  # fmt: skip
    else:
        found.append(Finding("bright", f"{worst_bright:.1f} % of the picture is white.", ok=True))
    return found


def flicker(e: Evidence) -> Finding | None:
    """Bands of light that run through the picture: lamps at another frequency than the exposure."""
    if len(e.frames) < 4:
        return None
    worst = 0.0
    for side in ("left", "right"):
        rows = np.stack([gray(getattr(f, side).image).mean(axis=1).astype(np.float64) for f in e.frames])
        rows = np.log(np.maximum(rows, 4.0))
        change = rows - rows.mean(axis=0)
        change -= change.mean(axis=1, keepdims=True)
        n = change.shape[1]
        smooth = cv2.GaussianBlur(change, (1, 1), 0)
        wave = np.abs(np.fft.rfft(smooth * np.hanning(n), axis=1)) / (0.5 * n * 0.5)
        # One to eight bands over the height; what moves through the scene has no single frequency.
        band = wave[:, 1:9]
        rest = np.median(wave[:, 9:40], axis=1)
        strong = band.max(axis=1)
        tonal = strong / np.maximum(band.sum(axis=1), 1e-9) > 0.38
        worst = max(worst, float(np.median(np.where(tonal & (strong > 8 * rest), strong, 0.0))))
    if worst < 0.012:
        return Finding("flicker", "No bands run through the pictures.", ok=True)
    if not one_scene(e):
        return None  # photos of different things: what differs between them is no lamp
    return Finding(
        "flicker", f"Bands of {100 * worst:.0f} % brightness run through the picture: the lamps flicker.",
        "Set the power-line frequency, or an exposure of 10 or 20 ms (50 Hz), 8.3 or 16.7 ms (60 Hz).", CAPTURE * 0.92,
    )  # fmt: skip


def compression(e: Evidence) -> Finding | None:
    """Blocks of a strong JPEG."""
    worst = max(blockiness(picture) for picture in e.grays)
    if worst < 1.55:
        return Finding("compression", f"No blocks to be seen ({worst:.2f}).", ok=True)
    return Finding(
        "compression", f"The pictures are blocky: steps at the borders of JPEG blocks are {worst:.1f} times as large.",
        "Ask for less compression: another --fourcc, a smaller --size, or one camera per USB port."
        if e.info.live
        else "Save pictures and films with less compression, best with none (.png).",
        CAPTURE * 0.82,
    )  # fmt: skip


def glare(e: Evidence) -> Finding | None:
    """Highlights that lie elsewhere in the other picture, as reflections do: matches fail there."""
    if not e.matches.enough or e.arranged.mirrored or e.arranged.rotated_deg:
        return None
    left, right = e.grays
    points = e.matches.left_px, e.matches.right_px
    lone = 0
    for own, other, here, there in ((left, right, *points), (right, left, *points[::-1])):
        for spot in _white_spots(own):
            near = np.linalg.norm(here - spot, axis=1) < 0.12 * own.shape[1]
            if near.sum() < 5:
                continue
            # Where the surface around the spot says that it should be in the other picture, as surely as it says so.
            moves = there[near] - here[near]
            x, y = np.rint(spot + np.median(moves, axis=0)).astype(int)
            low, high = np.percentile(moves, [10, 90], axis=0)
            rx, ry = (4 + np.ceil(0.5 * (high - low) + 0.005 * own.shape[1])).astype(int)
            if rx > 0.1 * own.shape[1]:
                continue  # near and far things around it: it may be anywhere
            patch = other[max(0, y - ry) : y + ry + 1, max(0, x - rx) : x + rx + 1]
            lone += patch.size > 20 and float(np.percentile(patch, 95)) < 220
    if lone == 0:
        return Finding("glare", "No reflections: bright spots lie at the same place in both pictures.", ok=True)
    spots = "bright spot is" if lone == 1 else "bright spots are"
    return Finding(
        "glare", f"{lone} {spots} missing at the same place in the other picture: reflections on something glossy.",
        "Turn the board or the lamp so that no lamp is mirrored; matt paper helps.", CAPTURE * 0.8,
    )  # fmt: skip


def _white_spots(picture: U8) -> list[NDArray[np.float64]]:
    """Middles of compact saturated areas with a darker rim, (2,) px each."""
    white = cv2.morphologyEx((picture >= 250).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5)))
    count, _, stats, middles = cv2.connectedComponentsWithStats(white)
    spots = []
    for i in range(1, count):
        w, h, area = stats[i, cv2.CC_STAT_WIDTH], stats[i, cv2.CC_STAT_HEIGHT], stats[i, cv2.CC_STAT_AREA]
        compact = area > 0.5 * w * h and max(w, h) < 4 * min(w, h)
        if compact and 0.0008 < area / picture.size < 0.06:
            spots.append(middles[i])
    return spots
