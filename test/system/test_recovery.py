#!/usr/bin/env python3
"""Jobs that go on after their workers were killed."""

import collections
import time

import cluster
from cluster import Cluster, SystemTest, test_job, wait_until

LINES = 6000
KEYS = 40


class Recovery(SystemTest):
    """Each has a cluster of its own."""

    def cluster_with(self, **options):
        """A cluster that ends with the test."""
        nodes = Cluster(**options)
        self.addCleanup(nodes.close)
        return nodes

    @staticmethod
    def completed(nodes, job):
        """How many checkpoints are complete."""
        return nodes.json("checkpoints", job)["completed"]

    def test_a_file_to_file_job_writes_each_line_once_though_workers_are_killed(self):
        nodes = self.cluster_with(task_managers=3, slots=1,
                                  config={"heartbeat.interval": "200 ms",
                                          "heartbeat.timeout": "2 s"})
        keys = [f"key-{n * n % KEYS}" for n in range(LINES)]
        source = nodes.folder / "input.txt"
        source.write_text("".join(f"{key}\n" for key in keys))
        target = nodes.folder / "output"
        job = nodes.run_detached("-p", 2,
                                 "-D", "execution.checkpointing.interval=100 ms",
                                 "-D", f"state.checkpoints.dir={nodes.folder / 'checkpoints'}",
                                 "-D", "taskmanager.network.batch-rows=20",
                                 "-D", "restart-strategy.type=fixed-delay",
                                 "-D", "restart-strategy.fixed-delay.attempts=10",
                                 "-D", "restart-strategy.fixed-delay.delay=50 ms",
                                 test_job("running_counts"), "--input", source,
                                 "--output", target, "--pause-us", 1500)
        for kill in range(2):
            before = self.completed(nodes, job)
            wait_until(lambda: self.completed(nodes, job) >= before + 2, 20,
                       "two checkpoints are complete")
            victim = self.one_at_work(nodes, job)
            victim.process.kill()
            victim.wait()
            nodes.task_managers.remove(victim)
            nodes.start_task_manager()
            wait_until(lambda: nodes.json("describe", job)["restarts"] > kill, 20,
                       "the job is restarted")
        nodes.await_status(job, "FINISHED", seconds=60)
        self.assertGreaterEqual(nodes.json("describe", job)["restarts"], 2)

        expected = []
        seen = collections.Counter()
        for key in keys:
            seen[key] += 1
            expected.append(f"{key},{seen[key]}")
        files = sorted(target.iterdir())
        self.assertEqual([file.name for file in files], ["1", "2"])
        written = [line for file in files for line in file.read_text().splitlines()]
        self.assertEqual(sorted(written), sorted(expected))
        # Nothing is left of its checkpoints.
        left = [path for path in (nodes.folder / "checkpoints").rglob("*") if path.is_file()]
        self.assertEqual(left, [])

    @staticmethod
    def one_at_work(nodes, job):
        """A task manager that runs tasks of the job: one whose slot is not free."""
        def find():
            busy = [node["address"] for node in nodes.json("nodes")["nodes"]
                    if node["slots_free"] == 0]
            return [tm for tm in nodes.task_managers
                    if any(address in tm.out() for address in busy)]
        return wait_until(find, 10, "a task manager is at work")[0]


if __name__ == "__main__":
    cluster.main()
