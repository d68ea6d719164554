#!/bin/sh
# Sets everything up and runs the tests. Those that need a browser or a virtual display are skipped where there is none.
extras=test
packages="xvfb xdotool imagemagick"
. "$(dirname "$0")/setup.sh"
exec "$venv/bin/python" -m pytest -n auto "$@"
