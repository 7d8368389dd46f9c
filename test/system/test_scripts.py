#!/usr/bin/env python3
"""start-cluster.sh and its kin: daemons, pid files, logs, and nothing left behind."""

import os
import re
import signal
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

    def script(self, name, *arguments, expect=0, **variables):
        done = subprocess.run([str(SCRIPTS / name), *map(str, arguments)], check=False, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL,
                              env=dict(self.environment(), **variables), timeout=60 * PATIENCE)
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
        nodes = []
        for script in ["jobmanager.sh", "taskmanager.sh"]:
            node = cluster.Process(script, [SCRIPTS / script, "start-foreground"], self.folder,
                                   self.environment())
            self.addCleanup(node.end)
            cluster.wait_until(lambda node=node: "listening on" in node.out(), 10, "it listens")
            self.assert_says(node.err(), "node started")
            nodes.append(node)
        self.cluster.await_nodes(1)
        self.assertEqual(list(self.pids.glob("*")), [])
        for node in reversed(nodes):
            node.signal(2)
            self.assertEqual(node.wait(), 0, node.out() + node.err())

    def test_a_daemon_that_does_not_end_is_killed(self):
        self.script("taskmanager.sh", "start")
        pid, = self.running("taskmanager")
        os.kill(pid, signal.SIGSTOP)
        done = self.script("taskmanager.sh", "stop", MILLRACE_STOP_TIMEOUT="0")
        self.assert_says(done.stderr, f"(pid {pid})", "does not end within 0 s", "killing it")
        cluster.wait_until(lambda: not is_running(pid), 5, "it is gone")
        self.assertEqual(self.running("taskmanager"), [])

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
        own, listed = "0x7f.0.0.1", "0x7f.1"  # names of this host
        self.script("taskmanager.sh", "start", "-D", "taskmanager.numberOfTaskSlots=7", "-D",
                    "taskmanager.bind-host=0.0.0.0", "-D", f"taskmanager.host={own}",
                    MILLRACE_LISTED_HOST=listed)
        self.cluster.await_nodes(1)
        node, = self.cluster.json("nodes")["nodes"]
        self.assertEqual(node["slots"], 7)
        self.assertEqual(node["address"].split(":")[0], own, "what is set goes before a list")
        master, = self.running("jobmanager")
        done = self.script("jobmanager.sh", "stop")
        self.assert_says(done.stdout, f"Stopping jobmanager daemon (pid {master})")
        self.assertFalse(is_running(master))
        self.assertEqual(len(self.running("taskmanager")), 1, "is another kind")

    def test_other_hosts_are_reached_by_ssh_and_reach_each_other(self):
        tools = self.folder / "bin"
        tools.mkdir()
        calls = self.folder / "ssh-calls"
        (tools / "ssh").write_text("#!/bin/sh\n"
                                   f"echo \"$@\" >>{calls}\n"
                                   "while [ \"$1\" != -- ]; do shift; done\n"
                                   "shift 2\n"
                                   "exec bash -c \"$*\"\n")
        (tools / "ssh").chmod(0o755)
        # Names of this host by which the scripts don't know it, nor would a node call itself so.
        master, workers = "0x7f.0.0.1", ["0x7f.1", "2130706433"]
        self.cluster.config.pop("jobmanager.rpc.address")
        self.cluster.config["jobmanager.rpc.port"] = cluster.free_port()
        self.cluster.config["taskmanager.bind-host"] = "0.0.0.0"
        self.cluster.write_config()
        (self.folder / "masters").write_text(f"{master}:{self.cluster.port}\n")
        (self.folder / "workers").write_text(f"{workers[0]}\nsomebody@{workers[1]}\n")
        self.script("start-cluster.sh")

        def nodes():
            return self.cluster.json("nodes", "-m", self.cluster.address)["nodes"]

        cluster.wait_until(lambda: len(nodes()) == 2, 10, "the master knows both")
        for host in [master, workers[0], f"somebody@{workers[1]}"]:
            self.assertIn(f"-- {host} ", calls.read_text())
        hosts = [node["address"].split(":")[0] for node in nodes()]
        self.assertEqual(sorted(hosts), workers)
        self.cluster.run("-p", 2, test_job("generator"), "--count", 100, "--rate", 100000)
        self.script("stop-cluster.sh")
        self.assertEqual(list(self.pids.iterdir()), [])

    def test_a_cluster_has_one_master(self):
        (self.folder / "masters").write_text("one.example\ntwo.example\n")
        done = self.script("start-cluster.sh", expect=2)
        self.assert_says(done.stderr, "masters names several hosts", "one job manager")
        self.assertFalse(self.pids.exists())

    def test_wrong_commands_are_explained(self):
        done = self.script("taskmanager.sh", "begin", expect=2)
        self.assert_says(done.stderr, "Usage: taskmanager.sh")
        self.assert_says(self.script("start-cluster.sh", "--help").stdout, "Usage")


if __name__ == "__main__":
    cluster.main()
