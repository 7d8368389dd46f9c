#!/usr/bin/env python3
"""Kills workers and masters at random for as long as it is told, and compares what the job commits
with a run without failures. scripts/soak starts it; MILLRACE_BUILD_DIR names the build."""

import argparse
import collections
import random
import shutil
import signal
import subprocess
import sys
import time

from in_force import VariantWatch
from killable import VARIANTS, KillableCluster, PaidOrders, difference, wait_until

WORKERS = 3
SLOTS = 1
PARALLELISM = 2  # so that one worker may be away for a while
COUNT = 15_000  # orders of one job
PER_SECOND = 400  # so that it takes a good half minute without failures
STALL_SECONDS = 120  # without a checkpoint: it will not come any more
SHOWN = 20


class Soak:
    """One job after the other, killed all the time. What it has seen is printed at its end, however
    that comes."""

    def __init__(self, nodes, arguments):
        self.nodes = nodes
        self.random = random.Random(arguments.seed)
        self.pause = arguments.pause
        self.seconds = arguments.minutes * 60
        self.kills = collections.Counter()
        self.restarts = 0
        self.jobs = 0
        self.checkpoints = 0
        self.seen = set()  # checkpoints of the job that runs
        self.lost = collections.Counter()
        self.doubled = collections.Counter()
        self.job = None
        self.variant = None
        self.variants = collections.Counter()
        self.in_force = None
        self.expected = PaidOrders(nodes, "expected", COUNT, parallelism=PARALLELISM).start()
        self.expected.await_end(STALL_SECONDS)
        self.begin = self.last_progress = time.monotonic()
        self.longest_stall = 0.0

    def elapsed(self):
        return time.monotonic() - self.begin

    def note_progress(self):
        """A checkpoint or the end of a job; an AssertionError if that is too long ago."""
        now = time.monotonic()
        done = self.nodes.completed_checkpoints(self.job.job)
        if done - self.seen or self.job.has_ended():
            self.longest_stall = max(self.longest_stall, now - self.last_progress)
            self.last_progress = now
            self.checkpoints += len(done - self.seen)
            self.seen |= done
        if now - self.last_progress > STALL_SECONDS:
            raise AssertionError(f"no checkpoint of job {self.job.job} for {STALL_SECONDS} s")

    def watch(self, seconds):
        """For so long, or until the job has ended."""
        until = time.monotonic() + seconds
        while not self.job.has_ended():
            self.note_progress()
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(0.05, left))

    def start_job(self):
        self.jobs += 1
        self.seen = set()
        self.variant = self.random.choice(list(VARIANTS))
        self.job = PaidOrders(self.nodes, f"output-{self.jobs}", COUNT, PER_SECOND,
                              parallelism=PARALLELISM, interval_ms=200,
                              variant=self.variant).start()
        self.variants[self.variant] += 1
        self.in_force = VariantWatch(self.nodes, self.job.job, self.variant)
        self.last_progress = time.monotonic()

    def check_job(self):
        """It has ended: what has it committed, and what has it left?"""
        self.note_progress()
        self.job.await_end(STALL_SECONDS)
        self.in_force.check()
        lost, doubled = difference(self.job.committed(), self.expected.committed())
        self.lost += lost
        self.doubled += doubled
        print(f"{self.elapsed():7.1f} s  job {self.jobs} ({self.variant}) is finished, "
              f"{lost.total()} records lost, {doubled.total()} duplicated", flush=True)
        wait_until(lambda: not self.job.left_over(), 10, f"job {self.job.job} leaves nothing: "
                   + ", ".join(map(str, self.job.left_over()[:SHOWN])))
        if self.is_good():
            shutil.rmtree(self.job.folder)
        else:
            raise AssertionError(f"job {self.job.job} has committed something else")

    def victims(self):
        """Mostly one worker, often the master, now and then several, or all."""
        workers = self.nodes.task_managers
        dice = self.random.random()
        if dice < 0.5:
            return "worker", [self.random.choice(workers)]
        if dice < 0.75:
            return "master", [self.nodes.master]
        if dice < 0.85:
            return "worker and master", [self.random.choice(workers), self.nodes.master]
        if dice < 0.95:
            return "all workers", list(workers)
        return "everything", [self.nodes.master, *workers]

    def kill_something(self):
        """And starts it again, at once or after a while."""
        name, victims = self.victims()
        self.kills[name] += 1
        master_dies = self.nodes.master in victims
        self.nodes.kill(*victims)
        print(f"{self.elapsed():7.1f} s  kills {name}, checkpoint {max(self.seen, default=0)}",
              flush=True)
        self.watch(self.random.choice((0, 0, self.random.uniform(0, 2))))
        if master_dies:
            self.nodes.start_master()
        while len(self.nodes.task_managers) < WORKERS:
            self.nodes.start_task_manager(wait=False)
        self.restarts += len(victims)

    def run(self):
        """Until the time is over, and then the last job may come to its end."""
        self.start_job()
        while self.elapsed() < self.seconds or not self.job.has_ended():
            if self.elapsed() >= self.seconds:
                self.watch(STALL_SECONDS)
            else:
                self.watch(self.random.uniform(*self.pause))
                if not self.job.has_ended():
                    self.kill_something()
            if self.job.has_ended():
                self.check_job()
                if self.elapsed() < self.seconds:
                    self.start_job()

    def is_good(self):
        """Nothing was lost, and nothing was committed twice."""
        return not self.lost and not self.doubled

    def print_summary(self):
        """What was done and what came of it."""
        kills = sum(self.kills.values())
        by_kind = ", ".join(f"{count} of {name}" for name, count in sorted(self.kills.items()))
        by_variant = "; ".join(f"{count} of {name}"
                               for name, count in sorted(self.variants.items()))
        print(f"time                     {self.elapsed() / 60:.1f} min\n"
              f"jobs of {COUNT} orders     {self.jobs}{f' ({by_variant})' if by_variant else ''}\n"
              f"kills                    {kills}{f' ({by_kind})' if by_kind else ''}\n"
              f"processes started again  {self.restarts}\n"
              f"checkpoints completed    {self.checkpoints}\n"
              f"longest without one      {self.longest_stall:.1f} s\n"
              f"lost records             {self.lost.total()}\n"
              f"duplicated records       {self.doubled.total()}")
        for what, records in (("lost", self.lost), ("duplicated", self.doubled)):
            for record in sorted(records)[:SHOWN]:
                print(f"  {what}: {record}")


def parse_arguments():
    parser = argparse.ArgumentParser(prog="soak")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--pause", type=float, nargs=2, default=(1.0, 10.0))
    arguments = parser.parse_args()
    if arguments.minutes <= 0:
        parser.error("--minutes must be positive")
    if not 0 <= arguments.pause[0] <= arguments.pause[1]:
        parser.error("--pause needs the least and the greatest pause in seconds")
    if arguments.seed is None:
        arguments.seed = random.SystemRandom().randrange(1 << 32)
    return arguments


def main():
    arguments = parse_arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    print(f"seed {arguments.seed}", flush=True)
    nodes = soak = None
    code = 1
    try:
        nodes = KillableCluster(WORKERS, SLOTS)
        soak = Soak(nodes, arguments)
        soak.run()
        code = 0 if soak.is_good() else 1
    except KeyboardInterrupt:
        print("interrupted")
        code = 130
    except (AssertionError, subprocess.TimeoutExpired) as problem:
        print(f"FAILED: {problem}")
    # What follows leaves nothing behind, so it is not to be interrupted.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if nodes is not None:
        nodes.end_all()
    if soak is not None:
        soak.print_summary()
    if nodes is not None:
        if code == 1:
            print(f"logs, checkpoints and output are kept in {nodes.keep()}")
        nodes.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
