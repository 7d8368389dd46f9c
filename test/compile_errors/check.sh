#!/usr/bin/env bash
# check.sh COMPILER INCLUDE_DIR FOLDER CASE.cpp: the case must not compile, the first error must hold the
# sentence of the case's first line ("// error: ..."), and the output must be short. A case may begin with
# several such lines, each of which must be an error. FOLDER is that of precompile.sh.
set -euo pipefail

compiler=$1 include=$2 folder=$3 case=$4
lines_max=60

mapfile -t wanted < <(sed -n 's,^// error: ,,p;/^$/q' "$case")
((${#wanted[@]} > 0)) || { echo "$case: the first line must be '// error: ...'" >&2; exit 1; }

if output=$(LC_ALL=C "$compiler" -std=c++20 -fsyntax-only -I"$include" \
  -include "$folder/headers.hpp" "$case" 2>&1); then
  echo "$case compiles, but should not" >&2
  exit 1
fi
errors=$(grep 'error: ' <<<"$output")
first=$(head -n 1 <<<"$errors")
lines=$(wc -l <<<"$output")

fail() {
  printf '%s\n\n%s; got %d lines and as the first error\n%s\n' "$output" "$1" "$lines" "$first" >&2
  exit 1
}
[[ $first == *"millrace: ${wanted[0]}"* ]] || fail "wanted first: millrace: ${wanted[0]}"
for sentence in "${wanted[@]}"; do
  grep -qF "millrace: $sentence" <<<"$errors" || fail "wanted: millrace: $sentence"
done
((lines <= lines_max * ${#wanted[@]})) ||
  fail "wanted: at most $lines_max lines for each of ${#wanted[@]} errors"
