#!/usr/bin/env python3
"""Nodes that die, hang, come early or come back."""

import re
import signal
import time

import cluster
from cluster import Cluster, PATIENCE, SystemTest, logged_at, test_job, wait_until


class LostNodes(SystemTest):
    """Each has a cluster of its own."""

    def cluster_with(self, **options):
        """A cluster that ends with the test."""
        nodes = Cluster(**options)
        self.addCleanup(nodes.close)
        return nodes

    def running_job(self, nodes):
        """A job of which every task manager runs a part."""
        job = nodes.run_detached("-p", len(nodes.task_managers), test_job("generator"))
        wait_until(lambda: self.all_run(nodes, job), 10, "the job runs everywhere")
        return job

    @staticmethod
    def all_run(nodes, job):
        """Whether every subtask runs."""
        tasks = nodes.job(job)["tasks"]
        return tasks["total"] > 0 and tasks["running"] == tasks["total"]

    def test_a_killed_task_manager_fails_its_jobs_within_100_ms(self):
        nodes = self.cluster_with(task_managers=2, slots=1)
        job = self.running_job(nodes)
        killed = time.time()
        nodes.task_managers[1].process.kill()
        noticed = wait_until(lambda: logged_at(nodes.master.err(), "lost"), 5,
                             "the master logs the loss")
        self.assertLess(noticed - killed, 0.1 * PATIENCE)
        nodes.await_status(job, "FAILED")
        cause = nodes.json("describe", job)["cause"]
        self.assertEqual(cause["code"], "task_manager_lost")
        # The master and the other task manager notice at the same time.
        victim = re.search(r"127\.0\.0\.1:\d+", nodes.task_managers[1].out()).group(0)
        self.assertIn(cause["message"].split(" while running ")[0],
                      [f"task manager {victim} was lost (connection lost)",
                       f"lost connection to task manager {victim}"])
        self.assertEqual(len(nodes.json("nodes")["nodes"]), 1)

    def test_a_hung_task_manager_is_noticed_within_the_heartbeat_timeout(self):
        nodes = self.cluster_with(task_managers=2, slots=1,
                                  config={"heartbeat.interval": "200 ms",
                                          "heartbeat.timeout": "2 s"})
        job = self.running_job(nodes)
        stopped = time.monotonic()
        nodes.task_managers[0].signal(signal.SIGSTOP)
        nodes.await_status(job, "FAILED", seconds=6)
        self.assertLess(time.monotonic() - stopped, 2.5 + 1.0 * PATIENCE)
        cause = nodes.json("describe", job)["cause"]
        self.assertEqual(cause["code"], "task_manager_lost")
        self.assert_says(cause["message"], "127.0.0.1:", "heartbeat")
        # Awake again it finds itself forgotten, and registers anew.
        nodes.task_managers[0].signal(signal.SIGCONT)
        nodes.await_nodes(2)
        nodes.run("-p", 2, test_job("generator"), "--count", 100, "--rate", 100000)

    def test_a_task_manager_waits_for_its_master(self):
        nodes = self.cluster_with(master=False)
        nodes.start_task_manager()
        time.sleep(0.5)
        nodes.start_master()
        nodes.await_nodes(1)
        nodes.run(test_job("generator"), "--count", 100, "--rate", 100000)

    def test_a_task_manager_rejoins_a_master_that_came_back(self):
        nodes = self.cluster_with(task_managers=1)
        self.running_job(nodes)
        nodes.master.process.kill()
        nodes.master.wait()
        nodes.start_master()
        nodes.await_nodes(1)
        wait_until(lambda: nodes.json("nodes")["nodes"][0]["slots_free"] == 2, 10,
                   "the tasks of the lost master are gone")
        nodes.run("-p", 2, test_job("generator"), "--count", 100, "--rate", 100000)

    def test_a_task_manager_that_is_stopped_leaves_at_once(self):
        nodes = self.cluster_with(task_managers=2, slots=1)
        job = self.running_job(nodes)
        nodes.task_managers[0].signal(signal.SIGTERM)
        self.assertEqual(nodes.task_managers[0].wait(), 0)
        nodes.await_nodes(1)
        nodes.await_status(job, "FAILED")

    def test_an_idle_node_is_small(self):
        nodes = self.cluster_with(task_managers=1)
        if cluster.SANITIZED:
            self.skipTest("sanitizers use memory of their own")
        for node in [nodes.master, nodes.task_managers[0]]:
            self.assertLess(cluster.resident_kib(node.pid), 40 * 1024)


if __name__ == "__main__":
    cluster.main()
