"""The command `effect`: what depth is good for, on photos, videos, takes and cameras."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from livestereo.cli._options import MatchOptions, Pictures, RigOptions, SourceOptions, command
from livestereo.cli._output import Output
from livestereo.errors import LiveStereoError

if TYPE_CHECKING:
    from livestereo.render.effects import EffectSettings

_panel = "Effect"


def _option(text: str, *names: str, metavar: str | None = None, panel: str = _panel, **more: Any) -> Any:
    return typer.Option(*names, metavar=metavar, rich_help_panel=panel, help=text, **more)


@command
def effect(
    pictures: Pictures,
    source: SourceOptions,
    rig: RigOptions,
    match: MatchOptions,
    output: Output,
    kind: Annotated[
        str, _option("fog, focus, miniature, anaglyph, sbs, wiggle, occlude or cutout.", "--as", metavar="EFFECT")
    ],
    out: Annotated[
        Path | None,
        _option(
            "Picture, video (.mp4, .mkv), animation (.gif, .webp), .mpo, or a folder.", "-o", "--output", metavar="FILE"
        ),
    ] = None,
    medium: Annotated[str, _option("fog: fog, smoke or water.", "--medium", metavar="NAME")] = "fog",
    visibility: Annotated[
        float | None,
        _option(
            "fog: distance at which 2 % of contrast is left; of smoke, where it is densest.",
            "--visibility",
            metavar="M",
        ),
    ] = None,
    rising: Annotated[bool, _option("fog: smoke (--medium smoke) gathers above instead of below.", "--rising")] = False,
    focus: Annotated[float | None, _option("focus, miniature: the sharp distance.", "--focus", metavar="M")] = None,
    focus_at: Annotated[
        str | None, _option("focus, miniature: what is sharp, as a pixel.", "--focus-at", metavar="U,V")
    ] = None,
    aperture: Annotated[
        float | None,
        _option("focus: f-number of a full-frame lens with this view, such as 1.4.", "--aperture", metavar="N"),
    ] = None,
    blur: Annotated[
        float | None, _option("focus: radius of the blur of the background, pixels.", "--blur", metavar="PX")
    ] = None,
    glasses: Annotated[
        str, _option("anaglyph: dubois, colour, half-colour or gray.", "--glasses", metavar="NAME")
    ] = "dubois",
    layout: Annotated[str, _option("sbs: parallel, cross or half.", "--layout", metavar="NAME")] = "parallel",
    zero_parallax: Annotated[
        float | None,
        _option(
            "anaglyph, sbs: disparity that lies on the screen; wiggle: that stands still.",
            "--zero-parallax",
            metavar="PX",
        ),
    ] = None,
    between: Annotated[int, _option("wiggle: views made up on the way.", "--between", metavar="N")] = 5,
    frame_ms: Annotated[int, _option("wiggle: duration of a frame.", "--frame-ms", metavar="MS")] = 70,
    reach: Annotated[float, _option("wiggle: share of the way to swing.", "--reach", metavar="0..1")] = 1.0,
    insert: Annotated[
        list[str] | None,
        _option(
            "occlude: `sphere` or a picture, its centre, depth and width; may be given again.",
            "--insert",
            metavar="WHAT@U,V,DEPTH,SIZE[,COLOUR]",
        ),
    ] = None,
    near: Annotated[float, _option("cutout: nearest distance that stays.", "--near", metavar="M")] = 0.0,
    far: Annotated[float | None, _option("cutout: farthest distance that stays.", "--far", metavar="M")] = None,
    background: Annotated[
        str | None, _option("cutout: a colour (#203040), a picture, or `blur`.", "--background", metavar="WHAT")
    ] = None,
    quick: Annotated[bool, _option("Less careful outlines, many times faster.", "--quick")] = False,
    show: Annotated[bool, _option("Show it in a window.", "--show")] = False,
    frames: Annotated[int | None, _option("Only the first N pairs.", "--frames", metavar="N")] = None,
    duration: Annotated[
        float | None, _option("Cameras: stop after so many seconds.", "--duration", metavar="S")
    ] = None,
) -> None:
    """Use depth: fog, selective focus, miniature, 3D pictures, wiggle, things put into the scene, cut-outs.

    Example: livestereo effect left.jpg right.jpg --as focus --focus-at 320,240 -o portrait.png
    """  # fmt: skip
    from livestereo.cli._build import settings_from
    from livestereo.cli._choices import check_duration, one_of, within
    from livestereo.cli._effect_files import Background, Outlet, check_output, parse_point, parse_things
    from livestereo.cli._effect_run import EffectRun
    from livestereo.cli._results import Troubles, expects_many
    from livestereo.cli._setup import open_pictures
    from livestereo.render.effects import EFFECT_NAMES, EffectSettings
    from livestereo.render.effects.settings import MEDIA
    from livestereo.render.effects.stereo3d import GLASSES, LAYOUTS

    within("--frames", frames, 1)
    within("--frame-ms", frame_ms, 10, 60_000)
    check_duration(duration)
    kind = one_of(kind, EFFECT_NAMES, "effect", f"Give --as fog --medium {kind}." if kind in MEDIA else "")
    behind = Background.parse(background) if background is not None else None
    settings = EffectSettings(
        medium=one_of(medium, MEDIA, "medium"), visibility_m=visibility, rising=rising, focus_m=focus,
        focus_at=None if focus_at is None else parse_point(focus_at), aperture=aperture, blur_px=blur,
        glasses=one_of(glasses, GLASSES, "glasses"), layout=one_of(layout, LAYOUTS, "layout"),
        shift_px=zero_parallax, between=between, reach=reach, near_m=near, far_m=far,
    )  # fmt: skip
    things = None if insert is None else parse_things(insert)
    matching = settings_from(match, output)
    unused = _unused(kind, settings, insert=bool(insert), background=behind is not None, frame_ms=frame_ms)
    if unused:
        output.say(f"{', '.join(unused)}: not used by {kind}.")
    if kind == "fog" and rising and medium != "smoke":
        output.say(f"--rising: of smoke alone, not of {medium}.")
    troubles = Troubles()
    done: list[dict[str, Any]] = []
    with open_pictures(pictures, source, rig, output, settings=matching) as opened:
        info = opened.source.info
        if out is None and not show and not info.live:
            out = Path(f"{kind}.gif" if kind == "wiggle" else f"{kind}.png")
            output.say(f"No output was named: writing {out}.")
        many = expects_many(info, frames) or (info.live and frames != 1)
        if out is not None:
            check_output(out, kind, many=many, has_background=behind is not None)
        still_default = match.preset is None and match.matcher is None and match.mode is None and not many
        run = EffectRun(
            kind, settings, matching, things=things, background=behind, quick=quick,
            careful_matching=still_default, output=output, duration_s=duration,
        )  # fmt: skip
        outlet = Outlet(out, kind, many=many, fps=info.fps, frame_ms=frame_ms) if out is not None else None
        try:
            done = run.go(opened, troubles, outlet, frames=frames, show=show)
        except KeyboardInterrupt:
            if outlet is not None and outlet.unfinished:
                output.warn(f"{out} ends after {outlet.unfinished} pictures, where it was interrupted.")
            raise
        finally:
            if outlet is not None:
                outlet.close()
    result: dict[str, Any] = {"effect": kind, "pairs": done, "warnings": run.warnings}
    if done and "drawn" in done[-1]:
        result |= {key: done[-1][key] for key in ("drawn", "culled")}
    if outlet is not None and outlet.files:
        result["files"] = outlet.files
        output.show(f"{len(done)} {'pair' if len(done) == 1 else 'pairs'} as {kind}: " + ", ".join(outlet.files[:6]))
    if kind == "occlude" and done:
        output.show(_told(done[-1]))
    error = troubles.error(len(done), result)
    if error is not None:
        raise error
    if not done:
        raise LiveStereoError("There was no pair to work on.", "Check the pictures.", result)
    output.result(result)


def _unused(kind: str, given: EffectSettings, *, insert: bool, background: bool, frame_ms: int) -> list[str]:
    """Name the options that were given and that this effect does not look at."""
    sharp, screen = ("focus", "miniature"), ("anaglyph", "sbs", "wiggle")
    options: dict[str, tuple[bool, tuple[str, ...]]] = {
        "--medium": (given.medium != "fog", ("fog",)),
        "--visibility": (given.visibility_m is not None, ("fog",)),
        "--rising": (given.rising, ("fog",)),
        "--focus": (given.focus_m is not None, sharp),
        "--focus-at": (given.focus_at is not None, sharp),
        "--aperture": (given.aperture is not None, sharp),
        "--blur": (given.blur_px is not None, sharp),
        "--glasses": (given.glasses != "dubois", ("anaglyph",)),
        "--layout": (given.layout != "parallel", ("sbs",)),
        "--zero-parallax": (given.shift_px is not None, screen),
        "--between": (given.between != 5, ("wiggle",)),
        "--frame-ms": (frame_ms != 70, ("wiggle",)),
        "--reach": (given.reach != 1, ("wiggle",)),
        "--insert": (insert, ("occlude",)),
        "--near": (given.near_m != 0, ("cutout",)),
        "--far": (given.far_m is not None, ("cutout",)),
        "--background": (background, ("cutout",)),
    }
    return [name for name, (is_given, used_by) in options.items() if is_given and kind not in used_by]


def _told(row: dict[str, Any]) -> str:
    lines = [f"  {name}: drawn, {_share(row['visible_share'][name])} of it visible" for name in row["drawn"]]
    return "\n".join(lines + [f"  {name}: not drawn, {why}" for name, why in row["culled_why"].items()])


def _share(visible: float) -> str:
    return f"{100 * visible:.0f} %" if visible >= 0.005 else "less than 1 %"
