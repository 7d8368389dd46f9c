#!/usr/bin/env python3
"""Jobs that go on after their workers or masters were killed."""

import collections
import re
import shutil
import signal
import time

import cluster
from cluster import Cluster, SystemTest, test_job, wait_until

LINES = 20_000
KEYS = 40
CANCELLED = 5  # an exit code


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

    KEYS_READ = [f"key-{n * n % KEYS}" for n in range(LINES)]

    def job_arguments(self, nodes, slow=("--pause-us", 1500), settings=()):
        """A job that counts lines by key from file to file, and takes checkpoints: slowly, until it may
        end."""
        source = nodes.folder / "input.txt"
        source.write_text("".join(f"{key}\n" for key in self.KEYS_READ))
        return ["-p", 2,
                "-D", "execution.checkpointing.interval=100 ms",
                "-D", f"state.checkpoints.dir={nodes.folder / 'checkpoints'}",
                "-D", "taskmanager.network.batch-rows=20",
                "-D", "restart-strategy.type=fixed-delay",
                "-D", "restart-strategy.fixed-delay.attempts=10",
                "-D", "restart-strategy.fixed-delay.delay=50 ms",
                *(part for setting in settings for part in ("-D", setting)),
                test_job("running_counts"), "--input", source,
                "--output", nodes.folder / "output", "--slow-until", nodes.folder / "may-end", *slow]

    @staticmethod
    def let_it_end(nodes):
        """It reads what is left at full speed."""
        (nodes.folder / "may-end").touch()

    def check_output(self, nodes):
        """Each line is there once, and nothing is left of checkpoints."""
        expected = []
        seen = collections.Counter()
        for key in self.KEYS_READ:
            seen[key] += 1
            expected.append(f"{key},{seen[key]}")
        files = sorted((nodes.folder / "output").iterdir())
        self.assertEqual([file.name for file in files], ["1", "2"])
        written = [line for file in files for line in file.read_text().splitlines()]
        self.assertEqual(sorted(written), sorted(expected))
        left = [path for path in (nodes.folder / "checkpoints").rglob("*") if path.is_file()]
        self.assertEqual(left, [])

    def await_checkpoints(self, nodes, job, more):
        """Until so many more are complete."""
        before = self.completed(nodes, job)
        wait_until(lambda: self.completed(nodes, job) >= before + more, 30,
                   f"{more} checkpoints are complete")

    def cluster_that_survives(self, **variables):
        """Two workers, and a master, with these in its environment, that leaves its jobs to the next."""
        nodes = self.cluster_with(config={"heartbeat.interval": "200 ms",
                                          "heartbeat.timeout": "2 s",
                                          "cluster.registration.max-timeout": "200 ms",
                                          "high-availability.type": "filesystem",
                                          "debug.chaos.enabled": "true"},
                                  master=False)
        nodes.config["high-availability.storageDir"] = nodes.folder / "ha"
        nodes.write_config()
        nodes.start_master(**variables)
        for _ in range(2):
            nodes.start_task_manager()
        nodes.await_nodes(2)
        return nodes

    def test_a_job_goes_on_though_its_masters_and_then_all_nodes_are_killed(self):
        nodes = self.cluster_that_survives()
        job = nodes.run_detached(*self.job_arguments(nodes))
        for also_kills_workers in (False, True):
            self.await_checkpoints(nodes, job, 2)
            self.assertNotEqual(nodes.job(job)["status"], "FINISHED")
            workers = nodes.task_managers if also_kills_workers else []
            for victim in [nodes.master, *workers]:
                victim.process.kill()
            for victim in [nodes.master, *workers]:
                victim.wait()
            nodes.start_master()
            if also_kills_workers:
                nodes.task_managers.clear()
                for _ in range(2):
                    nodes.start_task_manager()
            nodes.await_status(job, "RUNNING", seconds=30)
        self.let_it_end(nodes)
        nodes.await_status(job, "FINISHED", seconds=60)
        self.check_output(nodes)
        attempts = [subtask["attempt"] for vertex in nodes.json("describe", job)["vertices"]
                    for subtask in vertex["subtasks"]]
        self.assertGreaterEqual(min(attempts), 2000)
        # How it ended is known to the next master, too.
        nodes.master.process.kill()
        nodes.master.wait()
        nodes.start_master()
        self.assertEqual(nodes.job(job)["status"], "FINISHED")

    def stop_while_the_master_dies(self, arguments, *options):
        """A job that is stopped by two masters, as the first dies right behind its savepoint, and then
        goes on to its end from that of the second. Its cluster."""
        # It takes no other checkpoint, so the first that is noted is the savepoint.
        nodes = self.cluster_that_survives(MILLRACE_KILL_POINT="checkpoint-recorded")
        job = nodes.run_detached(*arguments(nodes))
        wait_until(lambda: nodes.json("describe", job)["source_records"] > 40, 30, "records are read")
        savepoints = nodes.folder / "savepoints"
        stopping = nodes.start("stop", cluster.MILLRACE, "stop", *options, "-p", savepoints, job)
        nodes.master.wait(30)
        self.assertEqual(stopping.wait(30), 3)
        self.assert_says(stopping.err(), "lost", "`millrace stop` again waits")
        first, = savepoints.glob("*/_metadata")
        nodes.start_master()
        nodes.await_status(job, "FINISHED", seconds=30)
        # By its own end it would have read all, in minutes.
        self.assertLess(nodes.json("describe", job)["source_records"], LINES // 4)
        last, = savepoints.glob("*/_metadata")
        self.assertNotEqual(last, first)
        self.let_it_end(nodes)
        rest = nodes.run_detached("-s", last.parent, *arguments(nodes, "more"))
        nodes.await_status(rest, "FINISHED", seconds=60)
        return nodes

    def test_a_job_that_is_stopped_is_stopped_though_its_master_is_killed_behind_the_savepoint(self):
        def arguments(nodes, output="output"):
            return [nodes.folder / output if part == nodes.folder / "output" else part
                    for part in self.job_arguments(nodes, ("--pause-us", 20_000),
                                                   ["execution.checkpointing.interval=1 h"])]
        nodes = self.stop_while_the_master_dies(arguments)
        seen = collections.Counter()
        expected = []
        for key in self.KEYS_READ:
            seen[key] += 1
            expected.append(f"{key},{seen[key]}")
        written = [line for output in ["output", "more"]
                   for file in (nodes.folder / output).glob("[!.]*")
                   for line in file.read_text().splitlines()]
        self.assertEqual(sorted(written), sorted(expected))

    def test_a_job_that_is_drained_is_stopped_though_its_master_is_killed_behind_the_savepoint(self):
        def arguments(nodes, _=None):
            every = self.job_arguments(nodes, ("--pause-us", 20_000),
                                       ["execution.checkpointing.interval=1 h"])
            output = every.index("--output")  # a file for each subtask would be complete by then
            return every[:output] + every[output + 2:]
        self.stop_while_the_master_dies(arguments, "--drain")

    def test_a_storage_has_one_master_at_a_time(self):
        nodes = self.cluster_that_survives()
        second = nodes.start_node("jobmanager", "-D", f"jobmanager.rpc.port={cluster.free_port()}")
        self.assertEqual(second.wait(), 1)
        self.assert_says(second.err(), "high-availability.storageDir", str(nodes.folder / "ha"),
                         f"in use by process {nodes.master.pid} on ", "one job manager at a time")
        nodes.master.process.kill()
        nodes.master.wait()
        nodes.start_master()

    def test_a_master_that_was_replaced_ends_its_process(self):
        nodes = self.cluster_that_survives()
        # As on a file system that loses locks.
        (nodes.folder / "ha" / "default" / "lock").unlink()
        second = nodes.start_node("jobmanager", "-D", f"jobmanager.rpc.port={cluster.free_port()}")
        nodes.await_listening(second)
        self.assertEqual(nodes.master.wait(15), 1)
        self.assert_says(nodes.master.err(), "another job manager has taken over",
                         "ending the process", "the job manager broke down")
        self.assertIsNone(second.process.poll())

    @staticmethod
    def run_attached(nodes, arguments):
        """The process, and the job's id."""
        run = nodes.start("run", cluster.MILLRACE, "run", "-m", nodes.address, *arguments)
        job = wait_until(lambda: [entry["id"] for entry in nodes.json("list")["jobs"]], 20,
                         "the job is there")[0]
        return run, job

    def test_a_job_is_cancelled_though_its_run_was_told_while_there_was_no_master(self):
        nodes = self.cluster_that_survives()
        run, job = self.run_attached(nodes, self.job_arguments(nodes, ("--pause-us", 20_000)))
        self.await_checkpoints(nodes, job, 1)
        nodes.master.process.kill()
        nodes.master.wait()
        run.signal(signal.SIGINT)
        time.sleep(cluster.PATIENCE)  # so that it is not the next master that hears of it first
        nodes.start_master()
        nodes.await_status(job, "CANCELED", seconds=30)
        self.assertEqual(run.wait(30), CANCELLED)
        self.assert_says(run.err(), f"job {job} was cancelled")

    def test_an_attached_run_goes_on_though_masters_and_single_actors_are_killed(self):
        nodes = self.cluster_that_survives()
        run, job = self.run_attached(nodes, self.job_arguments(nodes))
        for victim in (["task", job, 1, 0], ["job-master", job], ["dispatcher"],
                       ["resource-manager"], None):
            self.await_checkpoints(nodes, job, 1)
            if victim:
                nodes.millrace("chaos", "kill", *victim)
            else:
                nodes.master.process.kill()
                nodes.master.wait()
                nodes.start_master()
        self.let_it_end(nodes)
        self.assertEqual(run.wait(60), 0, run.err())
        self.assertIn(f"Job {job} has finished", run.out())
        self.check_output(nodes)

    def test_unaligned_checkpoints_are_quick_under_back_pressure(self):
        nodes = self.cluster_with(task_managers=2, slots=2,
                                  config={"heartbeat.interval": "200 ms",
                                          "heartbeat.timeout": "2 s",
                                          # Functions that sleep must not hold up the others.
                                          "taskmanager.worker.threads": 8,
                                          "debug.chaos.enabled": "true"})
        # Lines are read at once, and counted slowly.
        slow = ["--pause-us", 0, "--count-pause-us", 3300]
        aligned = nodes.run_detached(*self.job_arguments(
            nodes, slow, ["execution.checkpointing.interval=1 s"]))
        nodes.await_status(aligned, "RUNNING")
        time.sleep(2.5)
        under_way = nodes.json("checkpoints", aligned)["checkpoints"]
        self.assertEqual(self.completed(nodes, aligned), 0, under_way)
        # It hangs, and it is said at whom.
        number = under_way[-1]["id"]
        hangs = nodes.json("checkpoints", aligned, "--id", number)
        self.assertEqual((hangs["id"], hangs["job"], hangs["status"]), (number, aligned, "IN PROGRESS"))
        statuses = [subtask["status"] for vertex in hangs["vertices"] for subtask in vertex["subtasks"]]
        self.assertEqual(len(statuses), hangs["tasks"])
        self.assertEqual(statuses.count("ACKNOWLEDGED"), hangs["tasks_acknowledged"])
        self.assertIn("AWAITED", statuses)
        self.assert_says(nodes.millrace("checkpoints", aligned, "--id", number).stdout,
                         f"checkpoint {number} of job {aligned}", "IN PROGRESS", "SUBTASK",
                         "AWAITED      ")
        nodes.millrace("cancel", aligned)
        nodes.await_status(aligned, "CANCELED")
        shutil.rmtree(nodes.folder / "output", ignore_errors=True)

        job = nodes.run_detached(*self.job_arguments(
            nodes, slow, ["execution.checkpointing.unaligned.enabled=true",
                          "execution.checkpointing.aligned-checkpoint-timeout=20 ms"]))
        for victim in ([1, 0], [1, 1]):
            self.await_checkpoints(nodes, job, 2)
            nodes.millrace("chaos", "kill", "task", job, *victim)
        ended = [each for each in nodes.json("checkpoints", job)["checkpoints"]
                 if each["status"] == "COMPLETED"]
        self.assertGreater(max(each["in_flight_bytes"] for each in ended), 0, ended)
        self.assertLess(min(each["duration_ms"] for each in ended), 1000 * cluster.PATIENCE, ended)
        self.let_it_end(nodes)
        nodes.await_status(job, "FINISHED", seconds=60)
        self.check_output(nodes)

    def test_a_file_to_file_job_writes_each_line_once_though_workers_are_killed(self):
        nodes = self.cluster_with(task_managers=3, slots=1,
                                  config={"heartbeat.interval": "200 ms",
                                          "heartbeat.timeout": "2 s"})
        refused = nodes.millrace("chaos", "kill", "dispatcher", expect=None)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("debug.chaos.enabled", refused.stderr)
        job = nodes.run_detached(*self.job_arguments(nodes))
        for kill in range(2):
            self.await_checkpoints(nodes, job, 2)
            victim = self.one_at_work(nodes, job)
            victim.process.kill()
            victim.wait()
            nodes.task_managers.remove(victim)
            nodes.start_task_manager()
            wait_until(lambda: nodes.json("describe", job)["restarts"] > kill, 20,
                       "the job is restarted")
        self.let_it_end(nodes)
        nodes.await_status(job, "FINISHED", seconds=60)
        self.assertGreaterEqual(nodes.json("describe", job)["restarts"], 2)
        self.check_output(nodes)

    def test_a_restarted_worker_restores_state_from_the_disk_of_the_one_that_was_killed(self):
        nodes = self.cluster_with(slots=1,
                                  config={"heartbeat.interval": "200 ms",
                                          "heartbeat.timeout": "2 s",
                                          "state.backend.local-recovery": "true"})
        local = nodes.folder / "local"
        nodes.config["taskmanager.state.local.root-dirs"] = local
        nodes.write_config()
        for _ in range(2):
            nodes.start_task_manager()
        nodes.await_nodes(2)
        # So that keyed state is most of it: each subtask looks at the operator state of all.
        self.KEYS_READ = [key + 100 * "x" for key in self.KEYS_READ]
        job = nodes.run_detached(*self.job_arguments(
            nodes, settings=["state.storage.fs.memory-threshold=0"]))
        for kill in range(2):
            self.await_checkpoints(nodes, job, 2)
            victim = nodes.task_managers.pop(0)
            victim.process.kill()
            victim.wait()
            wait_until(lambda: nodes.job(job)["status"] == "RESTARTING", 20, "the loss is noticed")
            nodes.start_task_manager()
            wait_until(lambda: nodes.json("describe", job)["restarts"] > kill, 20,
                       "the job is restarted")
        self.await_checkpoints(nodes, job, 1)
        self.let_it_end(nodes)
        nodes.await_status(job, "FINISHED", seconds=60)
        self.check_output(nodes)
        logs = "".join(node.err() for node in nodes.processes)
        read = re.findall('state read .*vertex="sum .* local bytes=([0-9]+) remote bytes=([0-9]+)', logs)
        self.assertGreaterEqual(len(read), 4)
        for local_bytes, remote_bytes in read:
            self.assertGreater(int(local_bytes), 500)
            self.assertGreater(int(local_bytes), 2 * int(remote_bytes))
        nodes.end_all()
        self.assertEqual(list(local.iterdir()), [])

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
