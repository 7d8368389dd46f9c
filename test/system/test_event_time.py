#!/usr/bin/env python3
"""What is said of event time: of a job whose windows would be stuck, and of late records."""

import subprocess

import cluster
from cluster import PATIENCE, Cluster, SystemTest, test_job, wait_until


class StuckEventTime(SystemTest):
    """A silent stream holds back a busy one."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(task_managers=1, slots=2,
                              config={"metrics.update.interval": "100 ms"})
        cls.addClassCleanup(cls.cluster.close)

    def start(self, *arguments):
        job = self.cluster.run_detached("-p", 2, "-D", "pipeline.auto-watermark-interval=50 ms",
                                        test_job("stuck"), *arguments)
        self.addCleanup(self.cluster.millrace, "cancel", job, expect=None)
        self.cluster.await_status(job, "RUNNING")
        return job

    def vertex(self, job, operator):
        """Of the operator with that name."""
        return next(vertex for vertex in self.cluster.json("describe", job)["vertices"]
                    if operator in [each["name"] for each in vertex["operators"]])

    def inputs(self, job):
        return [subtask["inputs"][0] for subtask in self.vertex(job, "merged")["subtasks"]
                if subtask["inputs"]]

    def test_the_silent_stream_is_named(self):
        job = self.start()
        silent = self.vertex(job, "silent")["id"]
        busy = self.vertex(job, "busy")["id"]

        def is_stuck():
            # Nothing has come from the silent stream, so there is no watermark at all.
            inputs = self.inputs(job)
            return len(inputs) == 2 and all(
                each["watermark"] is None and
                each["held_back_by"] == {"vertex": silent, "subtask": 0} for each in inputs)

        wait_until(is_stuck, 20, "both subtasks wait for the silent stream")

        def goes_on():
            done = self.vertex(job, "busy")["subtasks"][0]["operators"][-1]["output_watermark"]
            return done is not None and done > 1500

        wait_until(goes_on, 20, "the busy stream goes on")
        self.assertTrue(is_stuck())
        text = self.cluster.millrace("describe", job).stdout
        self.assert_says(text, "merged", "WATERMARK", "WAITS FOR", f"v{silent} ", "silent", "1/1")
        self.assertNotIn(f"  v{busy} ", text.split("WAITS FOR")[-1])

    def test_an_idle_stream_is_not_waited_for(self):
        job = self.start("--idle", "1")
        wait_until(lambda: all((each["watermark"] or 0) > 1500 for each in self.inputs(job)) and
                   self.inputs(job), 20, "event time goes on")


class LateRecords(SystemTest):
    """Of a job's records nine come too late, which is said wherever its result is."""

    SAID = "late records dropped"

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(task_managers=1, slots=1)
        cls.addClassCleanup(cls.cluster.close)

    def test_a_job_executable_says_it_unasked(self):
        for asked in [], ["-v"]:
            done = subprocess.run([test_job("late_counts").with_suffix(""), *asked],
                                  capture_output=True, text=True, check=True,
                                  timeout=30 * PATIENCE)
            self.assertEqual(done.stdout, "")
            self.assertEqual(done.stderr.count(f"{self.SAID}: 9\n"), 1, done.stderr)

    def test_a_run_says_it(self):
        with Cluster(master=False) as nobody:
            nobody.config.pop("jobmanager.rpc.address")
            nobody.write_config()
            embedded = nobody.millrace("run", test_job("late_counts"))
        self.assertIn(f"{self.SAID} = 9\n", embedded.stderr)
        attached = self.cluster.run(test_job("late_counts"))
        self.assertIn(f"{self.SAID} = 9\n", attached.stdout)

    def test_describe_says_it_of_a_job_that_has_finished(self):
        job = self.cluster.run_detached(test_job("late_counts"))
        self.cluster.await_status(job, "FINISHED", 20)
        described = self.cluster.json("describe", job)
        self.assertEqual(described["accumulators"], {self.SAID: 9})
        text = self.cluster.millrace("describe", job).stdout
        self.assert_says(text, "Result", f"{self.SAID} = 9\n")
        self.assertIn("numLateRecordsDropped = 9", text)


if __name__ == "__main__":
    cluster.main()
