#!/usr/bin/env python3
"""The failover scenarios: what is done to a cluster while a job runs. scripts/failover/run starts
them; MILLRACE_BUILD_DIR names the build."""

import argparse
import signal
import sys
import time

from in_force import VariantWatch
from killable import VARIANTS, KillableCluster, print_list, test_job, variant_of, wait_until

LINES = 6000
KEYS = 40


class Run:
    """One run of the job on a cluster of its own, with its state kept as the variant says."""

    def __init__(self, variant):
        self.nodes = KillableCluster(workers=2, slots=2)
        folder = self.nodes.folder
        source = folder / "input.txt"
        source.write_text("".join(f"key-{n * n % KEYS}\n" for n in range(LINES)))
        self.trap = folder / "throw"
        self.job = self.nodes.run_detached(
            *self.nodes.settings_of_jobs(variant=variant),
            "-D", "state.storage.fs.memory-threshold=0 b",  # so that there is something to copy
            test_job("running_counts"), "--input", source, "--output", folder / "output",
            "--pause-us", 1500, "--throw-at", self.trap, "--as-state")
        self.watch = VariantWatch(self.nodes, self.job, variant)

    def await_checkpoint(self):
        """Until another one is complete, so that there is something to go back to."""
        self.nodes.await_checkpoint(self.job)

    def output(self):
        """What the job has committed in the end, sorted."""
        self.nodes.await_status(self.job, "FINISHED", seconds=120)
        self.watch.check()
        files = sorted((self.nodes.folder / "output").iterdir())
        return b"".join(sorted(line for file in files
                               for line in file.read_bytes().splitlines(keepends=True)))

    # What can be done to it.

    def chaos(self, *victim):
        """Kills an actor."""
        self.nodes.millrace("chaos", "kill", *victim)

    def throw(self):
        """In a function of a task."""
        self.trap.touch()
        wait_until(lambda: not self.trap.exists(), 30, "a function has thrown")

    def kill_master(self):
        """kill -9, and another one."""
        self.nodes.kill(self.nodes.master)
        self.nodes.start_master()

    def kill_worker(self, number=0):
        """kill -9, and another one."""
        self.nodes.kill(self.nodes.task_managers[number])
        self.nodes.start_task_manager()

    def stop_for(self, process, seconds):
        """As if its machine hung: SIGSTOP, and SIGCONT after a while."""
        process.signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.signal(signal.SIGCONT)


def kill_tasks(run):
    for vertex, subtask in ((0, 0), (1, 1), (1, 0)):
        run.await_checkpoint()
        run.chaos("task", run.job, vertex, subtask)


def throw_in_task(run):
    for _ in range(3):
        run.await_checkpoint()
        run.throw()


def kill_job_master(run):
    for _ in range(3):
        run.await_checkpoint()
        run.chaos("job-master", run.job)


def kill_dispatcher(run):
    for _ in range(3):
        run.await_checkpoint()
        run.chaos("dispatcher")


def kill_resource_manager(run):
    for _ in range(3):
        run.await_checkpoint()
        run.chaos("resource-manager")


def kill_task_manager_actor(run):
    run.await_checkpoint()
    address = run.nodes.json("nodes")["nodes"][0]["address"]
    run.chaos("task-manager", address)
    victim = run.nodes.task_manager_at(address)
    run.nodes.forget(victim)  # a process without its worker ends
    run.nodes.start_task_manager()


def kill_master_process(run):
    for _ in range(3):
        run.await_checkpoint()
        run.kill_master()


def kill_worker_process(run):
    for _ in range(3):
        run.await_checkpoint()
        run.kill_worker()


def kill_everything(run):
    run.await_checkpoint()
    run.nodes.kill(run.nodes.master, *run.nodes.task_managers)
    run.nodes.start_master()
    for _ in range(2):
        run.nodes.start_task_manager()


def stop_and_continue_worker(run):
    run.await_checkpoint()
    run.stop_for(run.nodes.task_managers[0], 3.5)  # longer than the heartbeat timeout
    run.await_checkpoint()
    run.stop_for(run.nodes.task_managers[1], 0.5)


def stop_and_continue_master(run):
    run.await_checkpoint()
    run.stop_for(run.nodes.master, 3.5)


def stop_and_kill_master(run):
    run.await_checkpoint()
    run.nodes.master.signal(signal.SIGSTOP)
    time.sleep(1)
    run.kill_master()


SCENARIOS = {function.__name__.replace("_", "-"): function for function in (
    kill_tasks, throw_in_task, kill_job_master, kill_dispatcher, kill_resource_manager,
    kill_task_manager_actor, kill_master_process, kill_worker_process, kill_everything,
    stop_and_continue_worker, stop_and_continue_master, stop_and_kill_master)}


def output_with(what, variant):
    """The output of a run to which `what` is done."""
    run = Run(variant)
    with run.nodes:
        try:
            what(run)
            return run.output()
        finally:
            run.watch.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--variant", choices=list(VARIANTS))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("scenarios", nargs="*")
    arguments = parser.parse_args()
    if arguments.list:
        print_list(SCENARIOS)
        return 0
    for name in arguments.scenarios:
        if name not in SCENARIOS:
            parser.error(f"no scenario is called '{name}': see --list")
    expected = output_with(lambda run: None, next(iter(VARIANTS)))
    differing = runs = 0
    for round_number in range(arguments.rounds):
        for name in arguments.scenarios or SCENARIOS:
            begin = time.monotonic()
            variant = arguments.variant or variant_of(runs)
            runs += 1
            same = output_with(SCENARIOS[name], variant) == expected
            differing += not same
            print(f"{name:28} {round_number + 1}  {time.monotonic() - begin:5.1f} s  {variant:32} "
                  f"{'same output' if same else 'OTHER OUTPUT'}", flush=True)
    print(f"{differing} runs differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
