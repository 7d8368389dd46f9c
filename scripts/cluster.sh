# shellcheck shell=bash
# What start-cluster.sh and stop-cluster.sh share: the hosts of a cluster and how to reach them.
# Source it after daemon.sh.

# hosts <file>: its lines without comments, white space and empty lines.
hosts() {
  [[ -f $1 ]] || die 2 "no $1, which lists one host per line"
  sed -E 's/#.*//; s/[[:space:]]+//g; /^$/d' "$1"
}

is_this_host() { [[ $1 == "$this_host" ]] || is_loopback "$1"; }

# Sets `master` and, if config/masters names one, `master_port`.
find_master() {
  local lines
  lines=$(hosts "$conf_dir/masters")
  [[ -n $lines ]] || die 2 "$conf_dir/masters names no host"
  (($(wc -l <<<"$lines") == 1)) ||
    die 2 "$conf_dir/masters names several hosts, but a cluster has one job manager"
  master=${lines%%:*}
  master_port=
  if [[ $lines == *:* ]]; then master_port=${lines##*:}; fi
}

# on_host <host> <script> [argument...]: directly on this host, by ssh on others, where the same
# installation must be at the same place.
on_host() {
  local host=$1 script=$2 command variable
  shift 2
  local listed=${host##*@}  # ssh may be told a user, too
  if is_this_host "$host"; then
    MILLRACE_LISTED_HOST=$listed "$script_dir/$script" "$@"
    return
  fi
  command="MILLRACE_LISTED_HOST=$(printf '%q' "$listed") "
  for variable in MILLRACE_CONF_DIR MILLRACE_BUILD_DIR MILLRACE_PID_DIR MILLRACE_LOG_DIR; do
    if [[ -n ${!variable-} ]]; then command+="$variable=$(printf '%q' "${!variable}") "; fi
  done
  command+=$(printf '%q ' "$script_dir/$script" "$@")
  # MILLRACE_SSH_OPTS holds several options, to be split.
  # shellcheck disable=SC2086
  ssh -n ${MILLRACE_SSH_OPTS-} -- "$host" "$command"
}
