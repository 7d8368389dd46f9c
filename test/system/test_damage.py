#!/usr/bin/env python3
"""Files that a job goes on from are damaged while no process runs: somebody is told which, and nothing
wrong is written."""

import json
import pathlib

import cluster
from cluster import Cluster, SystemTest, test_job, wait_until

LINES = 20_000


def cut_in_half(file):
    """As after a power cut."""
    content = file.read_bytes()
    file.write_bytes(content[:len(content) // 2])


def flip_a_bit(file):
    """In its middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


class Damage(SystemTest):
    """A cluster for each test, whose jobs are killed and started again for each damage."""

    def setUp(self):
        self.nodes = Cluster(master=False, config={"heartbeat.interval": "200 ms",
                                                   "heartbeat.timeout": "2 s",
                                                   "cluster.registration.max-timeout": "200 ms",
                                                   "high-availability.type": "filesystem"})
        self.addCleanup(self.nodes.close)
        self.folder = self.nodes.folder
        self.nodes.config["high-availability.storageDir"] = self.folder / "ha"
        self.nodes.write_config()
        self.source = self.folder / "input.txt"
        self.source.write_text("".join(f"key-{n % 40}\n" for n in range(LINES)))
        self.start_nodes()

    def start_nodes(self):
        self.nodes.start_master()
        self.nodes.start_task_manager()

    def kill_nodes(self):
        for node in (self.nodes.master, *self.nodes.task_managers):
            node.process.kill()
            node.wait()
        self.nodes.task_managers.clear()

    def start_job(self, *arguments):
        """One that runs for longer than the test, with two checkpoints to go back to."""
        job = self.nodes.run_detached(
            "-p", 1, "-D", "execution.checkpointing.interval=100 ms",
            "-D", f"state.checkpoints.dir={self.folder / 'checkpoints'}",
            "-D", "state.checkpoints.num-retained=2",
            "-D", "state.storage.fs.memory-threshold=0 b",
            "-D", "taskmanager.network.batch-rows=20",
            "-D", "restart-strategy.type=fixed-delay",
            "-D", "restart-strategy.fixed-delay.attempts=10",
            "-D", "restart-strategy.fixed-delay.delay=50 ms",
            test_job("running_counts"), "--input", self.source, "--pause-us", 2000, *arguments)
        self.await_two_checkpoints(job)
        return job

    def completed(self, job):
        """The directories that a master would go on from, the latest last. What is on disk may be one
        more, which no master has told of."""
        file = self.folder / "ha" / "default" / "ledgers" / job
        if not file.exists():
            return []  # its first master has not begun
        ledger = json.loads(file.read_text())
        return [pathlib.Path(entry["location"]) for entry in ledger["content"]["checkpoints"]]

    @staticmethod
    def number(directory):
        return int(directory.name.removeprefix("chk-"))

    def await_two_checkpoints(self, job):
        last = max(map(self.number, self.completed(job)), default=0)

        def are_new():
            numbers = list(map(self.number, self.completed(job)))
            return len(numbers) >= 2 and min(numbers) > last
        wait_until(are_new, 30, "there are two new checkpoints")

    def said(self):
        """By the nodes that run now."""
        return "".join(node.err() for node in (self.nodes.master, *self.nodes.task_managers))

    def await_saying(self, file):
        wait_until(lambda: str(file) in self.said(), 20, f"a node names {file}")

    def test_a_job_without_committed_output_goes_on_from_the_checkpoint_before(self):
        job = self.start_job()
        for harm in (cut_in_half, flip_a_bit):
            for kind in ("_metadata", "*.state"):
                self.await_two_checkpoints(job)
                self.kill_nodes()
                before, latest = self.completed(job)[-2:]
                file = sorted(latest.glob(kind))[0]
                harm(file)
                self.start_nodes()
                self.await_saying(file)
                wait_until(lambda: "a checkpoint is damaged, going back" in self.said(), 20,
                           "the master goes back")
                number = self.number(before)
                wait_until(lambda: f"checkpoint={number}" in self.said(), 20,
                           f"the job is deployed from checkpoint {number}")
                self.nodes.await_status(job, "RUNNING", 20)
        self.nodes.millrace("cancel", job)

    def test_a_job_with_committed_output_fails_and_names_the_file(self):
        for number, (kind, harm) in enumerate((("_metadata", flip_a_bit), ("*.state", flip_a_bit),
                                               ("*.state", cut_in_half))):
            job = self.start_job("--output", self.folder / f"output-{number}")
            self.kill_nodes()
            before, latest = self.completed(job)[-2:]
            file = sorted(latest.glob(kind))[0]
            harm(file)
            self.start_nodes()
            self.nodes.await_status(job, "FAILED", 30)
            described = self.nodes.millrace("describe", job).stdout
            self.assert_says(described, str(file))
            self.assertTrue((before / "_metadata").exists())
            # The one before is whole: who has looked after the output may go on from there.
            self.nodes.millrace("savepoint", "inspect", before)
            refused = self.nodes.millrace("savepoint", "inspect", latest, expect=None)
            self.assertNotEqual(refused.returncode, 0)
            self.assert_says(refused.stderr, str(file))

    def test_a_damaged_library_fails_its_job_and_is_named_and_uploaded_again(self):
        for harm in (cut_in_half, flip_a_bit):
            job = self.start_job()
            self.kill_nodes()
            file = next((self.folder / "ha" / "default" / "artifacts").iterdir())
            harm(file)
            self.start_nodes()
            self.nodes.await_status(job, "FAILED", 20)
            self.assert_says(self.nodes.millrace("describe", job).stdout, file.name[:12])

    def test_documents_of_a_job_are_named(self):
        for folder, harm in (("graphs", flip_a_bit), ("graphs", cut_in_half),
                             ("ledgers", flip_a_bit), ("ledgers", cut_in_half)):
            job = self.start_job()
            self.kill_nodes()
            file = self.folder / "ha" / "default" / folder / job
            whole = file.read_bytes()
            harm(file)
            self.start_nodes()
            self.await_saying(file)
            # It goes on when the file is back.
            self.kill_nodes()
            file.write_bytes(whole)
            self.start_nodes()
            self.nodes.await_status(job, "RUNNING", 30)
            self.nodes.millrace("cancel", job)
            self.nodes.await_status(job, "CANCELED", 20)


if __name__ == "__main__":
    cluster.main()
