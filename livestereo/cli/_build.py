"""Puts a pipeline together from settings and a rectification."""

from __future__ import annotations

from collections.abc import Callable

from calibration.rectify import Rectification
from calibration.rigfile import RigFile
from livestereo.cli._options import MatchOptions
from livestereo.cli._output import Output
from livestereo.filters import make_filters
from livestereo.honesty import Explainer
from livestereo.matchers import MATCHERS
from livestereo.matchers.wls import WlsMatcher
from livestereo.pipeline import Pipeline
from livestereo.ranges import find_range, reaching
from livestereo.settings import DEFAULT_FILE, Settings, default_file_used, resolve_settings


def settings_from(options: MatchOptions, output: Output) -> Settings:
    """Give the settings that the options of the command line ask for, and say what should be known of them.

    Raises:
        SettingsError: an unknown preset or a value that breaks its rule.
        MissingExtra: `sgm` was asked for and is not installed.
    """
    overrides = {
        "matcher": options.matcher, "mode": options.mode, "min_depth": options.min_depth,
        "max_depth": options.max_depth, "num_disparities": options.num_disparities,
        "min_disparity": options.min_disparity, "block_size": options.block_size, "wls": options.wls,
        "temporal": options.temporal, "holes": options.holes, "threads": options.threads, "workers": options.workers,
    }  # fmt: skip
    settings = resolve_settings(options.preset, overrides, options.config)
    if options.config is None and default_file_used(settings.preset):
        output.say_once(f"Using ./{DEFAULT_FILE}; name another with --config.")
    for note in settings.notes:
        output.say_once(note)
    return settings


def build_pipeline(
    settings: Settings,
    rectification: Rectification,
    tell: Callable[[str], None] | None = None,
    rig_file: RigFile | None = None,
) -> Pipeline:
    """Build the pipeline: matcher, filters, rectification.

    tell: is told one line where a matcher has to be compiled first; with it that happens here and now. rig_file: what
    the rectification was made from; its covariance becomes part of the depth's σ.

    Raises:
        SettingsError: the settings do not fit the picture or one another.
        MissingExtra: the matcher needs a library that is not installed.
    """
    found = find_range(settings, rectification)
    if settings.min_disparity is not None:
        rectification = reaching(rectification, found.minimum)
    scaled = found.at_scale(settings.scale)
    matcher = MATCHERS[settings.matcher](settings, scaled.minimum, scaled.count)
    compile_now = getattr(matcher, "warm_up", None)
    if tell is not None and compile_now is not None:
        compile_now(tell)
    if settings.wls:
        matcher = WlsMatcher(
            matcher, scaled.minimum, scaled.count, strength=settings.wls_lambda, edge=settings.wls_sigma
        )
    resolved = settings.changed(min_disparity=found.minimum, num_disparities=found.count)
    explain = Explainer(resolved, rectification, rig_file)
    return Pipeline(
        matcher, make_filters(settings), rectification, scale=settings.scale, explain=explain, settings=resolved
    )
