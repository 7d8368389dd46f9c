#!/usr/bin/env python3
"""Kills processes at each step of checkpoints, commits and recovery that src/core/kill_point.hpp
names. scripts/failover/kill-points starts it; MILLRACE_BUILD_DIR names the build."""

import argparse
import os
import random
import signal
import subprocess
import sys
import time

from killable import (CAF_NODE, KillableCluster, PaidOrders, difference, variant_of,
                      wait_until)

VARIABLE = "MILLRACE_KILL_POINT"
KILL_SECONDS = 60  # within which a process comes to the place
END_SECONDS = 120
RECOVERY_SECONDS = 3
PASSES_MAX = 4  # it dies when it comes to the place for the first to fourth time
COUNT = 4_000
SHORT_COUNT = 500
PER_SECOND = 400

# Which process comes to a place, and what has to be done for that.
MASTER, WORKER, SUBMISSION, ENDING, SAVEPOINT = "master", "worker", "submission", "end", "savepoint"
PLACES = {
    "job-accepted": SUBMISSION,
    "epoch-begun": MASTER,
    "origin-loaded": MASTER,
    "tasks-deployed": MASTER,
    "checkpoint-numbered": MASTER,
    "checkpoint-begun": MASTER,
    "checkpoint-triggered": MASTER,
    "task-acknowledged": MASTER,
    "metadata-written": MASTER,
    "metadata-synced": MASTER,
    "metadata-renamed": MASTER,
    "metadata-stored": MASTER,
    "document-written": MASTER,
    "document-renamed": MASTER,
    "checkpoint-recorded": MASTER,
    "checkpoint-announced": MASTER,
    "checkpoint-forgotten": MASTER,
    "snapshot-unnamed": MASTER,
    "snapshot-removed": MASTER,
    "savepoint-begun": SAVEPOINT,
    "result-stored": ENDING,
    "checkpoints-removed": ENDING,
    "graph-removed": ENDING,
    "state-read": WORKER,
    "task-restored": WORKER,
    "snapshot-taken": WORKER,
    "state-begun": WORKER,
    "state-written": WORKER,
    "state-synced": WORKER,
    "state-acknowledged": WORKER,
    "part-opened": WORKER,
    "part-copied": WORKER,
    "part-synced": WORKER,
    "part-closed": WORKER,
    "completion-received": WORKER,
    "commit-begun": WORKER,
    "part-renamed": WORKER,
    "parts-committed": WORKER,
    "changes-applied": WORKER,
    "transaction-committed": WORKER,
}
# A process comes to these once for each recovery, or end, of a job.
ONCE = {"job-accepted", "epoch-begun", "origin-loaded", "tasks-deployed", "result-stored",
        "checkpoints-removed", "graph-removed", "part-copied"}


def places_of_build():
    """As the node itself names them."""
    refused = subprocess.run([str(CAF_NODE), "-D", "debug.chaos.enabled=true"],
                             capture_output=True, text=True, check=False,
                             env=dict(os.environ, **{VARIABLE: "none"}))
    return refused.stderr.partition(", only ")[2].split()


class Walk:
    """Kills processes of one cluster at one place, again and again."""

    def __init__(self, place, times, seed):
        self.place = place
        self.times = times
        self.random = random.Random(f"{seed} {place}")
        self.kills = 0
        self.nodes = None

    def armed(self):
        """The environment of a process that is to die."""
        passes = 1 if self.place in ONCE else self.random.randint(1, PASSES_MAX)
        return {VARIABLE: f"{self.place}:{passes}"}

    def await_death(self, process, job=None, recovered_by=None):
        """It kills itself, unless the job ends before, or that time has come."""
        def is_over():
            late = recovered_by is not None and time.monotonic() > recovered_by
            return process.process.poll() is not None or late or job and job.has_ended()
        wait_until(is_over, KILL_SECONDS, f"a process comes to {self.place}")
        if process.process.poll() is None:
            return self.nodes.kill(process)
        if process.process.returncode != -9:
            raise AssertionError(f"{process.name} ended by itself: {process.err()[-2000:]}")
        self.nodes.forget(process)
        self.kills += 1
        return None

    def die_as_worker(self, job):
        victim = self.random.choice(self.nodes.task_managers)
        self.nodes.kill(victim)
        # What may only happen while a job recovers has not if it goes on.
        recovered_by = time.monotonic() + RECOVERY_SECONDS if self.place in ONCE else None
        self.await_death(self.nodes.start_task_manager(wait=False, **self.armed()), job,
                         recovered_by)
        self.nodes.start_task_manager(wait=False)

    def die_as_master(self, job):
        self.nodes.kill(self.nodes.master)
        master = self.nodes.start_master(wait=False, **self.armed())
        if self.place == "savepoint-begun":
            self.take_savepoints_until_death(master, job)
        self.await_death(master, job)
        self.nodes.start_master(wait=False)

    def take_savepoints_until_death(self, master, job):
        """Savepoints are not taken by themselves."""
        def is_dead():
            if master.process.poll() is None and "listening on" in master.out():
                self.nodes.millrace("savepoint", job.job, self.nodes.folder / "savepoints",
                                    expect=None, seconds=60)
            return master.process.poll() is not None or job.has_ended()
        wait_until(is_dead, KILL_SECONDS, "the master dies by a savepoint")

    def long_jobs(self):
        """Each is killed until it ends, or there were enough deaths."""
        expected = PaidOrders(self.nodes, "expected", COUNT).start()
        expected.await_end(END_SECONDS)
        number = 0
        while self.kills < self.times:
            number += 1
            job = PaidOrders(self.nodes, f"output-{number}", COUNT, PER_SECOND,
                             variant=variant_of(number)).start()
            self.nodes.await_checkpoint(job.job)
            while self.kills < self.times and not job.has_ended():
                if PLACES[self.place] == WORKER:
                    self.die_as_worker(job)
                else:
                    self.die_as_master(job)
            self.nodes.await_listening(self.nodes.master)
            job.await_end(END_SECONDS)
            self.check(job, expected)

    def short_jobs(self):
        """A job for each death, at its begin or its end."""
        expected = PaidOrders(self.nodes, "expected", SHORT_COUNT).start()
        expected.await_end(END_SECONDS)
        for number in range(self.times):
            self.nodes.kill(self.nodes.master)
            master = self.nodes.start_master(**self.armed())
            self.nodes.await_nodes(2)
            job = PaidOrders(self.nodes, f"output-{number}", SHORT_COUNT,
                             variant=variant_of(number))
            if PLACES[self.place] == SUBMISSION:
                before = self.jobs_in_list()
                submitted = self.nodes.start("run", *job.submission())
                self.await_death(master)
                self.nodes.start_master()
                submitted.end()
                job.job, = self.jobs_in_list() - before
            else:
                job.start()
                self.await_death(master)
                self.nodes.start_master()
            job.await_end(END_SECONDS)
            self.check(job, expected)

    def jobs_in_list(self):
        return {entry["id"] for entry in self.nodes.json("list", "-a")["jobs"]}

    def check(self, job, expected):
        """The same was committed, and nothing is left."""
        lost, doubled = difference(job.committed(), expected.committed())
        if lost or doubled:
            raise AssertionError(f"{lost.total()} records lost, such as {sorted(lost)[:3]}; "
                                 f"{doubled.total()} doubled, such as {sorted(doubled)[:3]}")
        wait_until(lambda: not job.left_over(), 10, f"nothing is left of {job.job}")

    def run(self):
        """Nothing if all is well, else what is not."""
        # As many slots as the job needs, so that each worker has a part of it.
        self.nodes = KillableCluster(workers=2, slots=1)
        try:
            if PLACES[self.place] in (SUBMISSION, ENDING):
                self.short_jobs()
            else:
                self.long_jobs()
        except (AssertionError, subprocess.TimeoutExpired) as problem:
            return f"{problem}\n  logs, checkpoints and output are kept in {self.nodes.keep()}"
        finally:
            self.nodes.close()
        return None


def main():
    parser = argparse.ArgumentParser(prog="kill-points")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("places", nargs="*")
    arguments = parser.parse_args()
    if arguments.times < 1:
        parser.error("--times must be positive")
    if arguments.list:
        print("\n".join(PLACES))
        return 0
    if set(PLACES) != set(places_of_build()):
        parser.error("the build knows other kill points than this script: "
                     f"{sorted(set(PLACES) ^ set(places_of_build()))}")
    for place in arguments.places:
        if place not in PLACES:
            parser.error(f"no kill point is called '{place}': see --list")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    bad = kills = 0
    for place in arguments.places or PLACES:
        begin = time.monotonic()
        walk = Walk(place, arguments.times, arguments.seed)
        problem = walk.run()
        outcome = f"FAILED: {problem}" if problem else "same output"
        bad += problem is not None
        kills += walk.kills
        print(f"{place:22} {PLACES[place]:11} {walk.kills:3} kills {time.monotonic() - begin:6.1f} s"
              f"  {outcome}", flush=True)
    print(f"{kills} kills, {bad} places failed")
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
