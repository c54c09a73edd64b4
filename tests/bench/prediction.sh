#!/usr/bin/env bash
# Build, then compare predicted (--costs loaded) with measured epoch times for three schedules: prediction.sh [MODEL [STAGES
# [MICRO_BATCHES [BATCH [ROUNDS]]]]]. Wants as many free cores as stages, and a machine that is otherwise at rest.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

"$root/scripts/build.sh" release
exec "$root/build/release/tests/bench/prediction" "$@"
