#!/usr/bin/env bash
# Starts a job manager and task managers on the hosts of config/masters and config/workers.
script_dir=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
source "$script_dir/daemon.sh"
source "$script_dir/cluster.sh"

if (($# > 0)); then
  text="Usage: start-cluster.sh

Starts a job manager on the host of config/masters and a task manager for each line of
config/workers: directly on this host, by ssh (options in \$MILLRACE_SSH_OPTS) on others. Returns
when all of them listen; exit code 1 if one does not. The configuration is that of
\$MILLRACE_CONF_DIR or of the installation."
  if [[ $1 == -h || $1 == --help ]]; then
    printf '%s\n' "$text"
    exit 0
  fi
  printf '%s\n' "$text" >&2
  exit 2
fi

find_installation
find_master
workers=$(hosts "$conf_dir/workers")

arguments=()
if ! is_this_host "$master"; then arguments+=(-D "jobmanager.rpc.address=$master"); fi
if [[ -n $master_port ]]; then arguments+=(-D "jobmanager.rpc.port=$master_port"); fi

# All at once: a task manager waits for its master.
pids=()
on_host "$master" jobmanager.sh start "${arguments[@]}" &
pids+=($!)
while read -r worker; do
  [[ -n $worker ]] || continue
  on_host "$worker" taskmanager.sh start "${arguments[@]}" &
  pids+=($!)
done <<<"$workers"

failed=0
for pid in "${pids[@]}"; do
  wait "$pid" || failed=$((failed + 1))
done
if ((failed > 0)); then
  die 1 "$failed of ${#pids[@]} daemons did not start; stop-cluster.sh stops the others"
fi
