#!/usr/bin/env bash
# Install what tpbench is built from on Debian or Ubuntu: only what is missing, and quietly when nothing is.
set -euo pipefail

# Tools as package:command, so that a tool from elsewhere counts, too.
tools=(gcc:cc cmake:cmake ninja-build:ninja pkg-config:pkg-config protobuf-compiler:protoc libxml2-utils:xmllint tidy:tidy
	gnuplot-nox:gnuplot)
libraries=(libc6-dev libdnnl-dev libsqlite3-dev libjansson-dev zlib1g-dev libcmocka-dev)

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
	echo "install-packages.sh: no apt-get here; needed are a C11 compiler, CMake 3.22, Ninja, pkg-config," \
		"oneDNN, SQLite 3.37, jansson, zlib and cmocka with their headers; for tests protoc, xmllint and tidy" >&2
	exit 0
fi

missing=()
for tool in "${tools[@]}"; do
	command -v "${tool#*:}" >/dev/null || missing+=("${tool%%:*}")
done
for library in "${libraries[@]}"; do
	state=$(dpkg-query -W -f='${db:Status-Status}' "$library" 2>/dev/null || true)
	[[ $state == installed ]] || missing+=("$library")
done
((${#missing[@]})) || exit 0

as_root=()
if ((EUID != 0)); then
	if ! command -v sudo >/dev/null; then
		echo "install-packages.sh: not root and no sudo; as root: apt-get install ${missing[*]}" >&2
		exit 1
	fi
	as_root=(sudo)
fi
echo "install-packages.sh: installing ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
