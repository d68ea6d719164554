"""Write the command reference from the commands, and the settings from their rules; --check: have the docs drifted?

python tools/docs.py            # writes docs/commands.md and docs/settings.md
python tools/docs.py --check    # exit 1 with what differs; also finds broken links in the docs
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import json
import re
import sys
import typing
from pathlib import Path

import typer.models

from livestereo.cli.app import COMMANDS
from livestereo.parameters import PARAMETERS
from livestereo.settings import DEFAULT_FILE, OWN_BASE, PRESETS, Settings

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "commands.md"
SETTINGS = ROOT / "docs" / "settings.md"
HEAD = """# Command reference

Made from the commands themselves by `python tools/docs.py`. Every command also takes `--json`, `--quiet`,
`-v` and `--help`; what is common to several commands is explained in the [README](../README.md).
"""
SETTINGS_HEAD = f"""# Settings file

Made from the rules of the settings by `python tools/docs.py`.

`./{DEFAULT_FILE}` is used where it is there, and told; `--config FILE` names another. It is TOML: settings at its top,
presets of your own in tables. The tuning panel of the window (Tab) saves what was tuned as such a table.

```toml
colormap = "turbo"           # at the top level: for every run

[presets.desk]               # used with --preset desk
base = "quality"             # the preset it builds on, also one of your own; {OWN_BASE} if left out
min_depth = 0.3
max_depth = 1.5
```

What wins, strongest first: an option of the command line; the top level of the file; the preset; the default. So the
top level also wins over a preset that `--preset` names, and that is told. `preset = "desk"` at the top level
chooses a preset for every run; within a preset write `base`.

A name or a value that breaks its rule ends the program and is named; nothing is mended silently. What has no default
is chosen by the program. Lengths in px are those of the full-size picture.
"""
SETTINGS_GROUPS = {"matching": "Matching", "filters": "Filters", "display": "Display", "running": "Running"}
COMMON = {"json", "quiet", "verbose"}


def option_row(parameter: inspect.Parameter) -> str | None:
    """Give one line of the table of options, or None for an argument."""
    info = next((m for m in typing.get_args(parameter.annotation)[1:] if hasattr(m, "param_decls")), None)
    if not isinstance(info, typer.models.OptionInfo) or parameter.name in COMMON:
        return None
    names = [n for n in (info.default, *(info.param_decls or ())) if isinstance(n, str)]
    shown = ", ".join(f"`{name}{' ' + info.metavar if info.metavar else ''}`" for name in names)
    default = parameter.default
    told = "" if default in (None, False, inspect.Parameter.empty, ()) else f" Default: `{default}`."
    return f"| {shown.replace('|', chr(92) + '|')} | {(info.help or '').replace('|', chr(92) + '|')}{told} |"


def reference() -> str:
    """Make the whole page."""
    parts = [HEAD]
    for name in COMMANDS:
        function = getattr(importlib.import_module(f"livestereo.cli.{name}"), name)
        parts += [f"## {name}\n", inspect.cleandoc(function.__doc__ or ""), ""]
        rows = [row for p in inspect.signature(function).parameters.values() if (row := option_row(p))]
        if rows:
            parts += ["| option | meaning |", "|---|---|", *rows, ""]
    return "\n".join(parts)


def settings_page() -> str:
    """Make the page of the settings file."""
    parts = [SETTINGS_HEAD, "| preset | differs from the defaults by |", "|---|---|"]
    for name, values in PRESETS.items():
        parts.append(f"| `{name}` | {', '.join(f'`{one} = {toml(value)}`' for one, value in values.items())} |")
    for group, title in SETTINGS_GROUPS.items():
        parts += ["", f"## {title}", "", "| name | must be | default | meaning |", "|---|---|---|---|"]
        for name, parameter in PARAMETERS.items():
            if parameter.group == group:
                default = getattr(Settings(), name)
                shown = "" if default is None else f"`{toml(default)}`"
                only = f" Only with {' and '.join(parameter.matchers)}." if parameter.matchers else ""
                parts.append(f"| `{name}` | {parameter.rule} | {shown} | {parameter.help}{only} |")
    return "\n".join(parts) + "\n"


def toml(value: object) -> str:
    """Write a value as it stands in the file."""
    return json.dumps(value)


def broken_links() -> list[str]:
    """List links in the docs that lead to no file."""
    bad = []
    for page in [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")]:
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in link and not (page.parent / link).exists():
                bad.append(f"{page.relative_to(ROOT)}: {link}")
    return bad


def missing_commands() -> list[str]:
    """List commands that the README does not name."""
    text = (ROOT / "README.md").read_text()
    return [name for name in COMMANDS if f"`{name}`" not in text and f"livestereo {name}" not in text]


def main() -> int:
    """Write or check; give the exit code."""
    pages = {REFERENCE: reference(), SETTINGS: settings_page()}
    if "--check" not in sys.argv:
        for page, made in pages.items():
            page.write_text(made)
        return 0
    drift: list[str] = []
    for page, made in pages.items():
        old = page.read_text() if page.exists() else ""
        name = str(page.relative_to(ROOT))
        drift += difflib.unified_diff(old.splitlines(), made.splitlines(), name, "the program", lineterm="")
    problems = drift[:40] + [f"broken link in {link}" for link in broken_links()]
    problems += [f"README.md does not name the command {name}" for name in missing_commands()]
    for problem in problems:
        print(problem)
    if drift:
        print("Run: python tools/docs.py")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
