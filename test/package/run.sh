#!/usr/bin/env bash
# Installs the build to a staging folder, builds the project beside this script against it, and runs
# its job: embedded, and as a library by the installed shell tool.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${MILLRACE_BUILD_DIR:?is the build folder to install}
stage=$build/package/stage
project=$build/package/build

rm -rf "$stage" "$project"
cmake --install "$build" --prefix "$stage" >/dev/null
cmake -S "$here" -B "$project" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$stage"
cmake --build "$project"

# Parallel output carries a subtask prefix ("2> 49") and has no order across subtasks.
expected=$(for number in {1..10}; do echo $((number * number)); done)
check() {
  local actual
  actual=$("$@" | sed -E 's/^[0-9]+> //' | grep -E '^[0-9]+$' | sort -n)
  if [[ $actual != "$expected" ]]; then
    printf 'wrong output of: %s\nexpected:\n%s\ngot:\n%s\n' "$*" "$expected" "$actual" >&2
    exit 1
  fi
}
check "$project/package_job"
check "$stage/bin/millrace" run "$project/package_job.so"
"$stage/bin/caf-node" --version
