#!/usr/bin/env python3
"""Kills processes at each step of checkpoints, commits and recovery that src/core/kill_point.hpp
names. scripts/failover/kill-points starts it; MILLRACE_BUILD_DIR names the build."""

import argparse
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from in_force import VariantWatch, has_copies, has_files
from killable import (CAF_NODE, MILLRACE, VARIANTS, KillableCluster, PaidOrders, difference, in_pairs,
                      in_sums, print_list, wait_until)

VARIABLE = "MILLRACE_KILL_POINT"
KILL_SECONDS = 60  # within which a process comes to the place
END_SECONDS = 120
RECOVERY_SECONDS = 3
PASSES_MAX = 4  # it dies when it comes to the place for the first to fourth time
COUNT = 4_000
SHORT_COUNT = 500
PER_SECOND = 400
INTERVAL_MS = 100
NEVER_MS = 3_600_000
# A job that is stopped has come far enough by then for all its sinks to have something to commit.
STOPPED_COUNT = 20_000
STOPPED_PER_SECOND = 2_000
STOPPED_AFTER_SECONDS = (1.5, 2.5)
ANSWER_SECONDS = 3  # what happens behind the answer to `stop` has happened

# Which process comes to a place, and what has to be done for that.
MASTER, WORKER, SUBMISSION, ENDING, SAVEPOINT = "master", "worker", "submission", "end", "savepoint"
CLAIM = "claim"  # the master, as the snapshot that a job was given goes
UPLOAD = "upload"  # the master, before it has a job that is submitted
WHOLE_JOB = "whole job"  # a worker that was there before the job
STOP = "stop"  # either, while the job is stopped with a savepoint
PLACES = {
    "artifact-written": UPLOAD,
    "artifact-renamed": UPLOAD,
    "job-accepted": SUBMISSION,
    "epoch-begun": MASTER,
    "origin-loaded": MASTER,
    "tasks-deployed": MASTER,
    "checkpoint-numbered": MASTER,
    "shared-begun": MASTER,
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
    "shared-removed": MASTER,
    "shared-cleared": MASTER,
    "claimed-unnamed": CLAIM,
    "claimed-removed": CLAIM,
    "savepoint-begun": SAVEPOINT,
    "result-stored": ENDING,
    "checkpoints-removed": ENDING,
    "graph-removed": ENDING,
    "program-renamed": WORKER,
    "file-copied": WORKER,
    "state-read": WORKER,
    "log-replayed": WORKER,
    "task-restored": WORKER,
    "log-cut": WORKER,
    "base-made": WHOLE_JOB,
    "image-linked": WORKER,
    "snapshot-taken": WORKER,
    "copy-begun": WORKER,
    "state-begun": WORKER,
    "state-written": WORKER,
    "state-synced": WORKER,
    "state-acknowledged": WORKER,
    "part-opened": WORKER,
    "part-copied": WORKER,
    "part-synced": WORKER,
    "part-closed": WORKER,
    "completion-received": WORKER,
    "copies-confirmed": WORKER,
    "copies-removed": WHOLE_JOB,
    "commit-begun": WORKER,
    "part-renamed": WORKER,
    "parts-committed": WORKER,
    "changes-applied": WORKER,
    "transaction-committed": WORKER,
}
# A process comes to these once for each begin, recovery or end of a job. To those of libraries, too:
# a master that begins without jobs keeps none, and each worker begins with an empty folder.
ONCE = {"artifact-written", "artifact-renamed", "program-renamed",
        "job-accepted", "epoch-begun", "origin-loaded", "tasks-deployed", "result-stored",
        "checkpoints-removed", "graph-removed", "part-copied", "shared-cleared", "claimed-unnamed",
        "log-replayed", "base-made", "copies-removed"}
# Only these variants come there.
OF_FILES = {"shared-begun", "shared-removed", "shared-cleared", "file-copied", "log-replayed",
            "log-cut", "base-made", "image-linked"}
OF_COPIES = {"copy-begun", "copies-confirmed", "copies-removed"}
# Files are only removed when a database begins its log anew, after many checkpoints, and cleared if
# one was under way when a master died: they have to come fast.
INTERVALS_MS = {"shared-removed": 20, "shared-cleared": 20}
# These are passed while a job is stopped, too, and then something else may be lost.
OF_STOPPING = {"savepoint-begun", "checkpoint-triggered", "task-acknowledged", "metadata-written",
               "metadata-renamed", "metadata-stored", "checkpoint-recorded", "checkpoint-announced",
               "result-stored", "graph-removed", "snapshot-taken", "state-written", "state-synced",
               "state-acknowledged", "completion-received", "commit-begun", "part-renamed",
               "parts-committed", "changes-applied", "transaction-committed"}
OF_MASTER = {MASTER, UPLOAD, SUBMISSION, ENDING, SAVEPOINT, CLAIM}
MEMORY = pathlib.Path("/dev/shm")


def places_of_build():
    """As the node itself names them."""
    refused = subprocess.run([str(CAF_NODE), "-D", "debug.chaos.enabled=true"],
                             capture_output=True, text=True, check=False,
                             env=dict(os.environ, **{VARIABLE: "none"}))
    return refused.stderr.partition(", only ")[2].split()


def ways_of(places):
    """What is done for each place, in turn."""
    for place in places:
        yield place, PLACES[place]
        if place in OF_STOPPING:
            yield place, STOP


class Walk:
    """Kills processes of one cluster at one place, again and again, while one thing is done."""

    def __init__(self, place, way, times, seed):
        self.place = place
        self.way = way
        self.times = times
        self.random = random.Random(f"{seed} {place} {way}")
        self.kills = 0
        self.nodes = None
        self.watch = None
        self.variants = [name for name in VARIANTS
                         if (place not in OF_FILES or has_files(name))
                         and (place not in OF_COPIES or has_copies(name))]

    def armed(self):
        """The environment of a process that is to die."""
        first = self.place in ONCE or self.way == STOP
        passes = 1 if first else self.random.randint(1, PASSES_MAX)
        return {VARIABLE: f"{self.place}:{passes}"}

    def variant(self, number):
        """Of the job with that number: all that come to the place, in turn."""
        return self.variants[number % len(self.variants)]

    def start_armed(self):
        """A process in the place of one that is killed."""
        if PLACES[self.place] in OF_MASTER:
            self.nodes.kill(self.nodes.master)
            process = self.nodes.start_master(**self.armed())
        else:
            self.nodes.kill(self.random.choice(self.nodes.task_managers))
            process = self.nodes.start_task_manager(**self.armed())
        self.nodes.await_nodes(2)
        return process

    def start_again(self):
        """Another process for the one that has died."""
        if PLACES[self.place] in OF_MASTER:
            self.nodes.start_master()
        else:
            self.nodes.start_task_manager()

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
        # There may have been nothing to clear.
        recovered_by = (time.monotonic() + RECOVERY_SECONDS if self.place == "shared-cleared"
                        else None)
        self.await_death(master, job, recovered_by)
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
                             interval_ms=INTERVALS_MS.get(self.place, INTERVAL_MS),
                             variant=self.variant(number)).start()
            self.watch = VariantWatch(self.nodes, job.job, self.variant(number))
            self.nodes.await_checkpoint(job.job)
            while self.kills < self.times and not job.has_ended():
                if PLACES[self.place] == WORKER:
                    self.die_as_worker(job)
                else:
                    self.die_as_master(job)
            self.nodes.await_listening(self.nodes.master)
            job.await_end(END_SECONDS)
            self.watch.check()
            self.check(job, expected)

    def short_jobs(self):
        """A job for each death, at its begin or its end."""
        expected = PaidOrders(self.nodes, "expected", SHORT_COUNT).start()
        expected.await_end(END_SECONDS)
        for number in range(self.times):
            master = self.start_armed()
            job = PaidOrders(self.nodes, f"output-{number}", SHORT_COUNT,
                             variant=self.variant(number))
            if PLACES[self.place] in (UPLOAD, SUBMISSION):
                before = self.jobs_in_list()
                submitted = self.nodes.start("run", *job.submission())
                self.await_death(master)
                self.nodes.start_master()
                submitted.end()
                taken = self.jobs_in_list() - before
                if PLACES[self.place] == SUBMISSION:
                    job.job, = taken
                else:
                    self.check_nothing_is_uploaded(taken)
                    job.start()
            else:
                job.start()
                self.await_death(master)
                self.nodes.start_master()
            job.await_end(END_SECONDS)
            self.check(job, expected)

    def check_nothing_is_uploaded(self, taken):
        """The job was not taken, and its library, whole or not, went as the next master began."""
        if taken:
            raise AssertionError(f"{taken} was taken by a master that had not said that it has the "
                                 "library")
        left = list((self.nodes.folder / "ha" / "default" / "artifacts").iterdir())
        if left:
            raise AssertionError(f"{left} is nobody's")

    def whole_jobs(self):
        """A job for each death of a worker that has all of it, from its begin to its end."""
        expected = PaidOrders(self.nodes, "expected", SHORT_COUNT).start()
        expected.await_end(END_SECONDS)
        for number in range(self.times):
            worker = self.start_armed()
            job = PaidOrders(self.nodes, f"output-{number}", SHORT_COUNT, PER_SECOND,
                             variant=self.variant(number)).start()
            self.await_death(worker)
            self.start_again()
            job.await_end(END_SECONDS)
            self.check(job, expected)

    def claims(self):
        """A job for each death: one that was given the checkpoint of another, and removes it."""
        expected = PaidOrders(self.nodes, "expected", COUNT).start()
        expected.await_end(END_SECONDS)
        for number in range(self.times):
            job = PaidOrders(self.nodes, f"output-{number}", COUNT, PER_SECOND,
                             variant=self.variant(number))
            job.start("-D", "execution.checkpointing.externalized-checkpoint-retention="
                      "retain-on-cancellation")
            for _ in range(2):
                self.nodes.await_checkpoint(job.job)
            first = job.job
            self.nodes.millrace("cancel", first)
            self.nodes.await_status(first, "CANCELED", 30)
            # The last one on disk may be about to go: it was not complete when the job ended.
            claimed = pathlib.Path(
                self.nodes.json("describe", first)["last_checkpoint"]["location"])
            of_first = set(job.hidden_parts())  # they stay, as a claim does not reach them
            master = self.start_armed()
            job.start("-s", claimed, "--claim-mode", "CLAIM")
            self.await_death(master, job)
            self.start_again()
            job.await_end(END_SECONDS)
            self.check(job, expected, may_stay=of_first)
            if (claimed / "_metadata").exists():
                raise AssertionError(f"{claimed} was claimed, and is still a checkpoint")

    def stops(self):
        """A job for each death: it is stopped with a savepoint, every third time drained, and goes
        on from there. It takes no other checkpoints."""
        expected = PaidOrders(self.nodes, "expected", STOPPED_COUNT).start()
        expected.await_end(END_SECONDS)
        for number in range(self.times):
            process = self.start_armed()
            job = PaidOrders(self.nodes, f"output-{number}", STOPPED_COUNT, STOPPED_PER_SECOND,
                             interval_ms=NEVER_MS, variant=self.variant(number)).start()
            self.nodes.await_all_tasks(job.job, 30)
            time.sleep(self.random.uniform(*STOPPED_AFTER_SECONDS))
            savepoints = self.nodes.folder / f"savepoints-{number}"
            is_drained = number % 3 == 2
            options = ["-p", savepoints, *(["--drain"] if is_drained else []), job.job]
            savepoint = self.stop_dying(process, job, options)
            of_savepoint = set(job.hidden_parts())  # they stay with it
            if savepoint or difference(job.committed(), expected.committed())[0]:
                if not savepoint:  # nobody was left to be told
                    savepoint = max((path.parent for path in savepoints.glob("*/_metadata")),
                                    key=lambda path: path.stat().st_mtime)
                job.per_second = None
                job.start("-s", savepoint)
                job.await_end(END_SECONDS)
            self.check(job, expected, is_drained, of_savepoint)
            shutil.rmtree(job.folder)

    def stop_dying(self, process, job, options):
        """Stops the job while a process dies, and again until it has stopped. The path of the
        savepoint, unless it had ended or stopped before it could be told."""
        stopping = self.nodes.start("stop", MILLRACE, "stop", *options)
        answered = []

        def is_over():
            if not answered and stopping.process.poll() is not None:
                answered.append(time.monotonic())
            return process.process.poll() is not None or (
                answered and time.monotonic() > answered[0] + ANSWER_SECONDS)
        wait_until(is_over, KILL_SECONDS, f"a process comes to {self.place}")
        if process.process.poll() is None:
            raise AssertionError(f"no process has come to {self.place} while job {job.job} was "
                                 f"stopped:\n{stopping.out()}{stopping.err()}")
        self.await_death(process)
        self.start_again()
        stopping.wait(KILL_SECONDS)
        said = [stopping.out()]

        def has_stopped():
            if self.nodes.job(job.job)["status"] == "FINISHED":
                return True
            said.append(self.nodes.millrace("stop", *options, expect=None, seconds=60).stdout)
            return False
        wait_until(has_stopped, END_SECONDS, f"job {job.job} has stopped")
        found = re.search(r", at (\S+)", said[-1])
        return found and found.group(1)

    def jobs_in_list(self):
        return {entry["id"] for entry in self.nodes.json("list", "-a")["jobs"]}

    def check(self, job, expected, is_drained=False, may_stay=frozenset()):
        """The same was committed, and nothing else is left. Windows of a job that was drained are not
        complete: there are fewer pairs, and two sums of a window, which together have all pairs."""
        committed = job.committed()
        lost, doubled = difference(committed, expected.committed())
        if is_drained:
            lost.clear()
            doubled = type(doubled)({record: count for record, count in doubled.items()
                                     if record.startswith("pairs ")})
            paired, summed = in_pairs(committed), in_sums(committed)
            if paired != summed:
                raise AssertionError(f"the pairs are {paired[0]} orders of {paired[1]} cents, but "
                                     f"the sums have {summed[0]} of {summed[1]}")
        if lost or doubled:
            raise AssertionError(f"{lost.total()} records lost, such as {sorted(lost)[:3]}; "
                                 f"{doubled.total()} doubled, such as {sorted(doubled)[:3]}")
        wait_until(lambda: not set(job.left_over()) - may_stay, 10,
                   f"nothing is left of {job.job}")

    def run(self):
        """Nothing if all is well, else what is not."""
        # Where copies are no links, one may be half written.
        copies = (tempfile.mkdtemp(prefix="millrace-copies-", dir=MEMORY)
                  if self.place in OF_COPIES and MEMORY.is_dir() else None)
        # As many slots as the job needs, so that each worker has a part of it.
        self.nodes = KillableCluster(
            workers=2, slots=1,
            config={"taskmanager.state.local.root-dirs": copies} if copies else None)
        walk = {UPLOAD: self.short_jobs, SUBMISSION: self.short_jobs, ENDING: self.short_jobs,
                CLAIM: self.claims, WHOLE_JOB: self.whole_jobs, STOP: self.stops}
        try:
            walk.get(self.way, self.long_jobs)()
        except (AssertionError, subprocess.TimeoutExpired) as problem:
            return f"{problem}\n  logs, checkpoints and output are kept in {self.nodes.keep()}"
        finally:
            if self.watch:
                self.watch.stop()
            self.nodes.close()
            if copies:
                shutil.rmtree(copies, ignore_errors=True)
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
        print_list(PLACES)
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
    for place, way in ways_of(arguments.places or PLACES):
        begin = time.monotonic()
        walk = Walk(place, way, arguments.times, arguments.seed)
        problem = walk.run()
        outcome = f"FAILED: {problem}" if problem else "same output"
        bad += problem is not None
        kills += walk.kills
        print(f"{place:22} {way:11} {walk.kills:3} kills {time.monotonic() - begin:6.1f} s"
              f"  {outcome}", flush=True)
    print(f"{kills} kills, {bad} ways failed")
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
