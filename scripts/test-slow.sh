#!/usr/bin/env bash
# The tests that take minutes: training on real data until something is learnt, the parity grid. Arguments go to ctest.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

"$root/scripts/install-packages.sh"
"$root/scripts/build.sh" release
ctest --test-dir "$root/build/release" --output-on-failure --label-regex slow "$@"
