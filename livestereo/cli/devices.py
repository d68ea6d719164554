"""`livestereo devices`: which cameras are attached, and what they can really do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from livestereo.cli._options import command
from livestereo.cli._output import Output

if TYPE_CHECKING:
    from livestereo.sources.devices import Device
    from livestereo.sources.probe import Measured, Together


@command
def devices(
    output: Output,
    probe: Annotated[
        bool, typer.Option("--probe", help="Try sizes, rates and formats, each camera alone and two at once.")
    ] = False,
) -> None:
    """List the cameras: stable id, path, name, formats.

    Example: `livestereo devices --probe`
    """
    from livestereo.sources.devices import list_devices
    from livestereo.sources.probe import offered_modes

    found = list_devices()
    cameras: list[dict[str, Any]] = [
        {
            "id": device.id,
            "index": device.index,
            "path": device.path or None,
            "name": device.name,
            "backend": device.backend_name,
            "formats": [
                {"fourcc": mode.fourcc, "width": mode.size_wh[0], "height": mode.size_wh[1], "fps": mode.fps}
                for mode in offered_modes(device)
            ],
            "probed": None,
        }
        for device in found
    ]
    together: list[dict[str, Any]] | None = None
    if probe and found:
        together = _probe(found, cameras, output)
    output.result({"cameras": cameras, "together": together})
    _show(cameras, output)
    if together is not None:
        _show_probed(found, cameras, together, output)


def _probe(found: list[Device], cameras: list[dict[str, Any]], output: Output) -> list[dict[str, Any]]:
    """Probe every camera alone, then each two neighbours at once; fills `probed` of the cameras."""
    from livestereo.sources.probe import probe_alone, probe_together

    working: list[list[tuple[str, tuple[int, int]]]] = []
    for device, camera in zip(found, cameras):
        output.say(f"Trying the modes of {device.name} …")
        measured = list(probe_alone(device))
        camera["probed"] = [_measured(item) for item in measured]
        working.append([(item.fourcc, item.size_wh) for item in measured if item.fps])
    together = []
    for at in range(len(found) - 1):
        both = [mode for mode in working[at] if mode in working[at + 1]]
        output.say(f"Trying {found[at].name} and {found[at + 1].name} at once …")
        for item in probe_together(found[at], found[at + 1], both):
            together.append({"left": found[at].id, "right": found[at + 1].id, **_together(item)})
    return together


def _measured(item: Measured) -> dict[str, Any]:
    return {
        "fourcc": item.fourcc, "width": item.size_wh[0], "height": item.size_wh[1],
        "said_fps": item.said_fps, "fps": round(item.fps, 1), "cause": item.cause or None,
    }  # fmt: skip


def _together(item: Together) -> dict[str, Any]:
    from livestereo.sources.probe import both_work

    return {
        "fourcc": item.fourcc, "width": item.size_wh[0], "height": item.size_wh[1],
        "fps_left": round(item.fps[0], 1), "fps_right": round(item.fps[1], 1), "ok": both_work(item),
        "cause": item.cause or None,
    }  # fmt: skip


def _show(cameras: list[dict[str, Any]], output: Output) -> None:
    from rich.table import Table

    if not cameras:
        output.show("No camera is attached. `livestereo demo` needs none.")
        return
    table = Table(box=None, pad_edge=False)
    for title in ("camera", "stable id", "path", "name", "formats"):
        table.add_column(title, overflow="fold")
    for camera in cameras:
        best: dict[str, tuple[int, int]] = {}
        for mode in camera["formats"]:
            size = (mode["width"], mode["height"])
            best[mode["fourcc"]] = max(best.get(mode["fourcc"], (0, 0)), size)
        formats = ", ".join(f"{fourcc} up to {w}x{h}" for fourcc, (w, h) in best.items()) or "—"
        table.add_row(str(camera["index"]), camera["id"], camera["path"] or "—", camera["name"], formats)
    output.show(table)
    if len(cameras) == 1:
        output.show("One camera: depth needs two, or one that carries both views (--side-by-side).")


def _show_probed(
    found: list[Device], cameras: list[dict[str, Any]], together: list[dict[str, Any]], output: Output
) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title="What really came", title_justify="left")
    for title in ("camera", "format", "size", "pictures/s", ""):
        table.add_column(title)
    for camera in cameras:
        for mode in camera["probed"]:
            size = f"{mode['width']}x{mode['height']}"
            table.add_row(camera["name"], mode["fourcc"], size, f"{mode['fps']:.1f}", mode["cause"] or "")
    for mode in together:
        pair = " + ".join(next(d.name for d in found if d.id == mode[side]) for side in ("left", "right"))
        rates = f"{mode['fps_left']:.1f} + {mode['fps_right']:.1f}"
        table.add_row(pair, mode["fourcc"], f"{mode['width']}x{mode['height']}", rates, mode["cause"] or "")
    output.show(table)
