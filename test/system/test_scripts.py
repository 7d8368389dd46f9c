#!/usr/bin/env python3
"""start-cluster.sh and its kin: daemons, pid files, logs, and nothing left behind."""

import os
import re
import subprocess
import time

import cluster
from cluster import BUILD, Cluster, PATIENCE, SOURCE, SystemTest, is_running, test_job

SCRIPTS = SOURCE / "scripts"


class Scripts(SystemTest):
    """Against a configuration folder of their own."""

    def setUp(self):
        self.cluster = Cluster(master=False, slots=1)
        self.addCleanup(self.cluster.close)
        self.addCleanup(self.stop_everything)
        self.folder = self.cluster.folder
        self.pids = self.folder / "run"
        self.logs = self.folder / "log"
        (self.folder / "masters").write_text("localhost\n")
        (self.folder / "workers").write_text("# two on this host\nlocalhost\n\nlocalhost\n")

    def environment(self):
        return dict(os.environ, MILLRACE_CONF_DIR=str(self.folder), MILLRACE_BUILD_DIR=str(BUILD),
                    MILLRACE_PID_DIR=str(self.pids), MILLRACE_LOG_DIR=str(self.logs),
                    PATH=f"{self.folder / 'bin'}:{os.environ['PATH']}")

    def script(self, name, *arguments, expect=0):
        done = subprocess.run([str(SCRIPTS / name), *map(str, arguments)], check=False, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL,
                              env=self.environment(), timeout=60 * PATIENCE)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done

    def stop_everything(self):
        for name in ["taskmanager.sh", "jobmanager.sh"]:
            subprocess.run([str(SCRIPTS / name), "stop-all"], env=self.environment(), check=False,
                           capture_output=True)

    def running(self, kind):
        """Process ids by the pid files."""
        return [int(line.split()[0]) for file in self.pids.glob(f"*-{kind}.pid")
                for line in file.read_text().splitlines()]

    def test_a_cluster_starts_accepts_a_job_within_a_second_and_stops(self):
        started = time.monotonic()
        done = self.script("start-cluster.sh")
        job = self.cluster.run_detached("-p", 2, test_job("generator"))
        seconds = time.monotonic() - started
        self.assertLess(seconds, 1.0 * PATIENCE)
        self.assertEqual(len(re.findall(r"^Starting jobmanager daemon on host \S+ \(pid \d+\)\.$",
                                        done.stdout, re.MULTILINE)), 1, done.stdout)
        self.assertEqual(len(re.findall(r"^Starting taskmanager daemon on host \S+ \(pid \d+\)\.$",
                                        done.stdout, re.MULTILINE)), 2, done.stdout)
        self.cluster.await_status(job, "RUNNING")
        self.cluster.await_nodes(2)
        pids = self.running("jobmanager") + self.running("taskmanager")
        self.assertEqual(len(pids), 3)

        done = self.script("stop-cluster.sh")
        for pid in pids:
            self.assertFalse(is_running(pid))
            self.assertIn(f"(pid {pid})", done.stdout)
        self.assertEqual(list(self.pids.iterdir()), [], "no pid files are left")
        self.assertEqual(list((self.folder / "tmp").glob("*")), [], "no temporary files are left")

    def test_each_start_gives_another_task_manager_and_stop_takes_the_latest(self):
        self.script("taskmanager.sh", "start")
        self.script("taskmanager.sh", "start")
        first, second = self.running("taskmanager")
        logs = sorted(file.name for file in self.logs.glob("*taskmanager*.log"))
        self.assertEqual(len(logs), 2, logs)
        self.script("taskmanager.sh", "stop")
        self.assertFalse(is_running(second))
        self.assertTrue(is_running(first))
        self.script("taskmanager.sh", "start")
        _, third = self.running("taskmanager")
        rotated = list(self.logs.glob("*taskmanager-1-*.log.1"))
        self.assertEqual(len(rotated), 1, "the log of the second was kept")
        self.script("taskmanager.sh", "stop-all")
        self.assertFalse(is_running(first))
        self.assertFalse(is_running(third))
        done = self.script("taskmanager.sh", "stop")
        self.assert_says(done.stdout, "No taskmanager daemon to stop on host")

    def test_in_the_foreground_it_logs_to_the_terminal_until_it_is_stopped(self):
        node = cluster.Process("foreground", [SCRIPTS / "taskmanager.sh", "start-foreground"],
                               self.folder, self.environment())
        self.addCleanup(node.end)
        cluster.wait_until(lambda: "listening on" in node.out() + node.err(), 10, "it listens")
        self.assertEqual(list(self.pids.glob("*")), [])
        node.signal(2)
        self.assertEqual(node.wait(), 0, node.out() + node.err())

    def test_pid_files_of_processes_that_are_gone_do_no_harm(self):
        self.script("taskmanager.sh", "start")
        pid, = self.running("taskmanager")
        os.kill(pid, 9)
        cluster.wait_until(lambda: not is_running(pid), 5, "the task manager is gone")
        # A process id that another program has now.
        file, = self.pids.glob("*-taskmanager.pid")
        file.write_text(f"{pid} 0\n{os.getpid()} 1\n")
        self.script("taskmanager.sh", "start")
        self.assertEqual(len(self.running("taskmanager")), 1)
        self.script("taskmanager.sh", "stop-all")
        self.assertTrue(is_running(os.getpid()))

    def test_a_daemon_that_cannot_start_is_reported_with_its_reason(self):
        self.script("jobmanager.sh", "start")
        done = self.script("jobmanager.sh", "start", expect=1)
        self.assert_says(done.stderr, "The jobmanager daemon on host", "ended at once",
                         str(self.cluster.port))
        self.assertEqual(len(self.running("jobmanager")), 1)

    def test_a_bad_configuration_is_reported_before_anything_starts(self):
        with open(self.cluster.config_file, "a", encoding="utf-8") as config:
            config.write("taskmanager.numberOfTaskSlot = 2\n")
        done = self.script("taskmanager.sh", "start", expect=2)
        self.assert_says(done.stderr, "millrace.conf:", "taskmanager.numberOfTaskSlot",
                         "taskmanager.numberOfTaskSlots")
        self.assertFalse(self.pids.exists())

    def test_arguments_are_passed_on(self):
        self.script("jobmanager.sh", "start")
        self.script("taskmanager.sh", "start", "-D", "taskmanager.numberOfTaskSlots=7")
        self.cluster.await_nodes(1)
        self.assertEqual(self.cluster.json("nodes")["nodes"][0]["slots"], 7)

    def test_other_hosts_are_reached_by_ssh(self):
        tools = self.folder / "bin"
        tools.mkdir()
        calls = self.folder / "ssh-calls"
        (tools / "ssh").write_text("#!/bin/sh\n"
                                   f"echo \"$@\" >>{calls}\n"
                                   "while [ \"$1\" != -- ]; do shift; done\n"
                                   "shift 2\n"
                                   "exec bash -c \"$*\"\n")
        (tools / "ssh").chmod(0o755)
        (self.folder / "workers").write_text("worker-1.example\nworker-2.example\n")
        self.script("start-cluster.sh")
        self.cluster.await_nodes(2)
        self.assertIn("worker-1.example", calls.read_text())
        self.assertIn("worker-2.example", calls.read_text())
        self.script("stop-cluster.sh")
        self.assertEqual(list(self.pids.iterdir()), [])

    def test_wrong_commands_are_explained(self):
        done = self.script("taskmanager.sh", "begin", expect=2)
        self.assert_says(done.stderr, "Usage: taskmanager.sh")
        self.assert_says(self.script("start-cluster.sh", "--help").stdout, "Usage")


if __name__ == "__main__":
    cluster.main()
