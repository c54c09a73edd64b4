#!/usr/bin/env bash
# From a fresh Debian or Ubuntu machine to a comparison: packages, build, then `tpbench --compare` with the arguments given.
# The database tpbench.db is written to the current folder.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

"$root/scripts/install-packages.sh" >&2
"$root/scripts/build.sh" release
exec "$root/build/release/cli/tpbench" --compare "$@"
