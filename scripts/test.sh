#!/usr/bin/env bash
# From a fresh Debian or Ubuntu machine to the test results: packages, build, then every test that is not slow.
# Arguments go to ctest: `scripts/test.sh -R schedule`. Real data are looked for in $TPBENCH_DATA; tests that miss them skip.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

"$root/scripts/install-packages.sh"
"$root/scripts/build.sh" release
ctest --test-dir "$root/build/release" --output-on-failure --parallel "$(nproc)" --label-exclude slow "$@"
