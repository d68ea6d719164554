"""Name every wrong field of a rig file, with what was expected and what stands there."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from pydantic import ValidationError

from calibration.errors import CalibrationError

_EXPECTED = {
    "missing": "is missing",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be an object {…}",
    "model_type": "must be an object {…}",
    "model_attributes_type": "must be an object {…}",
    "recursion_loop": "is nested too deeply",
}


def describe(error: ValidationError) -> list[dict[str, str]]:
    """Give the wrong fields that a validation found: field, expected, found."""
    fields: list[dict[str, str]] = []
    for item in error.errors(include_url=False):
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"]).lstrip(".")
        kind, context = item["type"], item.get("ctx", {})
        if kind in _EXPECTED:
            expected = _EXPECTED[kind]
        elif kind == "value_error":
            expected = str(context["error"])
        elif kind == "literal_error":
            expected = f"must be one of {context['expected']}"
        elif kind in ("too_short", "too_long"):
            count = context.get("min_length") if kind == "too_short" else context.get("max_length")
            expected = f"must have {count} entries"
        else:
            expected = item["msg"].replace("Input should", "must").replace("Value should", "must")
        found = "" if kind == "missing" else short(item.get("input"))
        fields.append({"field": where, "expected": expected, "found": found})
    return fields


def not_finite(value: Any, where: str) -> list[dict[str, str]]:
    """Name every NaN and infinity, which Python reads although JSON has none, wherever it stands."""
    if isinstance(value, dict):
        return [field for key, item in value.items() for field in not_finite(item, f"{where}.{key}")]
    if isinstance(value, list):
        return [field for i, item in enumerate(value) for field in not_finite(item, f"{where}[{i}]")]
    if isinstance(value, float) and not np.isfinite(value):
        return [{"field": where.lstrip("."), "expected": _EXPECTED["finite_number"], "found": short(value)}]
    return []


def wrong_fields(name: str, fields: list[dict[str, str]]) -> CalibrationError:
    """Give the error that names all wrong fields of a file at once."""
    said = "; ".join(f"{f['field']} {f['expected']}" + (f" (it is {f['found']})" if f["found"] else "") for f in fields)
    count = "one wrong field" if len(fields) == 1 else f"{len(fields)} wrong fields"
    return CalibrationError(
        f"{name} has {count}: {said}.",
        "Correct them, or make the rig again with `livestereo calibrate`.",
        details={"fields": fields},
    )


def short(value: object) -> str:
    """Give a value as it stands in the file, cut where it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = str(type(value).__name__)
    return text if len(text) <= 40 else text[:37] + "…"
