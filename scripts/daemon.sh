# shellcheck shell=bash
# What jobmanager.sh, taskmanager.sh, start-cluster.sh and stop-cluster.sh share: where programs and
# files are, and the life of one daemon. Source it.
#
# Each running daemon is a line "<pid> <instance>" in the pid file of its kind. The instance, the
# smallest number that no running daemon of the kind has, is part of the names of its log files.

set -euo pipefail

# How long a daemon may take until it listens, and to end after it was asked to.
start_timeout_s=${MILLRACE_START_TIMEOUT:-30}
stop_timeout_s=${MILLRACE_STOP_TIMEOUT:-15}
# How many logs of earlier daemons are kept per instance.
log_rotations=${MILLRACE_LOG_ROTATIONS:-5}

this_host=$(uname -n)

# die <exit code> <text>
die() {
  printf '%s: %s\n' "$(basename "$0")" "$2" >&2
  exit "$1"
}

# is_loopback <host>: whether only this host reaches it by that name.
is_loopback() {
  case $1 in
    localhost | 127.* | ::1) return 0 ;;
    *) return 1 ;;
  esac
}

# first_existing <test operator> <path>...: the first path for which `test` holds.
first_existing() {
  local operator=$1 path
  shift
  for path in "$@"; do
    if test "$operator" "$path"; then
      printf '%s\n' "$path"
      return 0
    fi
  done
  return 1
}

# Sets `caf_node` and `conf_dir`, in a checkout as well as in an installation.
find_installation() {
  local prefix
  prefix=$(cd "$script_dir/.." && pwd)
  if [[ -n ${MILLRACE_BUILD_DIR-} ]]; then
    caf_node=$MILLRACE_BUILD_DIR/caf-node
    [[ -x $caf_node ]] || die 2 "no $caf_node: MILLRACE_BUILD_DIR must name a built tree"
  else
    caf_node=$(first_existing -x "$script_dir/caf-node" "$prefix/bin/caf-node" \
      "$prefix/build/release/caf-node" "$prefix/build/debug/caf-node") ||
      die 2 "cannot find caf-node; build it first or set MILLRACE_BUILD_DIR to the build folder"
  fi
  if [[ -n ${MILLRACE_CONF_DIR-} ]]; then
    conf_dir=$MILLRACE_CONF_DIR
    [[ -d $conf_dir ]] || die 2 "MILLRACE_CONF_DIR is $conf_dir, which is no directory"
  else
    conf_dir=$(first_existing -d "$prefix/etc/millrace" "$prefix/share/millrace/config" \
      "$prefix/config") || die 2 "cannot find the configuration; set MILLRACE_CONF_DIR"
  fi
  # Of a checkout; an installation is not for daemons to write to.
  default_run_root=/tmp/millrace-$(id -un)
  if [[ -f $prefix/CMakeLists.txt ]]; then default_run_root=$prefix; fi
}

# load_settings [caf-node argument...]: the configuration that a daemon with these arguments has.
# Sets `node_arguments` and `settings`; fails with caf-node's messages if there is something wrong.
load_settings() {
  node_arguments=()
  if [[ -f $conf_dir/millrace.conf ]]; then node_arguments+=(--config "$conf_dir/millrace.conf"); fi
  node_arguments+=("$@")
  settings=$("$caf_node" "${node_arguments[@]}" --print-config)
}

# advertise_listed_host: others reach a task manager that listens on more than loopback by the name that
# config/workers has for its host (start-cluster.sh passes it on), unless taskmanager.host says it.
advertise_listed_host() {
  local listed=${MILLRACE_LISTED_HOST-} bind_host
  bind_host=$(setting taskmanager.bind-host)
  if [[ -z $listed || -z $bind_host || -n $(setting taskmanager.host) ]]; then return; fi
  if is_loopback "$listed" || is_loopback "$bind_host"; then return; fi
  node_arguments+=(-D "taskmanager.host=$listed")
}

# setting <key>: its value, or nothing if only its default is known.
setting() {
  sed -nE "/# default\$/d; s/^${1//./\\.} = \"?([^\"]*[^\" ])\"? +# .*/\1/p" <<<"$settings"
}

# private_directory <path>: makes a folder that nobody else may put files into.
private_directory() {
  mkdir -p -m 0755 "$1" || die 1 "cannot create $1"
  [[ -O $1 && -w $1 ]] || die 1 "$1 must be a folder of $(id -un)"
}

# Sets `pid_dir` and `log_dir` from the settings and the environment.
find_directories() {
  pid_dir=$(setting env.pid.dir)
  pid_dir=${pid_dir:-${MILLRACE_PID_DIR:-$default_run_root/run}}
  log_dir=$(setting log.dir)
  log_dir=${log_dir:-${MILLRACE_LOG_DIR:-$default_run_root/log}}
}

# is_alive <pid>: whether it is a caf-node; pids are used again for other programs.
is_alive() {
  local name state
  read -r name 2>/dev/null <"/proc/$1/comm" || return 1
  [[ $name == caf-node ]] || return 1
  state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) || return 1
  [[ $state != Z ]]
}

pid_file() { printf '%s\n' "$pid_dir/millrace-$(id -un)-$1.pid"; }

# running <kind>: the lines of the pid file whose daemon lives.
running() {
  local file pid instance
  file=$(pid_file "$1")
  [[ -f $file ]] || return 0
  while read -r pid instance; do
    if is_alive "$pid"; then printf '%s %s\n' "$pid" "$instance"; fi
  done <"$file"
}

# save_running <kind> <lines>
save_running() {
  local file
  file=$(pid_file "$1")
  if [[ -z $2 ]]; then
    rm -f "$file"
  else
    printf '%s\n' "$2" >"$file"
  fi
}

# Scripts that run at the same time change the pid file one after the other. A lock on the folder
# itself leaves no lock file behind.
lock_pids() {
  exec {pid_lock}<"$pid_dir"
  flock "$pid_lock"
}
unlock_pids() { exec {pid_lock}<&-; }

# free_instance <lines of running>: the smallest number that none of them has.
free_instance() {
  local instance=0
  while grep -q " $instance\$" <<<"$1"; do instance=$((instance + 1)); done
  printf '%s\n' "$instance"
}

# rotate <file>: keeps what is there as <file>.1, and what was there as .2, and so on.
rotate() {
  local number
  [[ -f $1 ]] || return 0
  for ((number = log_rotations; number > 1; --number)); do
    if [[ -f $1.$((number - 1)) ]]; then mv -f "$1.$((number - 1))" "$1.$number"; fi
  done
  mv -f "$1" "$1.1"
}

# await_ready <kind> <pid> <files prefix>: until the daemon says that it listens.
await_ready() {
  local kind=$1 pid=$2 prefix=$3 deadline=$((SECONDS + start_timeout_s)) problem
  until grep -q "listening on" "$prefix.out" 2>/dev/null; do
    if ! is_alive "$pid"; then
      problem="ended at once"
    elif ((SECONDS >= deadline)); then
      problem="does not listen after $start_timeout_s s"
      kill -KILL "$pid" 2>/dev/null || true
    else
      sleep 0.02
      continue
    fi
    lock_pids
    save_running "$kind" "$(running "$kind" | grep -v "^$pid " || true)"
    unlock_pids
    printf 'The %s daemon on host %s %s. Its output ends with:\n' "$kind" "$this_host" \
      "$problem" >&2
    tail -q -n 20 "$prefix.log" "$prefix.out" 2>/dev/null | sed 's/^/  /' >&2 || true
    return 1
  done
}

# start_daemon <kind>: in the background, detached from the terminal.
start_daemon() {
  local kind=$1 lines instance prefix pid
  private_directory "$pid_dir"
  private_directory "$log_dir"
  lock_pids
  lines=$(running "$kind")
  instance=$(free_instance "$lines")
  prefix=$log_dir/millrace-$(id -un)-$kind-$instance-$this_host
  rotate "$prefix.log"
  rotate "$prefix.out"
  setsid "$caf_node" --role "$kind" --log-file "$prefix.log" "${node_arguments[@]}" \
    </dev/null >"$prefix.out" 2>&1 {pid_lock}<&- &
  pid=$!
  # Other scripts would take a process that is not caf-node yet for a dead one.
  until is_alive "$pid" || ! kill -0 "$pid" 2>/dev/null; do sleep 0.005; done
  save_running "$kind" "${lines:+$lines$'\n'}$pid $instance"
  unlock_pids
  printf 'Starting %s daemon on host %s (pid %d).\n' "$kind" "$this_host" "$pid"
  await_ready "$kind" "$pid" "$prefix"
}

# end_process <kind> <pid>
end_process() {
  local deadline=$((SECONDS + stop_timeout_s))
  printf 'Stopping %s daemon (pid %d) on host %s.\n' "$1" "$2" "$this_host"
  kill -TERM "$2" 2>/dev/null || true
  while is_alive "$2"; do
    if ((SECONDS >= deadline)); then
      printf 'The %s daemon (pid %d) does not end within %d s: killing it.\n' "$1" "$2" \
        "$stop_timeout_s" >&2
      kill -KILL "$2" 2>/dev/null || true
      sleep 0.1
      return 0
    fi
    sleep 0.02
  done
}

# stop_daemons <kind> latest|all
stop_daemons() {
  local kind=$1 which=$2 lines stopped pid
  if [[ ! -d $pid_dir ]]; then
    printf 'No %s daemon to stop on host %s.\n' "$kind" "$this_host"
    return 0
  fi
  lock_pids
  lines=$(running "$kind")
  stopped=$lines
  if [[ $which == latest ]]; then stopped=$(tail -n 1 <<<"$lines"); fi
  save_running "$kind" "$(grep -vxF "$stopped" <<<"$lines" || true)"
  unlock_pids
  if [[ -z $stopped ]]; then
    printf 'No %s daemon to stop on host %s.\n' "$kind" "$this_host"
    return 0
  fi
  # The latest first, as each is started after those it may depend on.
  while read -r pid _; do end_process "$kind" "$pid"; done < <(tac <<<"$stopped")
}

# daemon_main <kind> <usage text> <command> [caf-node argument...]
daemon_main() {
  local kind=$1 usage=$2 command=${3-}
  shift 2
  if (($# > 0)); then shift; fi
  case $command in
    -h | --help | help)
      printf '%s\n' "$usage"
      exit 0
      ;;
    start | start-foreground | stop | stop-all) ;;
    *)
      printf '%s\n' "$usage" >&2
      exit 2
      ;;
  esac
  find_installation
  # A configuration that was broken meanwhile must not keep running daemons from being stopped.
  load_settings "$@" || [[ $command == stop* ]] || exit 2
  find_directories
  if [[ $kind == taskmanager ]]; then advertise_listed_host; fi
  case $command in
    start) start_daemon "$kind" ;;
    start-foreground) exec "$caf_node" --role "$kind" "${node_arguments[@]}" ;;
    stop) stop_daemons "$kind" latest ;;
    stop-all) stop_daemons "$kind" all ;;
  esac
}
