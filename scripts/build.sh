#!/usr/bin/env bash
# Configure and build one of the presets of CMakePresets.json: build.sh [PRESET [CMAKE OPTION]...], default release.
# Everything it says goes to stderr, so that a caller's stdout holds results alone.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
preset=${1:-release}

cmake -S "$root" --preset "$preset" "${@:2}" >&2
cmake --build "$root/build/$preset" >&2
