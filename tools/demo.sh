#!/bin/sh
# Sets everything up and runs the main job on the demo scene: a window where there is a display, demo-out/ where not.
extras=fast
packages=
. "$(dirname "$0")/setup.sh"
exec "$venv/bin/livestereo" demo "$@"
