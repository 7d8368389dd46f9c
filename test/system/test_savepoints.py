#!/usr/bin/env python3
"""Jobs that are stopped with a savepoint and go on from there: at another parallelism, on another
state backend, in another process."""

import collections
import json
import os
import shutil
import subprocess

import cluster
from cluster import Cluster, SystemTest, test_job, wait_until
from test_cli import complete

LINES = 15_000
KEYS = 40


class Savepoints(SystemTest):
    """One cluster for all."""

    @classmethod
    def setUpClass(cls):
        cls.nodes = Cluster(task_managers=2, slots=2)
        cls.folder = cls.nodes.folder
        keys = [f"key-{n * n % KEYS}" for n in range(LINES)]
        cls.source = cls.folder / "input.txt"
        cls.source.write_text("".join(f"{key}\n" for key in keys))
        # Squares have few remainders.
        seen = collections.Counter()
        cls.expected = []
        for key in keys:
            seen[key] += 1
            cls.expected.append(f"{key},{seen[key]}")
        cls.expected.sort()
        cls.keys = len(seen)

    @classmethod
    def tearDownClass(cls):
        cls.nodes.close()

    def counts(self, name, *options, pause_us=2000, run=None, as_state=False):
        """Counts the lines of the source, and writes the counts to a folder of that name. With
        as_state they are in the state backend."""
        arguments = ["-D", "execution.checkpointing.interval=200 ms",
                     "-D", f"state.checkpoints.dir={self.folder / 'checkpoints'}",
                     "-D", f"state.savepoints.dir={self.folder / 'savepoints'}",
                     "-D", "taskmanager.network.batch-rows=20", *options,
                     test_job("running_counts"), "--input", self.source,
                     "--output", self.folder / name, "--sink-parallelism", 2,
                     "--pause-us", pause_us, *(["--as-state"] if as_state else [])]
        return (run or self.nodes.run_detached)(*arguments)

    def written(self, *names):
        """The lines in the part files of these folders, but for hidden ones."""
        lines = []
        for name in names:
            folder = self.folder / name
            for file in [folder] if folder.is_file() else folder.iterdir():
                if not file.name.startswith("."):
                    lines += file.read_text().splitlines()
        return sorted(lines)

    def records(self, job):
        """How many records the sources have emitted."""
        return self.nodes.json("describe", job)["source_records"]

    def await_records(self, job, count=600):
        """That many."""
        wait_until(lambda: self.records(job) > count, 20, f"{count} records are read")

    def stop(self, job, *options):
        """The path of the savepoint that it was stopped with."""
        out = self.nodes.millrace("stop", *options, job).stdout
        self.assert_says(out, f"Job {job} has stopped.", ", at ")
        self.assertEqual(self.nodes.job(job)["status"], "FINISHED")
        return out.strip().rsplit(" at ", 1)[1]

    def test_a_job_goes_on_from_a_savepoint_at_another_parallelism_and_backend(self):
        job = self.counts("one", "-p", 2, as_state=True)
        self.await_records(job)
        first = self.stop(job)
        self.assertTrue(first.startswith(str(self.folder / "savepoints" / "savepoint-")))
        shown = self.nodes.json("savepoint", "inspect", first)
        self.assertEqual(shown["kind"], "final savepoint")
        self.assertEqual(shown["job"], job)
        states = {state["name"]: state for op in shown["operators"]
                  for state in op["keyed_states"]}
        counts = states["lines"]
        self.assertEqual(counts["key_type"], "str")
        self.assertEqual(counts["entries"], self.keys)
        self.assertEqual(counts["value_type"], "i64")
        dumped = [json.loads(line) for line in self.nodes.millrace(
            "savepoint", "inspect", "--dump", first).stdout.splitlines()]
        keys = {line["key"] for line in dumped if line.get("state") == counts["name"]}
        self.assertEqual(len(keys), counts["entries"])
        self.check_key_groups(shown, dumped)
        self.assert_says(self.nodes.millrace("savepoint", "inspect", first).stdout,
                         "Final savepoint", "keys in", counts["name"])

        # It may be moved.
        moved = self.folder / "moved"
        shutil.move(first, moved)
        self.assertEqual(self.databases(), [])
        job = self.counts("two", "-p", 3, "-s", moved, "-D", "state.backend.type=rocksdb",
                          as_state=True)
        self.await_records(job)
        self.assertTrue(self.databases(), "no task manager keeps state in RocksDB")
        second = self.stop(job, "-p", self.folder / "elsewhere")
        self.assertTrue(second.startswith(str(self.folder / "elsewhere" / "savepoint-")))
        # The last part attached, in the client's own process.
        self.counts("three", "-p", 1, "-s", second, pause_us=0, run=self.run_embedded,
                    as_state=True)
        self.assertEqual(self.written("one", "two", "three"), self.expected)
        self.assertTrue((moved / "_metadata").exists())

        self.nodes.millrace("savepoint", "-d", moved)
        self.assertFalse(moved.exists())

    def check_key_groups(self, shown, dumped):
        """How many keys each group is said to have is what is dumped of it."""
        keyed = 0
        for op in shown["operators"]:
            keys = collections.defaultdict(set)
            for line in dumped:
                if line["uid"] == op["uid"] and "key_group" in line:
                    keys[line["key_group"]].add(line["key"])
            said = op["keys_per_key_group"]
            self.assertEqual(len(said), op["max_parallelism"] if op["keyed_states"] else 0)
            self.assertEqual({group: count for group, count in enumerate(said) if count},
                             {group: len(those) for group, those in keys.items()}, op["uid"])
            keyed += sum(said)
        self.assertEqual(keyed, self.keys)

    def check_subtasks(self, job, taken):
        """What is shown of a savepoint by subtask adds up to what is shown of it as a whole."""
        details = self.nodes.json("checkpoints", job, "--id", taken["id"])
        self.assertEqual({key: details[key] for key in taken}, taken)
        subtasks = [each for vertex in details["vertices"] for each in vertex["subtasks"]]
        self.assertEqual(len(subtasks), sum(vertex["parallelism"] for vertex in details["vertices"]))
        acknowledged = [each for each in subtasks if each["status"] == "ACKNOWLEDGED"]
        self.assertEqual(len(acknowledged), taken["tasks"])
        for key in ["state_bytes", "stored_bytes", "in_flight_bytes"]:
            self.assertEqual(sum(each[key] for each in acknowledged), taken[key], key)
        for key in ["alignment_ms", "synchronous_ms", "asynchronous_ms"]:
            self.assertEqual(max(each[key] for each in acknowledged), taken[key], key)
        for each in acknowledged:
            self.assertLessEqual(each["duration_ms"], taken["duration_ms"])
        self.assert_says(self.nodes.millrace("checkpoints", job, "--id", taken["id"]).stdout,
                         f"savepoint {taken['id']} of job {job}", "COMPLETED", taken["location"],
                         "acknowledged)", "SUBTASK", "1/2", "ACKNOWLEDGED", "min", "avg", "max")
        self.assertIn(str(taken["id"]), complete(self.nodes, "millrace", "checkpoints", job, "--id", ""))

        missing = self.nodes.millrace("checkpoints", job, "--id", 1_000_000, expect=2)
        self.assertEqual(missing.stdout, "")
        self.assert_says(missing.stderr, f"job {job} has no checkpoint 1000000", "there are ",
                         str(taken["id"]))
        for wrong in ["0", "-1", "latest", "7x", "99999999999999999999", ""]:
            self.assert_says(self.nodes.millrace("checkpoints", job, f"--id={wrong}", expect=2).stderr,
                             "--id")

    def databases(self):
        """Where the nodes have state in RocksDB."""
        return [at for at in self.nodes.folder.rglob("millrace-state-*/*") if at.is_dir()]

    def run_embedded(self, *arguments):
        """Without a cluster: in the process of the tool."""
        folder = self.folder / "no-cluster"
        folder.mkdir()
        (folder / "millrace.conf").write_text("")
        environment = {**os.environ, "MILLRACE_CONF_DIR": str(folder)}
        environment.pop("MILLRACE_MASTER", None)
        done = subprocess.run([str(cluster.MILLRACE), "run", *map(str, arguments)],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              env=environment, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_savepoint_beside_the_job_and_a_drained_one(self):
        job = self.counts("four", "-p", 2)
        self.await_records(job)
        out = self.nodes.json("savepoint", job, self.folder / "beside")
        self.assertEqual(out["kind"], "savepoint")
        self.assertTrue(os.path.exists(os.path.join(out["location"], "_metadata")))
        kinds = [each["kind"] for each in self.nodes.json("checkpoints", job)["checkpoints"]]
        self.assertIn("savepoint", kinds)
        self.check_subtasks(job, out)
        last = self.stop(job, "--drain")
        job = self.counts("five", "-p", 2, "-s", last, "--claim-mode", "CLAIM", pause_us=0)
        self.nodes.await_status(job, "FINISHED", seconds=30)
        self.assertEqual(self.written("four", "five"), self.expected)
        # It was the job's.
        self.assertFalse(os.path.exists(last))

    def test_a_job_changes_the_savepoint_of_another(self):
        job = self.counts("before", "-p", 2)
        self.await_records(job)
        first = self.stop(job)
        uid, = [op["uid"] for op in self.nodes.json("savepoint", "inspect", first)["operators"]
                if op["keyed_states"]]
        changed = self.folder / "changed"
        change = ["-p", 3, test_job("changed_counts"), "--savepoint", first, "--output", changed,
                  "--add", 1_000_000]
        done = self.nodes.run(*change, "--uid", "another", expect=2)
        self.assert_says(done.stderr, "no operator with uid 'another'", uid)
        self.nodes.run(*change, "--uid", uid)
        self.counts("after", "-p", 3, "-s", changed, pause_us=0, run=self.nodes.run)
        lines = self.written("before")
        for line in self.written("after"):
            key, lines_so_far = line.split(",")
            # A key whose first line comes after the change has not been changed.
            lines.append(f"{key},{int(lines_so_far) % 1_000_000}")
        self.assertEqual(sorted(lines), self.expected)

    def test_what_cannot_be_done_says_why(self):
        millrace = self.nodes.millrace
        job = self.counts("six", "-p", 1, "-D",
                          "execution.checkpointing.externalized-checkpoint-retention="
                          "retain-on-cancellation")
        self.await_records(job, 100)
        kept = json.loads(millrace("checkpoint", job, "--json").stdout)["location"]
        savepoint = json.loads(millrace("savepoint", job, "--json").stdout)["location"]
        millrace("cancel", job)
        self.nodes.await_status(job, "CANCELED")
        retained = os.path.dirname(kept)
        checkpoint, = [os.path.join(retained, name) for name in os.listdir(retained)]
        done = millrace("savepoint", "-d", checkpoint, expect=2)
        self.assert_says(done.stderr, "is no savepoint but checkpoint")
        self.assert_says(millrace("savepoint", "-d", self.folder, expect=2).stderr,
                         "there is no checkpoint or savepoint")
        self.assert_says(millrace("savepoint", job, expect=2).stderr, "it is CANCELED")
        self.assert_says(millrace("stop", "0" * 32, expect=4).stderr, "no job with id")

        # Another job: its operators are others.
        done = self.nodes.run("-s", savepoint, test_job("generator"), expect=1)
        self.assert_says(done.stderr, "has state of operator", "uid", "allow non-restored state")
        # With -n what it lacks is left out.
        done = self.nodes.run("-s", savepoint, "-n", test_job("generator"), "--count", 100)
        self.assert_says(done.stdout, "has finished in", "doubled in all = 100\n")
        done = self.nodes.run("-n", test_job("generator"), expect=2)
        self.assert_says(done.stderr, "-s")


if __name__ == "__main__":
    cluster.main()
