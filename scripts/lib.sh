# shellcheck shell=bash
# What the developer scripts share. Source it; it changes to the root of the repository.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# step <text>: a line that says what happens now.
step() { printf '==> %s\n' "$*"; }

# die <text>: a line that says what is wrong and what to do, then exit code 1.
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# usage_error <text>: the command line makes no sense, exit code 2.
usage_error() {
  printf '%s: %s (see --help)\n' "$(basename "$0")" "$*" >&2
  exit 2
}

# configure <preset> [cmake argument...]: quiet unless it fails.
configure() {
  local preset=$1 log
  shift
  step "Configuring build/$preset"
  mkdir -p "build/$preset"
  log=build/$preset/configure.log
  cmake --preset "$preset" "$@" >"$log" 2>&1 || {
    cat "$log" >&2
    die "cmake failed, see above"
  }
}

# build <preset> [target...]: all targets if none is named.
build() {
  local preset=$1
  shift
  step "Building build/$preset${*:+ ($*)}"
  if (($# > 0)); then
    cmake --build --preset "$preset" --target "$@"
  else
    cmake --build --preset "$preset"
  fi
}

# require_built <folder> <file>...: a build that the user has named is there, and has these files.
require_built() {
  local folder=$1 file
  shift
  for file in "$@"; do
    [[ -e $folder/$file ]] || die "$folder/$file is missing; without --build-dir it is built"
  done
}

# tracked <pattern>...: the files under version control that match and still exist.
tracked() {
  local file
  git ls-files -- "$@" | while IFS= read -r file; do
    if [[ -f $file && ! -L $file ]]; then printf '%s\n' "$file"; fi
  done
}
