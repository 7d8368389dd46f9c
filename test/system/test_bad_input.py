#!/usr/bin/env python3
"""Everything a user can get wrong: each has a message that says what, where, and what to do."""

import os
import socket
import subprocess

import cluster
from cluster import CAF_NODE, Cluster, MILLRACE, PATIENCE, SystemTest, TEXT, example, free_port, \
    test_job, wait_until

FAILED, INVALID, UNKNOWN_JOB = 1, 2, 4


def run_node(*arguments):
    """A caf-node that must end by itself."""
    return subprocess.run([str(CAF_NODE), *map(str, arguments)], capture_output=True, text=True,
                          check=False, timeout=30 * PATIENCE)


class Configuration(SystemTest):
    """caf-node reads its file and command line before it does anything."""

    def setUp(self):
        self.cluster = Cluster(master=False)
        self.addCleanup(self.cluster.close)
        self.file = self.cluster.folder / "bad.conf"

    def refused(self, text, *parts):
        """A file with this text is refused with these parts of a message."""
        self.file.write_text(text)
        done = run_node("--config", self.file)
        self.assertEqual(done.returncode, INVALID, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assert_says(done.stderr, "caf-node: ", *parts)

    def test_an_unknown_key_is_named_with_its_line_and_the_nearest_key(self):
        self.refused("# a comment\ntaskmanager.numberOfTaskSlot = 2\n", f"{self.file}:2:",
                     "taskmanager.numberOfTaskSlot", "taskmanager.numberOfTaskSlots")

    def test_a_line_that_is_no_setting(self):
        self.refused("parallelism.default = 2\n\njust words\n", f"{self.file}:3:", "key = value",
                     "just words")

    def test_a_malformed_value(self):
        self.refused("heartbeat.timeout = soon\n", f"{self.file}:1:", "'soon' is no value for 'heartbeat.timeout'",
                     "duration such as '500 ms'")

    def test_a_key_that_is_there_twice(self):
        self.refused("parallelism.default = 1\nparallelism.default = 2\n", f"{self.file}:2:",
                     "second time", f"{self.file}:1")

    def test_settings_that_contradict_each_other(self):
        self.refused("heartbeat.interval = 20 s\n", "heartbeat.timeout", "heartbeat.interval")

    def test_a_file_that_is_not_there(self):
        missing = self.cluster.folder / "missing.conf"
        done = run_node("--config", missing)
        self.assertEqual(done.returncode, INVALID)
        self.assert_says(done.stderr, str(missing), "No such file")

    def test_every_problem_of_the_command_line_is_told(self):
        done = run_node("-D", "no.such.key=1", "-D", "parallelism.default=many", "--role", "boss")
        self.assertEqual(done.returncode, INVALID)
        self.assert_says(done.stderr, "unknown key 'no.such.key'",
                         "'many' is no value for 'parallelism.default'",
                         "'boss' is no value for 'node.role'", "'jobmanager', 'taskmanager'")
        done = run_node("--confg", "file")
        self.assertEqual(done.returncode, INVALID)
        self.assert_says(done.stderr, "unknown option '--confg'", "did you mean '--config'?")

    def test_print_config_shows_values_and_their_origins(self):
        self.file.write_text("parallelism.default = 3\n")
        done = run_node("--config", self.file, "-D", "heartbeat.timeout=7s", "--print-config")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = {line.split(" = ")[0]: line for line in done.stdout.splitlines()}
        self.assert_says(lines["parallelism.default"], "= 3", f"# {self.file}:1")
        self.assert_says(lines["heartbeat.timeout"], "= 7s", "# -D")
        self.assert_says(lines["jobmanager.rpc.port"], "= 6123", "# default")
        again = self.cluster.folder / "again.conf"
        again.write_text(done.stdout)
        self.assertEqual(run_node("--config", again, "--print-config").returncode, 0)

    def test_help_lists_every_key(self):
        text = run_node("--help").stdout
        self.assert_says(text, "--config", "--role", "jobmanager.rpc.port = 6123")
        self.assert_says(run_node("--version").stdout, "caf-node ")


class Sockets(SystemTest):
    """Addresses that cannot be used."""

    def test_a_second_master_on_the_same_port(self):
        with Cluster() as first:
            second = first.start_node("jobmanager")
            self.assertEqual(second.wait(), 1)
            self.assert_says(second.err(), "caf-node: ", "jobmanager.rpc.port", str(first.port),
                             "another process listens there")
            self.assertEqual(first.json("nodes"), {"nodes": []}, "the first is unharmed")

    def test_a_port_that_something_else_has(self):
        with socket.socket() as other, Cluster(master=False) as nodes:
            other.bind(("127.0.0.1", nodes.port))
            other.listen()
            master = nodes.start_node("jobmanager")
            self.assertEqual(master.wait(), 1)
            self.assert_says(master.err(), "jobmanager.rpc.port", str(nodes.port),
                             "another process listens there")
            worker = nodes.start_node("taskmanager", "-D", f"taskmanager.rpc.port={nodes.port}")
            self.assertEqual(worker.wait(), 1)
            self.assert_says(worker.err(), "taskmanager.rpc.port", str(nodes.port),
                             "another process listens there")

    def test_listening_beyond_loopback_needs_a_secret(self):
        with Cluster(master=False) as nodes:
            nodes.config.pop("security.cluster.secret-file")
            nodes.config["jobmanager.bind-host"] = "0.0.0.0"
            nodes.write_config()
            node = nodes.start_node("jobmanager")
            self.assertEqual(node.wait(), INVALID)
            self.assert_says(node.err(), "jobmanager.bind-host", "refusing to listen on 0.0.0.0",
                             "security.cluster.secret-file")

    def test_a_wrong_secret_is_refused(self):
        with Cluster() as nodes:
            wrong = nodes.folder / "wrong"
            wrong.write_text("this is not the secret of the cluster\n")
            wrong.chmod(0o600)
            done = nodes.millrace("list", "-D", f"security.cluster.secret-file={wrong}", expect=3)
            self.assert_says(done.stderr, nodes.address, "secret")
            node = nodes.start_task_manager("-D", f"security.cluster.secret-file={wrong}")
            wait_until(lambda: "secret" in node.err(), 5, "the task manager says why")
            self.assertEqual(nodes.json("nodes"), {"nodes": []})

    def test_a_secret_that_others_may_read_is_refused(self):
        with Cluster() as nodes:
            (nodes.folder / "secret").chmod(0o644)
            done = nodes.millrace("list", expect=INVALID)
            self.assert_says(done.stderr, str(nodes.folder / "secret"), "chmod")


class Libraries(SystemTest):
    """Files that are no job of this version."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(task_managers=1, slots=2)
        cls.addClassCleanup(cls.cluster.close)

    def refused(self, library, *parts):
        """The same message from a run and from info, before any code of the library runs."""
        for command in [["run", "-m", self.cluster.address], ["info"]]:
            done = self.cluster.millrace(*command, library, expect=INVALID)
            self.assert_says(done.stderr, "millrace: ", *parts)
            self.assertEqual(done.stdout, "")

    def test_a_library_that_is_not_there(self):
        self.refused("/no/such/job.so", "/no/such/job.so")

    def test_a_directory(self):
        self.refused(self.cluster.folder, str(self.cluster.folder), "s a directory")

    def test_a_file_that_is_no_library(self):
        text = self.cluster.folder / "text.so"
        text.write_text("not a library")
        self.refused(text, str(text))

    def test_a_library_without_an_entry_point(self):
        self.refused(test_job("no_entry"), "no_entry.so", "no Millrace entry point", "millrace_add_job")

    def test_a_library_of_another_version(self):
        self.refused(test_job("other_version"), "other_version.so", "built for Millrace 99.0.0", "rebuild the job")

    def test_a_library_of_another_build(self):
        self.refused(test_job("other_headers"), "other_headers.so", "with other headers or sanitizers",
                     "0123456789abcdef", "rebuild the job against this build")


class Jobs(SystemTest):
    """Jobs that fail. The task managers live, and run the next job."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(task_managers=2, slots=1)
        cls.addClassCleanup(cls.cluster.close)

    def tearDown(self):
        for node in [self.cluster.master, *self.cluster.task_managers]:
            self.assertIsNone(node.process.poll(), f"{node.name} lives: {node.err()}")
        self.cluster.run("-p", 2, test_job("generator"), "--count", 100, "--rate", 100000)

    def fails(self, *arguments):
        """What an attached run says when its job fails."""
        return self.cluster.run(*arguments, expect=FAILED).stderr

    def test_a_user_function_that_throws(self):
        said = self.fails("-p", 2, test_job("thrower"), "--at", 1000)
        self.assert_says(said, "failed:", "fragile map", "record 1000 is bad")
        self.assertIn("subtask 1/2", said)
        self.assertRegex(said, "attempt")
        job = next(job for job in self.cluster.json("list", "-a")["jobs"]
                   if job["name"] == "thrower")
        details = self.cluster.json("describe", job["id"])
        self.assertEqual(details["status"], "FAILED")
        self.assertEqual(details["cause"]["code"], "user_function")
        self.assert_says(details["cause"]["message"], "fragile map", "record 1000 is bad")

    def test_an_input_that_is_not_there(self):
        done = self.cluster.run(example("word_count"), "--input", "/no/such/input", "--output",
                                self.cluster.folder / "out", expect=None)
        self.assertIn(done.returncode, [FAILED, INVALID])
        self.assert_says(done.stderr, "cannot read '/no/such/input'", "No such file or directory")

    def test_a_pattern_without_files(self):
        empty = self.cluster.folder / "empty"
        empty.mkdir(exist_ok=True)
        done = self.cluster.run(example("word_count"), "--input", empty / "*.txt", "--output",
                                self.cluster.folder / "out", expect=None)
        self.assertIn(done.returncode, [FAILED, INVALID])
        self.assert_says(done.stderr, f"cannot read '{empty}/*.txt'", "no file matches the pattern")

    def test_an_empty_directory_is_an_empty_stream(self):
        empty = self.cluster.folder / "nothing"
        empty.mkdir(exist_ok=True)
        done = self.cluster.run(example("word_count"), "--input", empty, "--output",
                                self.cluster.folder / "of-nothing")
        self.assert_says(done.stdout, "has finished in")

    def test_a_gz_that_is_none(self):
        broken = self.cluster.folder / "broken.gz"
        broken.write_text("this was never compressed")
        said = self.fails(example("word_count"), "--input", broken, "--output",
                          self.cluster.folder / "out")
        self.assert_says(said, f"cannot read '{broken}'", "no valid gzip file")

    def test_a_gz_that_ends_early(self):
        whole = subprocess.run(["gzip", "-c", str(TEXT)], check=True, capture_output=True).stdout
        cut = self.cluster.folder / "cut.gz"
        cut.write_bytes(whole[:len(whole) // 2])
        said = self.fails(example("word_count"), "--input", cut, "--output",
                          self.cluster.folder / "out")
        self.assert_says(said, f"cannot read '{cut}'", "no valid gzip file")

    def test_an_input_that_may_not_be_read(self):
        secret = self.cluster.folder / "unreadable"
        secret.write_text("text")
        secret.chmod(0)
        command = [MILLRACE, "run", example("word_count"), "--input", secret, "--output",
                   self.cluster.folder / "unwritten"]
        if os.geteuid() == 0:  # who may read everything otherwise
            command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                              check=False, stdin=subprocess.DEVNULL, timeout=30 * PATIENCE,
                              cwd=self.cluster.folder)
        self.assertIn(done.returncode, [FAILED, INVALID], done.stderr)
        self.assert_says(done.stderr, str(secret), "ermission denied")

    def test_a_socket_that_nobody_listens_on(self):
        port = free_port()
        said = self.fails(example("word_count"), "--host", "127.0.0.1", "--port", port, "--output",
                          self.cluster.folder / "out")
        self.assert_says(said, "failed:", f"127.0.0.1:{port}", "refused")

    def test_a_job_that_is_unknown(self):
        done = self.cluster.millrace("cancel", "f" * 32, expect=UNKNOWN_JOB)
        self.assert_says(done.stderr, "no job with id " + "f" * 32, "millrace list -a")


class Slots(SystemTest):
    """Fewer slots than jobs want."""

    def setUp(self):
        self.cluster = Cluster(task_managers=1, slots=2, config={"slot.request.timeout": "2 s"})
        self.addCleanup(self.cluster.close)

    def test_too_few_slots(self):
        started = cluster.time.monotonic()
        done = self.cluster.run("-p", 3, test_job("generator"), expect=FAILED)
        seconds = cluster.time.monotonic() - started
        self.assertGreater(seconds, 1.9)
        self.assertLess(seconds, 4 * PATIENCE)
        self.assertRegex(done.stderr, "waiting: 3 slots needed, 2 of 2 free")
        self.assert_says(done.stderr, "failed:", "needs 3 slots, 2 free of 2", "after 2 s",
                         "taskmanager.numberOfTaskSlots")

    def test_two_jobs_compete_and_the_second_waits_for_the_first(self):
        first = self.cluster.run_detached("-p", 2, test_job("generator"))
        self.cluster.await_status(first, "RUNNING")
        second = self.cluster.run_detached("-p", 2, "-D", "slot.request.timeout=60 s",
                                           test_job("generator"), "--name", "second")
        waiting = wait_until(lambda: self.cluster.json("describe", second)["waiting_for"], 5,
                             "the second job says what it waits for")
        self.assert_says(waiting, "2 slots needed", "0 of 2 free")
        scheduled = [job["id"] for job in self.cluster.json("list", "-s")["jobs"]]
        self.assertEqual(scheduled, [second])
        self.cluster.millrace("cancel", first)
        wait_until(lambda: self.cluster.job(second)["tasks"]["running"] > 0, 10,
                   "the second job gets the slots of the first")
        self.cluster.millrace("cancel", second)
        self.cluster.await_status(second, "CANCELED")
        wait_until(lambda: self.cluster.json("nodes")["nodes"][0]["slots_free"] == 2, 5,
                   "all slots are free again")


if __name__ == "__main__":
    cluster.main()
