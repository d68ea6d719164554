# Prepares a virtual environment for this checkout. Sourced by the other scripts here, which set
#   extras    what to install: the names of extras, with commas
#   packages  Debian packages that this needs beside those of OpenCV
# Uses apt where it may (root on Debian or Ubuntu); otherwise prints the one line to run and stops.

cd "$(dirname "$0")/.." || exit 1
venv=${LIVESTEREO_VENV:-.venv}

need_apt() { # names of Debian packages
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing system packages: $*" >&2
        export DEBIAN_FRONTEND=noninteractive
        apt-get install -y --no-install-recommends "$@" >/dev/null 2>&1 && return
        apt-get update >/dev/null && apt-get install -y --no-install-recommends "$@" >/dev/null && return
    fi
    echo "System packages are missing. Run this line, then try again:" >&2
    echo "  sudo apt-get update && sudo apt-get install -y $*" >&2
    exit 1
}

find_python() {
    for python in python3.13 python3.12 python3.11 python3.10 python3; do
        command -v "$python" >/dev/null || continue
        "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && return
    done
    python=
}

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    find_python
    if [ -z "$python" ]; then
        need_apt python3 python3-venv
        find_python
    fi
    [ -n "$python" ] || { echo "Python 3.10 or newer is needed." >&2; exit 1; }
    "$python" -m venv --clear "$venv" || exit 1
fi

# Install again only when what is to be installed has changed.
stamp="$venv/.installed-$(echo "$extras" | tr , -)"
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
    echo "installing livestereo into $venv ..." >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e ".[$extras]" || exit 1
    touch "$stamp"
fi

"$venv/bin/python" -c 'import cv2' 2>/dev/null || need_apt libgl1 libglib2.0-0 libsm6 libx11-xcb1
for package in $packages; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="${missing:-} $package"
done
# shellcheck disable=SC2086  # a list of names
[ -z "${missing:-}" ] || need_apt $missing
