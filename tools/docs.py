"""Write the command reference from the commands themselves; with --check, fail where the docs have drifted.

python tools/docs.py            # writes docs/commands.md
python tools/docs.py --check    # exit 1 with what differs; also finds broken links in the docs
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
import sys
import typing
from pathlib import Path

import typer.models

from livestereo.cli.app import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "commands.md"
HEAD = """# Command reference

Made from the commands themselves by `python tools/docs.py`. Every command also takes `--json`, `--quiet`,
`-v` and `--help`; what is common to several commands is explained in the [README](../README.md).
"""
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
    made = reference()
    if "--check" not in sys.argv:
        REFERENCE.write_text(made)
        return 0
    old = REFERENCE.read_text() if REFERENCE.exists() else ""
    drift = list(
        difflib.unified_diff(old.splitlines(), made.splitlines(), "docs/commands.md", "the commands", lineterm="")
    )
    problems = drift[:40] + [f"broken link in {link}" for link in broken_links()]
    problems += [f"README.md does not name the command {name}" for name in missing_commands()]
    for problem in problems:
        print(problem)
    if drift:
        print("Run: python tools/docs.py")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
