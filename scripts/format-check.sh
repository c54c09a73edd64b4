#!/usr/bin/env bash
# Is every C file formatted by .clang-format? `format-check.sh --fix` formats those that are not.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

if ! command -v clang-format >/dev/null; then
	echo "format-check.sh: clang-format not found (Debian and Ubuntu: apt-get install clang-format)" >&2
	exit 1
fi
mode=(--dry-run -Werror)
[[ ${1:-} != --fix ]] || mode=(-i)
git ls-files -z '*.c' '*.h' | xargs -0 clang-format "${mode[@]}"
