#!/usr/bin/env python3
"""Measures how soon a job with much keyed state processes records again after one of its task
managers was killed. See --help."""

import argparse
import pathlib
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import clusters

PARALLELISM = 2
# Of a key in a full checkpoint: `profile` of bench/jobs/large_state.cpp.
ENTRY_BYTES = 108
OPERATOR = "profiles"
LOCAL_RECOVERY = "state.backend.local-recovery"
# Seconds from the kill to the first record, with 1 GB of state; at best and at worst.
GOALS = {"remote": 4, "local": 2}
GOAL_STATE_MB = 1024
PHASES = ("noticed", "registered", "restarted", "restored", "first record", "all process")
# Within which state is built, stored and restored, or it is not any more.
BUILD_SECONDS = 900
CHECKPOINT_SECONDS = 300
RECOVERY_SECONDS = 120

HELP = """\
A cluster on the loopback, of a job manager and two task managers with one slot each, runs a job of
parallelism 2. It has --state-mb of keyed state of the hashmap backend, as a full checkpoint counts
it: 108 bytes for a key and its value, so 1 GB are 10 million keys, as profiles of users would be.
(Restoring takes time for each key and for each byte.) The job fills its state as fast as it can,
then it takes --per-second records at random keys, and checkpoints.

When a checkpoint with all of the state is complete, and a random part of the interval has passed, a
task manager is killed (-9) and started again as soon as it is gone, with the same settings and the
same directory for temporary files, as a supervisor on its machine would do. There is no other slot.
The job is restarted without a pause (restart-strategy.fixed-delay.delay = 0 ms): a pause is a
setting, not a cost. Then the next checkpoint is awaited, and so on; the task managers take turns.

Times are seconds since right before the kill:
  noticed       the job manager knows that the task manager is lost
  registered    the one that was started again offers its slot
  restarted     new attempts of all tasks are deployed
  restored      the new attempt of the lost subtask has its state
  first record  it has processed the first record that came to it
  all process   so have the new attempts of both subtasks
"First record" is what is measured. The subtask itself writes it down, the others are from the log
of the job manager, in milliseconds. Records since the last checkpoint come again first.

Modes: `remote` restores from the checkpoint directory, `local` is with
state.backend.local-recovery = true. All files are in a directory of their own, removed at the end,
below --directory, which needs room for up to four times --state-mb.
"""


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="recovery.py", description=__doc__.replace(" See --help.", ""), epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", metavar="DIR",
                        help="the build to measure (MILLRACE_BUILD_DIR, or build/release)")
    parser.add_argument("--modes", default="remote,local", metavar="MODE[,MODE]",
                        help="remote, local or both, in that order (remote,local)")
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="kills in each mode (20)")
    parser.add_argument("--state-mb", type=int, default=GOAL_STATE_MB, metavar="MB",
                        help="keyed state of both subtasks together (1024)")
    parser.add_argument("--per-second", type=float, default=50_000, metavar="N",
                        help="records of both subtasks together, once the state is there (50000)")
    parser.add_argument("--interval-s", type=float, default=10, metavar="S",
                        help="between the beginnings of two checkpoints (10)")
    parser.add_argument("--directory", type=pathlib.Path, metavar="DIR",
                        help="where all files are (that of temporary files)")
    parser.add_argument("--seed", type=int, default=1, metavar="N",
                        help="chooses the moments of the kills (1)")
    parser.add_argument("-D", dest="settings", action="append", default=[], metavar="KEY=VALUE",
                        help="another setting of the cluster and the job")
    arguments = parser.parse_args()
    arguments.modes = arguments.modes.split(",")
    for mode in arguments.modes:
        if mode not in GOALS:
            parser.error(f"no mode is called '{mode}': see --help")
    for name in ("runs", "state_mb", "per_second", "interval_s"):
        if getattr(arguments, name) <= 0:
            parser.error(f"--{name.replace('_', '-')} must be positive")
    for setting in arguments.settings:
        if "=" not in setting:
            parser.error(f"-D {setting}: expected KEY=VALUE")
    if arguments.directory and not arguments.directory.is_dir():
        parser.error(f"--directory: there is no directory '{arguments.directory}'")
    return arguments


def knows_local_recovery(cluster):
    """Whether the build has the option."""
    return subprocess.run([str(cluster.CAF_NODE), "-D", f"{LOCAL_RECOVERY}=true", "--print-config"],
                          capture_output=True, check=False).returncode == 0


class Recoveries:
    """A cluster with the job, whose task managers are killed one after the other."""

    def __init__(self, cluster, arguments, mode):
        self.cluster = cluster
        self.arguments = arguments
        self.random = random.Random(arguments.seed)
        self.kills = 0
        self.machines = {}  # the number of the machine of each task manager
        config = dict(setting.split("=", 1) for setting in arguments.settings)
        if mode == "local" or knows_local_recovery(cluster):
            config[LOCAL_RECOVERY] = "true" if mode == "local" else "false"
        self.nodes = cluster.Cluster(slots=1, config=config)
        self.progress = self.nodes.folder / "progress"
        self.job = None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        # Leaves nothing behind, so it is not to be interrupted.
        handlers = {number: signal.signal(number, signal.SIG_IGN)
                    for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            if kind is not None and issubclass(kind, (AssertionError, subprocess.TimeoutExpired)):
                self.nodes.print_logs()
            self.nodes.close()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def start_task_manager(self, machine):
        """On machine 0, 1, … of which each has its own directory for temporary files."""
        directory = self.nodes.folder / f"machine-{machine}"
        directory.mkdir(exist_ok=True)
        node = self.nodes.start_task_manager("-D", f"io.tmp.dirs={directory}", wait=False)
        self.machines[node] = machine

    def start_job(self):
        """Until its state is there, and a checkpoint has all of it."""
        begin = time.monotonic()
        self.progress.mkdir()
        for machine in range(PARALLELISM):
            self.start_task_manager(machine)
        self.nodes.await_nodes(PARALLELISM)
        keys = (self.arguments.state_mb << 20) // ENTRY_BYTES
        settings = {"execution.checkpointing.interval":
                    f"{round(self.arguments.interval_s * 1000)} ms",
                    "state.checkpoints.dir": self.nodes.checkpoints,
                    "restart-strategy.type": "fixed-delay",
                    "restart-strategy.fixed-delay.attempts": 1_000_000,
                    "restart-strategy.fixed-delay.delay": "0 ms"}
        self.job = self.nodes.run_detached(
            "-p", PARALLELISM,
            *(word for key, value in settings.items() for word in ("-D", f"{key}={value}")),
            *(word for setting in self.arguments.settings for word in ("-D", setting)),
            self.cluster.BUILD / "bench" / "jobs" / "large_state.so", "--keys", keys,
            "--per-second", self.arguments.per_second, "--progress", self.progress)
        self.cluster.wait_until(lambda: self.keys_kept() >= keys, BUILD_SECONDS,
                                "the state is there", pause=0.5)
        print(f"  {keys} keys after {time.monotonic() - begin:.1f} s", flush=True)
        # The next one may have begun before.
        for _ in range(2):
            self.await_checkpoint()
        last = max((each for each in self.nodes.json("checkpoints", self.job)["checkpoints"]
                    if each["status"] == "COMPLETED"), key=lambda each: each["id"])
        print(f"  a checkpoint has {last['state_bytes'] / (1 << 20):.0f} MB and takes "
              f"{last['duration_ms'] / 1000:.1f} s", flush=True)

    def await_checkpoint(self):
        """Until another one is complete."""
        self.nodes.await_checkpoint(self.job, self.arguments.interval_s + CHECKPOINT_SECONDS)

    def vertex(self):
        """What `describe` says of the tasks that keep the state."""
        return next(vertex for vertex in self.nodes.json("describe", self.job)["vertices"]
                    if any(each["name"] == OPERATOR for each in vertex["operators"]))

    def keys_kept(self):
        """In the first attempt: how many keys have state."""
        operator = next(each for each in self.vertex()["operators"] if each["name"] == OPERATOR)
        return operator["metrics"].get("new_keys", 0)

    def first_records(self):
        """The latest attempt of each subtask, and when it has processed its first record, in
        seconds since the epoch; without those that have not yet."""
        latest = {}
        for path in self.progress.iterdir():
            subtask, attempt = map(int, path.name.split("-"))
            latest[subtask] = max(attempt, latest.get(subtask, 0))
        found = {}
        for subtask, attempt in latest.items():
            with open(self.progress / f"{subtask}-{attempt}", encoding="ascii") as lines:
                first = lines.readline()
            if first.endswith("\n"):
                found[subtask] = attempt, int(first.split()[0]) / 1000
        return found

    def new_first_records(self, before):
        """The same when all subtasks have newer attempts than `before`, and these are the ones that
        run now; until then None."""
        found = self.first_records()
        if any(subtask not in found or found[subtask][0] <= before[subtask][0]
               for subtask in range(PARALLELISM)):
            return None
        now = {each["subtask"]: each["attempt"] for each in self.vertex()["subtasks"]
               if each["state"] == "RUNNING"}
        return found if now == {subtask: found[subtask][0] for subtask in found} else None

    def recover(self):
        """Kills a task manager and starts it again: seconds to each of the PHASES, None for one
        that is not in the log."""
        vertex = self.vertex()
        before = self.first_records()
        subtask = self.kills % PARALLELISM
        self.kills += 1
        victim = self.nodes.task_manager_at(vertex["subtasks"][subtask]["task_manager"])
        log_begin = self.nodes.master.err_file.stat().st_size
        killed = time.time()
        self.nodes.kill(victim)
        self.start_task_manager(self.machines.pop(victim))
        first = self.cluster.wait_until(lambda: self.new_first_records(before), RECOVERY_SECONDS,
                                        "all subtasks process records again", pause=0.02)
        log = self.nodes.master.err_file.read_bytes()[log_begin:].decode(errors="replace")
        its = (rf"vertex=\"?{re.escape(vertex['name'])}\"? subtask={subtask + 1}/{PARALLELISM} "
               rf"attempt={first[subtask][0]}\b")
        logged = [self.cluster.logged_at(log, pattern)
                  for pattern in ("lost a task manager", "task manager registered",
                                  f"deploying job job={self.job}", f"RUNNING job={self.job} {its}")]
        times = [*logged, first[subtask][1], max(at for _, at in first.values())]
        return {phase: None if at is None else at - killed for phase, at in zip(PHASES, times)}

    def pause(self):
        """Until there is a checkpoint since the last recovery, and then a part of the interval."""
        if self.kills > 0:
            self.await_checkpoint()
        time.sleep(self.random.uniform(0, self.arguments.interval_s))


def row(what, seconds):
    """A line of the table."""
    return f"  {what:<8}" + "".join(
        f"{'-' if each is None else format(each, '.3f'):>14}" for each in seconds)


def print_summary(mode, recoveries, state_mb):
    """Of all runs in this mode. Whether the goal is met, if there is one for so much state."""
    if not recoveries:
        return True
    columns = [[run[phase] for run in recoveries if run[phase] is not None] for phase in PHASES]
    for what, of in (("median", statistics.median), ("worst", max)):
        print(row(what, [of(column) if column else None for column in columns]))
    measured = [run["first record"] for run in recoveries]
    text = (f"{mode}: kill to first record, {len(measured)} runs: "
            f"median {statistics.median(measured):.2f} s, worst {max(measured):.2f} s")
    is_good = True
    if state_mb >= GOAL_STATE_MB:
        goal = GOALS[mode]
        is_good = max(measured) < goal
        text += f", goal < {goal} s{'' if is_good else '  MISSED'}"
    print(text, flush=True)
    return is_good


def measure(cluster, arguments, mode):
    """All runs in one mode, on a cluster of its own. Whether the goal is met."""
    recoveries = []
    print(f"{mode}: {arguments.state_mb} MB of keyed state, {arguments.runs} runs", flush=True)
    try:
        with Recoveries(cluster, arguments, mode) as job:
            job.start_job()
            print(row("run", []) + "".join(f"{phase:>14}" for phase in PHASES), flush=True)
            for run in range(arguments.runs):
                job.pause()
                recoveries.append(job.recover())
                print(row(f"{run + 1}/{arguments.runs}", recoveries[-1].values()), flush=True)
    except BaseException:
        print_summary(mode, recoveries, arguments.state_mb)
        raise
    return print_summary(mode, recoveries, arguments.state_mb)


def main():
    arguments = parse_arguments()
    cluster = clusters.of_build(arguments.build)
    if "local" in arguments.modes and not knows_local_recovery(cluster):
        sys.exit(f"recovery.py: the build has no {LOCAL_RECOVERY}: measure --modes remote")
    if arguments.directory:
        tempfile.tempdir = str(arguments.directory.resolve())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        # A goal that is missed stops nothing.
        is_good = [measure(cluster, arguments, mode) for mode in arguments.modes]
    except KeyboardInterrupt:
        print("interrupted")
        return 130
    except (AssertionError, subprocess.TimeoutExpired) as problem:
        print(f"FAILED: {problem}", file=sys.stderr)
        return 1
    return 0 if all(is_good) else 2


if __name__ == "__main__":
    sys.exit(main())
