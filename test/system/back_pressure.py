"""Measures that memory stays bounded while a sink is far slower than its source.

The job of test/jobs/slow_sink.cpp runs embedded and across two nodes; the resident memory of every
process is sampled, and what it grows past its steady state is compared with a limit. How much slower
than its source the sink was is measured across two nodes, and must be enough to mean something.
"""

import dataclasses
import os
import sys
import time

from cluster import Cluster, MILLRACE, resident_kib, test_job

# The address sanitizer keeps freed memory back, up to 256 MB, which would be taken for growth.
os.environ["ASAN_OPTIONS"] = ":".join(
    filter(None, [os.environ.get("ASAN_OPTIONS"), "quarantine_size_mb=4"]))

SAMPLE_SECONDS = 0.25
# Records per second and subtask that the sink takes.
SINK_RATE = 5_000
# How many times as many the sources could make, at least.
SLOWDOWN_MIN = 100


@dataclasses.dataclass
class Growth:
    """The resident memory of one process over a run."""

    name: str
    steady_kib: int
    peak_kib: int

    @property
    def percent(self):
        """How far the peak is above the steady state."""
        return 100.0 * (self.peak_kib - self.steady_kib) / self.steady_kib

    def __str__(self):
        return (f"{self.name}: steady {self.steady_kib / 1024:.1f} MiB, "
                f"peak {self.peak_kib / 1024:.1f} MiB, growth {self.percent:.1f} %")


def watch(processes, warm_up_seconds, seconds):
    """Samples processes; the steady state is the largest sample of the warm-up's second half."""
    steady = {process.pid: 0 for process in processes}
    peak = dict(steady)
    begin = time.monotonic()
    while (elapsed := time.monotonic() - begin) < warm_up_seconds + seconds:
        for process in processes:
            if process.process.poll() is not None:
                raise AssertionError(f"{process.name} ended: {process.err()}")
            kib = resident_kib(process.pid)
            if elapsed >= warm_up_seconds:
                peak[process.pid] = max(peak[process.pid], kib)
            elif elapsed >= warm_up_seconds / 2:
                steady[process.pid] = max(steady[process.pid], kib)
        time.sleep(SAMPLE_SECONDS)
    return [Growth(process.name, steady[process.pid], max(peak[process.pid], steady[process.pid]))
            for process in processes]


def embedded(warm_up_seconds, seconds):
    """One process that runs all of the job."""
    with Cluster(master=False) as nodes:
        nodes.config.pop("jobmanager.rpc.address")
        nodes.write_config()
        job = nodes.start("embedded", MILLRACE, "run", "-p", 2, test_job("slow_sink"), "--rate",
                          SINK_RATE)
        return watch([job], warm_up_seconds, seconds)


def two_nodes(warm_up_seconds, seconds):
    """A master and two task managers, and how the subtasks spent their time."""
    with Cluster(task_managers=2, slots=1) as nodes:
        job = nodes.run_detached("-p", 2, test_job("slow_sink"), "--rate", SINK_RATE)
        nodes.await_status(job, "RUNNING")
        growth = watch(nodes.processes, warm_up_seconds, seconds)
        return growth, nodes.json("describe", job)


def sink_slowdown(details):
    """How many times faster the sources could be, by the part of their time that they worked."""
    source = details["vertices"][0]["subtasks"]
    busy = sum(subtask["busy"] for subtask in source) / len(source)
    return 1 / max(busy, 0.001)


def main(seconds, limit_percent):
    """Runs both and prints what each process needed. The exit code."""
    warm_up_seconds = max(3.0, seconds / 6)
    failed = False
    print(f"{seconds} s each, after {warm_up_seconds:.0f} s of warm-up", flush=True)

    def check(title, growths):
        nonlocal failed
        print(title, flush=True)
        for growth in growths:
            too_much = growth.percent > limit_percent
            failed = failed or too_much
            print(f"  {growth}{'  TOO MUCH' if too_much else ''}", flush=True)

    check("embedded", embedded(warm_up_seconds, seconds))
    growths, details = two_nodes(warm_up_seconds, seconds)
    check("two nodes", growths)
    slowdown = sink_slowdown(details)
    too_little = slowdown < SLOWDOWN_MIN
    failed = failed or too_little
    print(f"  the sources could be {slowdown:.0f} times as fast, at least {SLOWDOWN_MIN} is asked for"
          f"{'  TOO LITTLE' if too_little else ''}", flush=True)
    print("failed" if failed else "passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), float(sys.argv[2])))
