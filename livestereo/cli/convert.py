"""`livestereo convert`: rig files of other programs, in and out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from livestereo import __version__
from livestereo.cli._options import command
from livestereo.cli._output import Output
from livestereo.errors import SettingsError

if TYPE_CHECKING:
    from calibration.exchange import Options
    from calibration.rigfile import RigFile

_UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001}


@command
def convert(
    files: Annotated[list[str], typer.Argument(metavar="IN [IN2] OUT [OUT2]", show_default=False, help="Rig files.")],
    output: Output,
    form_in: Annotated[
        str | None, typer.Option("--from", metavar="FORMAT", help="Format of IN; found by content if left out.")
    ] = None,
    form_out: Annotated[
        str | None,
        typer.Option("--to", metavar="FORMAT", help="Format of OUT; our own (livestereo) if left out."),
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", metavar="WxH", help="Picture size, where IN does not hold it.")
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option("--unit", metavar="m|cm|mm|squares", help="Unit of lengths in IN, where the format has none."),
    ] = None,
    cameras: Annotated[
        str | None,
        typer.Option("--cameras", metavar="L,R", help="Which cameras of IN are left and right, where it has more."),
    ] = None,
) -> None:
    """Convert a rig file to or from another program's.

    Example: `livestereo convert calib.txt rig.json`, or `livestereo convert rig.json left.yaml right.yaml --to ros`.

    Formats: livestereo, opencv, ros (two files: left, right), kalibr, middlebury, kitti; read only: euroc (two files).
    With three paths, `--to ros` means one in and two out, otherwise two in and one out.
    What a format cannot hold is refused, not dropped.
    """
    from calibration.exchange import NATIVE, read_foreign, write_foreign
    from livestereo.imageio import make_place

    paths_in, paths_out = _split(files, form_out)
    rig_file, notes, found = read_foreign(paths_in, form_in, _options(unit, cameras))
    target = form_out or _target(paths_out, found)
    if size is not None:
        rig_file = _sized(rig_file, size)
        notes = tuple(note for note in notes if "picture size" not in note)
    if found != NATIVE and target == NATIVE:
        made = rig_file.made_by.model_copy(
            update={"program": "livestereo", "version": __version__, "command": f"convert --from {found}"}
        )
        rig_file = rig_file.model_copy(update={"made_by": made})
    for path in paths_out:
        make_place(Path(path))
    write_foreign(paths_out, rig_file, target)
    lost = _not_carried(rig_file) if target != NATIVE else []
    for note in (*notes, *lost):
        output.warn(note) if note in lost else output.say(note)
    rig = rig_file.rig
    sizes = [camera.size_wh for camera in (rig.left, rig.right)]
    output.result(
        {
            "from": found,
            "to": target,
            "written": paths_out,
            "size_left": sizes[0],
            "size_right": sizes[1],
            "baseline_m": rig.baseline_m if rig_file.metric else None,
            "focal_left_px": rig.left.focal_px,
            "focal_right_px": rig.right.focal_px,
            "metric": rig_file.metric,
            "warnings": [*notes, *lost],
        }
    )
    length = f"{rig.baseline_m * 1000:.4g} mm" if rig_file.metric else f"{rig.baseline_m:.4g} squares"
    shown = " and ".join("unknown size" if s is None else f"{s[0]}x{s[1]}" for s in dict.fromkeys(sizes))
    output.show(
        f"{found} → {target}: baseline {length}, focal length {rig.left.focal_px:.1f} px, {shown}; "
        f"wrote {' and '.join(paths_out)}"
    )


def _split(files: list[str], form_out: str | None) -> tuple[list[str], list[str]]:
    if not 2 <= len(files) <= 4:
        raise SettingsError(
            f"convert takes two to four paths, {len(files)} given.",
            "As in: livestereo convert calib.txt rig.json",
        )
    inputs = 1 if len(files) == 2 or (len(files) == 3 and form_out == "ros") else 2
    return files[:inputs], files[inputs:]


def _target(paths_out: list[str], found: str) -> str:
    from calibration.exchange import FORMATS, NATIVE

    if found == NATIVE and not paths_out[0].endswith(".json"):
        raise SettingsError(
            f"The format of {paths_out[0]} is not clear.", f"Name it with --to: {', '.join([NATIVE, *FORMATS])}."
        )
    return NATIVE


def _options(unit: str | None, cameras: str | None) -> Options:
    from calibration.exchange import Options
    from calibration.exchange.kitti import cameras_of

    if unit is not None and unit not in (*_UNITS, "squares"):
        raise SettingsError(f"--unit must be m, cm, mm or squares, is {unit}.", "It is that of lengths in the file.")
    return Options(
        unit_m=_UNITS.get(unit or ""),
        squares=unit == "squares",
        cameras=None if cameras is None else cameras_of(cameras),
    )


def _sized(rig_file: RigFile, text: str) -> RigFile:
    """Fill in the size that a file lacks.

    Raises:
        SettingsError: the text is no size, or the file says another.
    """
    from calibration.rectify import with_sizes

    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.strip())
    if match is None or not all(0 < int(part) < 32768 for part in match.groups()):
        raise SettingsError(f"--size must be like 640x480, is {text!r}.", "Write width x height in pixels.")
    size = (int(match[1]), int(match[2]))
    for side, camera in (("left", rig_file.rig.left), ("right", rig_file.rig.right)):
        if camera.size_wh not in (None, size):
            w, h = camera.size_wh or (0, 0)
            raise SettingsError(
                f"The file says {w}x{h} for the {side} camera, not {text}.",
                "Leave --size out; to use the rig at another size, give --scale-rig to the command that uses it.",
            )
    return rig_file.model_copy(update={"rig": with_sizes(rig_file.rig, size, size)})


def _not_carried(rig_file: RigFile) -> list[str]:
    """Say what the geometry's user must now remember by himself."""
    lost = []
    capture = rig_file.capture
    if capture.swap:
        lost.append("The rig was calibrated with --swap; the other format cannot say so.")
    if any(flip != "none" for flip in capture.flip):
        lost.append(f"The rig was calibrated with --flip {','.join(capture.flip)}; the other format cannot say so.")
    if rig_file.stamp_bias_ms:
        lost.append(f"The stamp bias of {rig_file.stamp_bias_ms:.2f} ms is not in the other format.")
    return lost
