#!/usr/bin/env bash
# Installs the build to a staging folder, builds the program of README.md by the project beside this script
# against it, and runs it: embedded, as a library by the installed shell tool, and on a cluster that the
# installed scripts start.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${MILLRACE_BUILD_DIR:?is the build folder to install}
stage=$build/package/stage
project=$build/package/build
# Nothing but the installation may be used from here on.
unset MILLRACE_BUILD_DIR MILLRACE_CONF_DIR MILLRACE_PID_DIR MILLRACE_LOG_DIR MILLRACE_MASTER

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

rm -rf "$stage" "$project"
cmake --install "$build" --prefix "$stage" >/dev/null
empty=$(find "$stage" -type d -empty)
[[ -z $empty ]] || fail "empty folders are installed: $empty"

mkdir -p "$project"
sed -n '/^```cpp$/,/^```$/{/^```/!p}' "$here/../../README.md" >"$project/word_count.cpp"
cmake -S "$here" -B "$project" -G Ninja -DCMAKE_PREFIX_PATH="$stage"
cmake --build "$project"

text=$project/text
echo "One two, two; three three THREE" >"$text"
expected=$(printf '%s\n' '(one,1)' '(three,1)' '(three,2)' '(three,3)' '(two,1)' '(two,2)')
# check <what> <its output>
check() {
  local actual
  actual=$(grep -F '(' <<<"$2" | LC_ALL=C sort)
  [[ $actual == "$expected" ]] ||
    fail "wrong output of $1"$'\n'"expected:"$'\n'"$expected"$'\n'"got:"$'\n'"$2"
}
check "the executable" "$("$project/word_count" --input "$text")"
check "the library" "$("$stage/bin/millrace" run "$project/word_count.so" --input "$text")"
"$stage/bin/caf-node" --version

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
conf=$stage/etc/millrace
mkdir -p "$conf"
cp "$stage/share/millrace/config/"{masters,workers} "$conf"
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$conf/secret"
chmod 600 "$conf/secret"
cat >"$conf/millrace.conf" <<TEXT
jobmanager.rpc.address = localhost
jobmanager.rpc.port = $port
security.cluster.secret-file = $conf/secret
log.dir = $project/log
env.pid.dir = $project/run
TEXT
trap '"$stage/bin/stop-cluster.sh" >/dev/null' EXIT
"$stage/bin/start-cluster.sh"
"$stage/bin/millrace" run "$project/word_count.so" --input "$text"
check "the job on the cluster" "$(cat "$project"/log/*taskmanager*.out)"
"$stage/bin/stop-cluster.sh"
trap - EXIT
[[ -z $(ls "$project/run") ]] || fail "pid files are left: $(ls "$project/run")"
