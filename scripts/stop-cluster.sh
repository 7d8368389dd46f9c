#!/usr/bin/env bash
# Stops the daemons on the hosts of config/masters and config/workers.
script_dir=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
source "$script_dir/daemon.sh"
source "$script_dir/cluster.sh"

if (($# > 0)); then
  text="Usage: stop-cluster.sh

Stops every task manager on the hosts of config/workers, then the job manager on the host of
config/masters. Exit code 1 if a host cannot be reached."
  if [[ $1 == -h || $1 == --help ]]; then
    printf '%s\n' "$text"
    exit 0
  fi
  printf '%s\n' "$text" >&2
  exit 2
fi

find_installation
find_master
failed=0
while read -r worker; do
  [[ -n $worker ]] || continue
  on_host "$worker" taskmanager.sh stop-all </dev/null || failed=$((failed + 1))
done < <(hosts "$conf_dir/workers" | sort -u)
on_host "$master" jobmanager.sh stop-all || failed=$((failed + 1))
((failed == 0)) || die 1 "$failed hosts could not be stopped"
