"""A bench as one page: bars of throughput, curves of cost against size."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from pathlib import Path

from livestereo.evaluation.bench import BenchResult
from livestereo.imageio import write_bytes

# Okabe & Ito's palette: told apart with any colour vision.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#1b1f23;background:#fff;max-width:52rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:0}p.what{color:#586069;margin-top:.2rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse}td,th{padding:.2rem .9rem .2rem 0;text-align:right}
td:first-child,th:first-child{text-align:left}
th{border-bottom:1px solid #d0d7de}svg{width:100%;height:auto}svg text{font:13px system-ui,sans-serif;fill:#1b1f23}
@media (max-width:640px){svg{overflow:visible}svg text{font-size:17px}}
"""


def write_bench_report(path: Path, result: BenchResult, what: str) -> Path:
    """Write the page; it needs nothing from outside.

    Raises:
        OutputError: it cannot be written.
    """
    rates = {"plain StereoSGBM": result.naive_fps, "plain 3way": result.naive_3way_fps, **result.pipeline_fps}
    stages = "".join(f"<tr><td>{html.escape(k)}</td><td>{v:.1f}</td></tr>" for k, v in result.stage_ms.items())
    latency = result.latency_ms
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>",
        f"<title>livestereo bench</title><style>{STYLE}</style>",
        f"<h1>livestereo bench</h1><p class='what'>{html.escape(what)}</p>",
        "<h2>Pairs per second, everything shown but the window</h2>",
        _bars(rates, result.naive_fps),
        "<h2>Live at 30 pairs per second</h2>",
        f"<p>{result.live_fps:.1f} pairs/s; from the camera to a finished depth map {latency.get('p50', 0):.0f} ms, "
        f"95 % within {latency.get('p95', 0):.0f} ms. Peak memory {result.peak_mib:.0f} MiB.</p>",
        f"<table><tr><th>stage</th><th>ms</th></tr>{stages}</table>",
    ]
    if result.sweep:
        parts += ["<h2>Cost of matching on one thread</h2>", _curves(result), _cost_table(result)]
    write_bytes(path, "\n".join(parts).encode())
    return path


def _bars(rates: dict[str, float], base: float) -> str:
    row, left, width = 34, 150, 720
    most = max(rates.values())
    colours = _colours(rates)
    body = []
    for i, (name, rate) in enumerate(rates.items()):
        y = i * row
        length = (width - left - 150) * rate / most
        colour = colours.get(name, "#8c959f")
        body.append(f"<text x='{left - 10}' y='{y + 21}' text-anchor='end'>{html.escape(name)}</text>")
        body.append(f"<rect x='{left}' y='{y + 5}' width='{length:.1f}' height='{row - 11}' rx='3' fill='{colour}'/>")
        body.append(f"<text x='{left + length + 8:.1f}' y='{y + 21}'>{rate:.1f} · {rate / base:.1f} ×</text>")
    return _svg(f"0 0 {width} {len(rates) * row}", "pairs per second", body)


def _curves(result: BenchResult) -> str:
    width, height, left, bottom = 720, 300, 64, 46
    xs = [row["width"] * row["height"] * row["num_disparities"] / 1e6 for row in result.sweep]
    step_x, step_y = _step(max(xs)), _step(max(row["ms"] for row in result.sweep))
    most_x, most_y = max(xs) * 1.04, max(row["ms"] for row in result.sweep) * 1.08

    def at(x: float, y: float) -> tuple[float, float]:
        return left + x / most_x * (width - left - 120), (height - bottom) * (1 - y / most_y)

    body = []
    for i in range(math.floor(most_y / step_y) + 1):
        _, y = at(0, i * step_y)
        body.append(f"<line x1='{left}' x2='{width - 120}' y1='{y:.1f}' y2='{y:.1f}' stroke='#d0d7de'/>")
        body.append(f"<text x='{left - 8}' y='{y + 4:.1f}' text-anchor='end'>{i * step_y:g}</text>")
    for i in range(math.floor(most_x / step_x) + 1):
        x, _ = at(i * step_x, 0)
        body.append(f"<text x='{x:.1f}' y='{height - bottom + 20}' text-anchor='middle'>{i * step_x:g}</text>")
    colours = _colours(result.pipeline_fps)
    for name in dict.fromkeys(row["preset"] for row in result.sweep):
        points = sorted((x, row["ms"]) for x, row in zip(xs, result.sweep) if row["preset"] == name)
        places = [at(x, y) for x, y in points]
        colour = colours.get(name, COLOURS[-1])
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        body.append(f"<polyline points='{line}' fill='none' stroke='{colour}' stroke-width='2'/>")
        body += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='{colour}'/>" for x, y in places]
        x, y = places[-1]
        style = f"fill:{colour};font-weight:600"
        body.append(f"<text x='{x + 9:.1f}' y='{y + 4:.1f}' style='{style}'>{html.escape(name)}</text>")
    body.append(f"<text x='{left}' y='{height - 6}'>million pixels × disparities</text>")
    middle = (height - bottom) / 2
    body.append(f"<text x='14' y='{middle}' transform='rotate(-90 14 {middle})'>ms</text>")
    return _svg(f"0 -12 {width} {height + 14}", "cost of matching", body)


def _step(most: float) -> float:
    """Give a round distance of ticks, 1, 2 or 5 times a power of ten, of which four to nine reach `most`."""
    power = 10.0 ** math.floor(math.log10(max(most, 1e-6)))
    return next(step for step in (0.1 * power, 0.2 * power, 0.5 * power, power) if most / step < 10)


def _colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each preset, the same wherever it is drawn; the plain loops are gray."""
    own = [name for name in dict.fromkeys(names) if not name.startswith("plain")]
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(own)}


def _svg(box: str, label: str, body: list[str]) -> str:
    return f"<svg viewBox='{box}' role='img' aria-label='{label}'>{''.join(body)}</svg>"


def _cost_table(result: BenchResult) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(row['preset'])}</td><td>{row['width']}×{row['height']}</td><td>{row['num_disparities']}"
        f"</td><td>{row['ms']:.1f}</td><td>{row['ns_per_pixel_disparity']:.3f}</td></tr>"
        for row in result.sweep
    )
    heads = "".join(f"<th>{h}</th>" for h in ("preset", "size", "disparities", "ms", "ns per pixel and disparity"))
    return f"<table><tr>{heads}</tr>{rows}</table>"
