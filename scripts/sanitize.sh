#!/usr/bin/env bash
# The tests under sanitizers: sanitize.sh [asan-ubsan|tsan]..., default both. Slow tests are left out.
# ThreadSanitizer sees only code that was built with it, so it runs the tests labelled `threads`: those that run a pipeline on
# the reference or null device, without the compute library.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

"$root/scripts/install-packages.sh"
presets=("$@")
((${#presets[@]})) || presets=(asan-ubsan tsan)
for preset in "${presets[@]}"; do
	case $preset in
	asan-ubsan) selection=(--label-exclude slow) ;;
	tsan) selection=(--label-regex threads) ;;
	*)
		echo "sanitize.sh: expected asan-ubsan or tsan, found '$preset'" >&2
		exit 2
		;;
	esac
	"$root/scripts/build.sh" "$preset"
	ctest --test-dir "$root/build/$preset" --output-on-failure --no-tests=error "${selection[@]}"
done
