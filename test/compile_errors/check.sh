#!/usr/bin/env bash
# check.sh COMPILER INCLUDE_DIR FOLDER CASE.cpp: the case must not compile, the first error must hold
# the sentence of the case's first line ("// error: ..."), and the whole output must be short. FOLDER is
# that of precompile.sh.
set -euo pipefail

compiler=$1 include=$2 folder=$3 case=$4
lines_max=60

wanted=$(sed -n '1s,^// error: ,,p' "$case")
[[ -n $wanted ]] || { echo "$case: the first line must be '// error: ...'" >&2; exit 1; }

if output=$(LC_ALL=C "$compiler" -std=c++20 -fsyntax-only -I"$include" \
  -include "$folder/headers.hpp" "$case" 2>&1); then
  echo "$case compiles, but should not" >&2
  exit 1
fi
first=$(grep -m1 'error: ' <<<"$output")
lines=$(wc -l <<<"$output")
if [[ $first != *"millrace: $wanted"* ]] || ((lines > lines_max)); then
  printf '%s\n\nwanted: millrace: %s\nas the first error, in at most %d lines; got %d lines and\n%s\n' \
    "$output" "$wanted" "$lines_max" "$lines" "$first" >&2
  exit 1
fi
