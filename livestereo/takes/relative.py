"""What a take keeps of a geometry without metres beside its rig: where infinity lies, which disparities occur. Pure.

Both were found from the pictures, or follow from what was asked for; another look at a take must not find them anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from calibration.rectify import Rectification

DOFFS, LEAST, SPAN = "doffs_px", "min_disparity_px", "disparity_span_px"


def relative_of(rectification: Rectification) -> dict[str, float]:
    """Give what the manifest keeps; nothing where depth is in metres, or where all is as for any rectified pair."""
    at = rectification
    if at.metric:
        return {}
    known = {DOFFS: at.doffs_px or None, LEAST: at.min_disparity_px, SPAN: at.disparity_span_px}
    return {name: float(value) for name, value in known.items() if value is not None}


def with_relative(rectification: Rectification, relative: Mapping[str, float]) -> Rectification:
    """Give the rectification as it was when the take was made."""
    if rectification.metric or not relative:
        return rectification
    least, span = relative.get(LEAST), relative.get(SPAN)
    return dataclasses.replace(
        rectification,
        doffs_px=relative.get(DOFFS, rectification.doffs_px),
        min_disparity_px=rectification.min_disparity_px if least is None else round(least),
        disparity_span_px=rectification.disparity_span_px if span is None else round(span),
    )
