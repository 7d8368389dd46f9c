#!/usr/bin/env python3
"""Measures whole processes: the exchange between two nodes, how long a small embedded job takes
from start to exit, what an idle node holds resident, and how soon a started cluster takes a job.

    bench/processes.py [ROUNDS]      MILLRACE_BUILD_DIR names the build, by default build/release

Exit code 2 if a goal is missed.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import clusters

cluster = clusters.of_build()

RECORD_BYTES = 64
EXCHANGED_RECORDS = 50_000_000


def report(what, values, unit, goal, is_good):
    """Prints a line; whether the median meets the goal."""
    middle = statistics.median(values)
    is_met = is_good(middle)
    print(f"{what:<52} {middle:8.1f} {unit} ({min(values):.1f} to {max(values):.1f}), "
          f"goal {goal}{'' if is_met else '  MISSED'}", flush=True)
    return is_met


def exchange(rounds):
    """MB/s of records from one node to another."""
    with cluster.Cluster(task_managers=2, slots=1) as nodes:
        library = cluster.BUILD / "bench" / "jobs" / "exchange.so"
        speeds = []
        for _ in range(rounds + 1):
            job = nodes.run_detached(library, "--records", EXCHANGED_RECORDS)
            nodes.await_status(job, "FINISHED", 120)
            milliseconds = nodes.job(job)["duration_ms"]
            speeds.append(EXCHANGED_RECORDS * RECORD_BYTES / 1000 / milliseconds)
        return report("exchange between two nodes", speeds[1:], "MB/s", ">= 500", lambda v: v >= 500)


def embedded(rounds):
    """Milliseconds of a word count over a small file, from start to exit."""
    program = cluster.BUILD / "examples" / "word_count" / "word_count"
    times = []
    for _ in range(max(rounds, 10)):
        start = time.monotonic()
        subprocess.run([program, "--input", cluster.TEXT], check=True, stdout=subprocess.DEVNULL)
        times.append((time.monotonic() - start) * 1000)
    return report("embedded word count of a small file", times, "ms", "< 150", lambda v: v < 150)


def idle_node():
    """Resident MB of nodes that have nothing to do."""
    with cluster.Cluster(task_managers=1) as nodes:
        time.sleep(3)
        return all([report(f"idle node ({node.name.split('-', 1)[1]})",
                           [cluster.resident_kib(node.process.pid) / 1000], "MB", "< 40",
                           lambda v: v < 40)
                    for node in (nodes.master, nodes.task_managers[0])])


def start_cluster(rounds):
    """Seconds from start-cluster.sh, with two workers, to an accepted job."""
    times = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder:
            folder = pathlib.Path(folder)
            port = cluster.free_port()
            (folder / "masters").write_text("localhost\n")
            (folder / "workers").write_text("localhost\nlocalhost\n")
            (folder / "millrace.conf").write_text(
                f"jobmanager.rpc.address = 127.0.0.1\njobmanager.rpc.port = {port}\n"
                f"env.pid.dir = {folder}/run\nlog.dir = {folder}/log\n"
                f"security.cluster.secret-file = {folder}/secret\n")
            secret = folder / "secret"
            secret.touch(mode=0o600)
            secret.write_text("ab" * 32 + "\n")
            environment = dict(os.environ, MILLRACE_CONF_DIR=str(folder))
            library = cluster.example("word_count")
            try:
                start = time.monotonic()
                subprocess.run([cluster.SOURCE / "scripts" / "start-cluster.sh"], check=True,
                               env=environment, stdout=subprocess.DEVNULL)
                subprocess.run([cluster.MILLRACE, "run", "-d", library, "--input", cluster.TEXT],
                               check=True, env=environment, stdout=subprocess.DEVNULL)
                times.append(time.monotonic() - start)
            finally:
                subprocess.run([cluster.SOURCE / "scripts" / "stop-cluster.sh"], env=environment,
                               stdout=subprocess.DEVNULL, check=False)
    return report("start-cluster.sh to an accepted job", times, "s", "< 1", lambda v: v < 1)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"machine: {os.cpu_count()} hardware threads; medians, minimum and maximum")
    goals = [exchange(rounds), embedded(rounds), idle_node(), start_cluster(rounds)]
    return 0 if all(goals) else 2


if __name__ == "__main__":
    sys.exit(main())
