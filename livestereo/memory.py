"""How much memory can still be had: a program that takes more is killed by the system without a word."""

from __future__ import annotations

from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def available_bytes(meminfo: Path = _MEMINFO, group: Path = _GROUP) -> int | None:
    """Give what this process may still take, of the computer or of its container; None where that is not known."""
    found = [value for value in (_of_computer(meminfo), _of_group(group)) if value is not None]
    return min(found, default=None)


def _of_computer(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
        kib = {name: int(rest.split()[0]) for name, rest in (line.split(":", 1) for line in lines) if rest.split()}
    except (OSError, ValueError):
        return None
    if "MemAvailable" not in kib:
        return None
    return 1024 * (kib["MemAvailable"] + kib.get("SwapFree", 0))


def _of_group(group: Path) -> int | None:
    try:
        limit, used = (int((group / name).read_text(encoding="ascii")) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # no such group, or "max"
        return None
    return min(max(limit - used + _given_back(group), 0), limit)


def _given_back(group: Path) -> int:
    """What the system takes back as soon as it is needed: files that were read lately count as used."""
    try:
        lines = (group / "memory.stat").read_text(encoding="ascii").splitlines()
        stat = {name: int(value) for name, value in (line.split() for line in lines)}
    except (OSError, ValueError):
        return 0
    return stat.get("inactive_file", 0) + stat.get("slab_reclaimable", 0)
