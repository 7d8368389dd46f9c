#!/usr/bin/env bash
# Starts and stops task managers on this host. See --help.
script_dir=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
source "$script_dir/daemon.sh"

daemon_main taskmanager "Usage: taskmanager.sh COMMAND [caf-node argument...]

  start             one more in the background; returns when it listens
  start-foreground  in this terminal, logging to it
  stop              the one that was started last
  stop-all          every one of this user on this host

Arguments are passed on to caf-node, such as -D taskmanager.numberOfTaskSlots=4. The configuration is
that of \$MILLRACE_CONF_DIR or of the installation; pid and log files go to env.pid.dir and
log.dir, or \$MILLRACE_PID_DIR and \$MILLRACE_LOG_DIR." "$@"
