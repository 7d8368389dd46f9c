#!/usr/bin/env python3
"""An attached run on a terminal: what it shows, and what Ctrl-C asks."""

import os
import pty
import subprocess
import time

import cluster
from cluster import Cluster, MILLRACE, PATIENCE, SystemTest, TEXT, example, test_job

OK, CANCELLED = 0, 5
CTRL_C = b"\x03"


class Terminal:
    """A program that believes to run on a terminal."""

    def __init__(self, command, **options):
        self.ours, theirs = pty.openpty()
        # A session of its own, so that Ctrl-C is for it.
        self.process = subprocess.Popen(["setsid", "--ctty", "--wait", *map(str, command)],
                                        stdin=theirs, stdout=theirs, stderr=theirs, **options)
        os.close(theirs)
        os.set_blocking(self.ours, False)
        self.screen = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.ours)

    def read(self):
        try:
            self.screen += os.read(self.ours, 65536).decode(errors="replace")
        except (BlockingIOError, OSError):  # nothing now; nobody writes any more
            pass

    def await_text(self, text, seconds=15):
        """Until it is on the screen."""
        deadline = time.monotonic() + seconds * PATIENCE
        while text not in self.screen:
            assert time.monotonic() < deadline, f"{text!r} is missing in {self.screen!r}"
            time.sleep(0.02)
            self.read()

    def type(self, keys):
        os.write(self.ours, keys)

    def wait(self, seconds=20):
        """The exit code."""
        deadline = time.monotonic() + seconds * PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"does not end: {self.screen!r}"
            time.sleep(0.02)
            self.read()
        self.read()
        return self.process.returncode


class AttachedRuns(SystemTest):
    """One cluster for all."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(task_managers=1, slots=2,
                              config={"metrics.update.interval": "100 ms"})
        cls.addClassCleanup(cls.cluster.close)

    def run_on_terminal(self, *arguments):
        return Terminal([MILLRACE, "run", "-m", self.cluster.address, *arguments],
                        cwd=self.cluster.folder, env=self.cluster.environment())

    def run_generator(self, name):
        return self.run_on_terminal(test_job("generator"), "--rate", 1000, "--name", name)

    def job_named(self, name):
        return next(job for job in self.cluster.json("list", "-a")["jobs"] if job["name"] == name)

    def test_progress_in_records_and_percent(self):
        text = self.cluster.folder / "text"
        text.write_bytes(TEXT.read_bytes() * 400)
        with self.run_on_terminal(example("word_count"), "--input", text, "--output",
                                  self.cluster.folder / "counts") as run:
            run.await_text("RUNNING")
            run.await_text(" records/s")
            run.await_text(" %")
            self.assertEqual(run.wait(60), OK, run.screen)
            self.assertIn("has finished in", run.screen)

    def test_ctrl_c_asks_and_no_lets_the_job_go_on(self):
        with self.run_generator("goes on") as run:
            run.await_text("RUNNING")
            run.type(CTRL_C)
            run.await_text("Cancel the job? If not, it goes on without this tool. [y/N]")
            run.type(b"n\n")
            self.assertEqual(run.wait(), OK, run.screen)
            job = self.job_named("goes on")
            self.assertIn(f"Job {job['id']} goes on", run.screen)
            self.assertEqual(job["status"], "RUNNING")
            self.cluster.millrace("cancel", job["id"])
            self.cluster.await_status(job["id"], "CANCELED")

    def test_ctrl_c_asks_and_yes_cancels_the_job(self):
        with self.run_generator("ends") as run:
            run.await_text("RUNNING")
            run.type(CTRL_C)
            run.await_text("[y/N]")
            run.type(b"y\n")
            self.assertEqual(run.wait(), CANCELLED, run.screen)
            self.assertIn("was cancelled", run.screen)
            self.assertEqual(self.job_named("ends")["status"], "CANCELED")

    def test_a_second_ctrl_c_leaves_the_job_alone(self):
        with self.run_generator("left alone") as run:
            run.await_text("RUNNING")
            run.type(CTRL_C)
            run.await_text("[y/N]")
            run.type(CTRL_C)
            self.assertEqual(run.wait(), OK, run.screen)
            job = self.job_named("left alone")
            self.assertEqual(job["status"], "RUNNING")
            self.cluster.millrace("cancel", job["id"])


if __name__ == "__main__":
    cluster.main()
