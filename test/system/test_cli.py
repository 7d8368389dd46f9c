#!/usr/bin/env python3
"""The shell tool: listings, JSON, exit codes, completion."""

import hashlib
import json
import os
import re
import signal
import socket
import subprocess

import cluster
from cluster import BUILD, Cluster, MILLRACE, PATIENCE, SOURCE, SystemTest, example, test_job, \
    wait_until

OK, FAILED, INVALID, UNREACHABLE, UNKNOWN_JOB, CANCELLED = range(6)
WORD_COUNT = example("word_count").with_suffix("")


def complete(nodes, *words):
    """What Tab offers for the last word."""
    script = SOURCE / "scripts" / "completion" / "millrace"
    quoted = " ".join(f"'{word}'" for word in words)
    text = (f"source {script}; COMP_WORDS=({quoted}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1));"
            " _millrace; printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = subprocess.run(["bash", "-c", text], check=True, capture_output=True, text=True,
                          env=dict(nodes.environment(), PATH=f"{BUILD}:/usr/bin:/bin"), timeout=60)
    return done.stdout.split()


class WithoutCluster(SystemTest):
    """What needs no cluster."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(master=False)
        cls.cluster.config.pop("jobmanager.rpc.address")
        cls.cluster.write_config()
        cls.addClassCleanup(cls.cluster.close)

    def test_help_and_version(self):
        self.assert_says(self.cluster.millrace("help").stdout, "Usage: millrace", "run", "cancel",
                         "Exit codes")
        self.assert_says(self.cluster.millrace("run", "--help").stdout, "Usage: millrace run",
                         "--parallelism", "--detached", "Exit codes")
        self.assert_says(self.cluster.millrace("--version").stdout, "millrace ")
        self.assert_says(self.cluster.millrace(expect=INVALID).stderr, "Usage: millrace")

    def test_what_was_meant_is_suggested(self):
        self.assert_says(self.cluster.millrace("lst", expect=INVALID).stderr,
                         "unknown command 'lst'", "did you mean 'list'?")
        self.assert_says(self.cluster.millrace("list", "--jsn", expect=INVALID).stderr,
                         "unknown option '--jsn'", "did you mean '--json'?")
        self.assert_says(
            self.cluster.millrace("run", "-D", "paralelism.default=2", test_job("generator"),
                                  expect=INVALID).stderr, "paralelism.default",
            "parallelism.default")

    def test_info_shows_the_plan(self):
        text = self.cluster.millrace("info", "-p", 3, test_job("generator")).stdout
        self.assert_says(text, "numbers", "double")
        plan = json.loads(self.cluster.millrace("info", test_job("generator"), "--json").stdout)
        self.assertEqual(plan["name"], "generator")
        before = json.loads(self.cluster.millrace("info", "--json", "-p", 3,
                                                  test_job("generator")).stdout)
        self.assertIn(3, [vertex["parallelism"] for vertex in before["vertices"]])

    def test_a_job_runs_embedded(self):
        done = self.cluster.millrace("run", "-p", 2, test_job("generator"), "--count", 100,
                                     "--rate", 100000)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr, "  doubled in all = 100\n")

    def test_an_embedded_job_that_fails(self):
        done = self.cluster.millrace("run", test_job("thrower"), "--at", 10, expect=FAILED)
        self.assert_says(done.stderr, "fragile map", "record 10 is bad")

    def test_an_embedded_job_is_cancelled_by_a_signal(self):
        run = self.cluster.start("run", MILLRACE, "run", test_job("generator"))
        wait_until(lambda: len(os.listdir(f"/proc/{run.pid}/task")) > 3, 5, "the job runs")
        run.signal(signal.SIGINT)
        self.assertEqual(run.wait(), CANCELLED)
        self.assert_says(run.err(), "was cancelled")

    def test_what_follows_the_library_is_for_the_job(self):
        done = self.cluster.millrace("run", test_job("generator"), "--cuont", 100, expect=INVALID)
        self.assert_says(done.stderr, "cuont", "count")

    def test_a_job_has_a_help_of_its_own(self):
        for command in ["run", "info"]:
            done = self.cluster.millrace(command, example("word_count"), "--help")
            self.assert_says(done.stdout, "Counts words", "--input PATH")
            self.assertEqual(done.stderr, "")

    def executable(self, *arguments, expect=OK):
        """The word count as a program of its own, which must end with the code `expect`."""
        done = subprocess.run([str(WORD_COUNT), *map(str, arguments)], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=30 * PATIENCE, check=False)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done

    def test_an_executable_of_a_job_ends_as_a_run_of_its_library_does(self):
        for arguments, code, said in [(["--inptu", "x"], INVALID, "inptu"),
                                      (["--port", "many"], INVALID, "port"),
                                      (["--input", "/no/such/file"], FAILED, "/no/such/file")]:
            self.assert_says(self.cluster.millrace("run", example("word_count"), *arguments,
                                                   expect=code).stderr, said)
            done = self.executable(*arguments, expect=code)
            self.assert_says(done.stderr, "word_count: ", said)
            self.assertEqual(done.stdout, "")

    def test_an_executable_has_options_of_the_engine(self):
        config = self.cluster.folder / "job.conf"
        config.write_text("parallelism.default = 2\n")
        text = self.cluster.folder / "text"
        text.write_text(" ".join("abcdefghijklmnopqrstuvwxyz"))
        for options, subtasks in [(["--config", config], {"1", "2"}),
                                  ([f"--config={config}", "-Dparallelism.default=3"], {"1", "2", "3"}),
                                  (["-D", "parallelism.default=3", "-p", 1], set())]:
            done = self.executable(*options, "--input", text)
            self.assertEqual({line.split("> ")[0] for line in done.stdout.splitlines()
                              if "> " in line}, subtasks)
            self.assertEqual(done.stderr, "")
        self.assert_says(self.executable("--input", text, "-v").stderr, "RUNNING", "word_count: finished in")
        self.assert_says(self.executable("-h").stdout, "Usage: word_count", "-p N", "Exit codes",
                         "Counts words", "--input PATH")
        self.assert_says(self.executable("--version").stdout, "word_count (Millrace ")
        for arguments, said in [(["-D", "paralelism.default=2"], "parallelism.default"),
                                (["-p", "0"], "-p needs a number of at least 1"),
                                (["--config"], "--config needs a value"),
                                (["--config", "/no/such.conf"], "/no/such.conf"),
                                # Behind it all is the job's, which has no such argument.
                                (["--", "--version"], "version")]:
            self.assert_says(self.executable(*arguments, expect=INVALID).stderr, said)

    def test_an_executable_is_cancelled_by_a_signal(self):
        for number in [signal.SIGINT, signal.SIGTERM]:
            with socket.create_server(("127.0.0.1", 0)) as server:
                server.settimeout(10 * PATIENCE)
                run = self.cluster.start("word_count", WORD_COUNT, "--host", "127.0.0.1", "--port",
                                         server.getsockname()[1])
                with server.accept()[0]:
                    run.signal(number)
                    self.assertEqual(run.wait(), 128 + number, run.err())

    def test_detaching_needs_a_cluster(self):
        done = self.cluster.millrace("run", "-d", test_job("generator"), expect=INVALID)
        self.assert_says(done.stderr, "-d needs a cluster")

    def test_a_master_address_must_be_one(self):
        done = self.cluster.millrace("list", "-m", "host:port", expect=INVALID)
        self.assert_says(done.stderr, "'host:port' is not the address of a job manager")

    def test_a_folder_of_configuration_must_be_there(self):
        missing = str(self.cluster.folder / "missing")
        done = subprocess.run([str(MILLRACE), "list"], capture_output=True, text=True, timeout=60,
                              env=dict(os.environ, MILLRACE_CONF_DIR=missing), check=False)
        self.assertEqual(done.returncode, INVALID)
        self.assert_says(done.stderr, f"MILLRACE_CONF_DIR is '{missing}', which is no directory")

    def test_nobody_listens(self):
        port = cluster.free_port()
        done = self.cluster.millrace("nodes", "-m", f"127.0.0.1:{port}", expect=UNREACHABLE)
        self.assert_says(done.stderr, f"127.0.0.1:{port}")

    def test_completion(self):
        def offered(*words):
            return complete(self.cluster, "millrace", *words)

        self.assertEqual(offered("can"), ["cancel"])
        self.assertIn("describe", offered(""))
        self.assertEqual(offered("run", "--det"), ["--detached"])
        self.assertEqual(offered("run", "-D", "parallelism.d"),
                         ["parallelism.default="])
        self.assertIn(str(test_job("generator")), offered("run", str(test_job("generator"))[:-5]))
        self.assertEqual(offered("run", "-p", ""), [])


class WithCluster(SystemTest):
    """One cluster for all: jobs are told apart by their ids."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(task_managers=2, slots=2,
                              config={"metrics.update.interval": "100 ms"})
        cls.addClassCleanup(cls.cluster.close)

    def start_generator(self, *arguments):
        job = self.cluster.run_detached("-p", 2, test_job("generator"), *arguments)
        self.addCleanup(self.cluster.millrace, "cancel", job, expect=None)
        self.cluster.await_status(job, "RUNNING")
        return job

    def test_the_life_of_a_detached_job(self):
        job = self.start_generator("--name", "a long life")
        live = self.cluster.json("list")["jobs"]
        self.assertIn(job, [entry["id"] for entry in live])
        self.assertIn(job, [entry["id"] for entry in self.cluster.json("list", "-r")["jobs"]])
        self.assertNotIn(job, [entry["id"] for entry in self.cluster.json("list", "-s")["jobs"]])
        text = self.cluster.millrace("list").stdout
        self.assert_says(text, "ID", "STATUS", job, "RUNNING", "a long life")
        wait_until(lambda: self.cluster.json("describe", job)["source_records"] > 0, 10,
                   "the job makes records")
        self.cluster.millrace("cancel", job[:12])
        self.cluster.await_status(job, "CANCELED")
        self.assertNotIn(job, [entry["id"] for entry in self.cluster.json("list")["jobs"]])
        self.assertIn(job, [entry["id"] for entry in self.cluster.json("list", "-a")["jobs"]])

    def test_describe(self):
        job = self.start_generator("--rate", 2000)

        def details():
            found = self.cluster.json("describe", job)
            subtasks = [subtask for vertex in found["vertices"] for subtask in vertex["subtasks"]]
            running = all(subtask["state"] == "RUNNING" for subtask in subtasks)
            rates = sum(subtask["records_out_per_second"] for subtask in subtasks)
            return found if running and rates > 1000 else None

        found = wait_until(details, 10, "all subtasks run and report rates")
        self.assertEqual(found["status"], "RUNNING")
        operators = {operator["name"]: operator for vertex in found["vertices"]
                     for operator in vertex["operators"]}
        self.assertGreater(operators["numbers"]["records_out"], 0)
        self.assertGreater(operators["double"]["records_in"], 0)
        self.assertGreater(operators["nowhere"]["records_in"], 0)
        places = {subtask["task_manager"] for vertex in found["vertices"]
                  for subtask in vertex["subtasks"]}
        self.assertTrue(all(places), places)
        self.assertIn(job, complete(self.cluster, "millrace", "cancel", job[:6]))
        self.assertGreater(operators["double"]["metrics"]["doubled"], 0)
        self.assert_says(self.cluster.millrace("describe", job).stdout, "generator", job, "RUNNING",
                         "numbers", "RECORDS OUT", "BACK PRESSURE", "double", "doubled = ")

    def test_nodes(self):
        nodes = self.cluster.json("nodes")["nodes"]
        self.assertEqual([node["slots"] for node in nodes], [2, 2])
        self.assertEqual({node["pid"] for node in nodes},
                         {node.pid for node in self.cluster.task_managers})
        self.assert_says(self.cluster.millrace("nodes").stdout, "TASK MANAGER", "SLOTS", "FREE",
                         "127.0.0.1:")

    def test_an_attached_run_reports_its_end(self):
        done = self.cluster.run("-p", 2, test_job("generator"), "--count", 500, "--rate", 5000)
        self.assert_says(done.stdout, "is submitted", "has finished in", "doubled in all = 500\n")
        # What the two subtasks have counted, each for itself.
        job = re.search("[0-9a-f]{32}", done.stdout).group(0)
        double, = [operator for vertex in self.cluster.json("describe", job)["vertices"]
                   for operator in vertex["operators"] if operator["name"] == "double"]
        self.assertEqual(double["metrics"], {"doubled": 500})

    def test_settings_that_a_cluster_does_not_take_from_a_job_are_named(self):
        done = self.cluster.run("-D", "taskmanager.numberOfTaskSlots=9", "-D", "client.timeout=50 s",
                                "-D", "slot.request.timeout=9 s", "-D", "parallelism.default=2",
                                test_job("generator"), "--count", 5, "--rate", 5000)
        self.assertEqual([line.split()[3] for line in done.stderr.splitlines()
                          if "has no effect" in line],
                         ["slot.request.timeout", "taskmanager.numberOfTaskSlots"])

    def test_the_nodes_log_the_life_of_a_job(self):
        library = test_job("generator")
        for _ in range(2):
            done = self.cluster.run("-p", 4, library, "--count", 100, "--rate", 100000)
        job = re.search("[0-9a-f]{32}", done.stdout).group(0)
        vertices = self.cluster.json("describe", job)["vertices"]
        lives = {(vertex["name"], f"{number}/4") for vertex in vertices for number in range(1, 5)}

        def lives_in(logs, event):
            pattern = rf'{event} job={job} vertex="([^"]+)" subtask=(\d/\d) attempt=\d+'
            return sorted(found for log in logs for found in re.findall(pattern, log))

        master = self.cluster.master.err()
        self.assertRegex(master, rf"deploying job job={job} ")
        for state in ["RUNNING", "FINISHED"]:
            self.assertEqual(lives_in([master], state), sorted(lives), state)
        workers = [node.err() for node in self.cluster.task_managers]
        self.assertEqual(lives_in(workers, "task FINISHED"), sorted(lives))
        # However often the job runs, and others of its library, each node fetches that once.
        digest = hashlib.sha256(library.read_bytes()).hexdigest()
        for log in workers:
            self.assertEqual(log.count(f"fetched a job library sha256={digest} "), 1)

    def test_an_attached_run_is_cancelled_by_a_signal(self):
        run = self.cluster.start("run", MILLRACE, "run", "-m", self.cluster.address,
                                 test_job("generator"))
        wait_until(lambda: "RUNNING" in run.err(), 10, "the run shows progress")
        run.signal(signal.SIGINT)
        self.assertEqual(run.wait(), CANCELLED)
        self.assert_says(run.err(), "was cancelled")

    def test_unknown_jobs(self):
        nobody = "0123456789abcdef0123456789abcdef"
        for command in ["cancel", "describe"]:
            done = self.cluster.millrace(command, nobody, expect=UNKNOWN_JOB)
            self.assert_says(done.stderr, nobody)
            done = self.cluster.millrace(command, "zz", expect=UNKNOWN_JOB)
            self.assert_says(done.stderr, "there is no job 'zz'")
            self.cluster.millrace(command, expect=INVALID)


class WaysToACluster(SystemTest):
    """One process that is a whole cluster, and how a tool that is not configured for it finds it."""

    def setUp(self):
        self.nodes = Cluster(master=False, slots=1)
        self.addCleanup(self.nodes.close)
        self.pid_file = self.nodes.folder / "pid"
        self.node = self.nodes.start_node("both", "--pid-file", self.pid_file)
        self.nodes.await_listening(self.node)
        self.elsewhere = self.nodes.folder / "elsewhere"
        self.elsewhere.mkdir()

    def millrace(self, *arguments, **variables):
        """The output of a tool without a configuration of its own."""
        environment = dict(os.environ, MILLRACE_CONF_DIR=str(self.elsewhere), **variables)
        done = subprocess.run([str(MILLRACE), *map(str, arguments)], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, env=environment, timeout=30 * PATIENCE,
                              check=False)
        self.assertEqual(done.returncode, OK, done.stderr)
        return done.stdout

    def test_by_file_or_environment_or_option(self):
        self.assert_says(self.node.out(), "jobmanager and taskmanager listening on")
        self.assertEqual(self.pid_file.read_text(), f"{self.node.pid}\n")
        listed = json.loads(self.millrace("nodes", "--config", self.nodes.config_file, "--json"))
        self.assertEqual([node["pid"] for node in listed["nodes"]], [self.node.pid])
        secret = ["-D", f"security.cluster.secret-file={self.nodes.folder / 'secret'}"]
        job = [test_job("generator"), "--count", 100, "--rate", 100000]
        self.assert_says(self.millrace("run", *secret, *job, MILLRACE_MASTER=self.nodes.address),
                         "is submitted", "has finished in")
        self.assert_says(self.millrace("run", *secret, "-m", self.nodes.address, *job,
                                       MILLRACE_MASTER=f"127.0.0.1:{cluster.free_port()}"),
                         "is submitted", "has finished in")
        self.node.signal(signal.SIGTERM)
        self.assertEqual(self.node.wait(), 0, self.node.err())
        self.assertFalse(self.pid_file.exists())


if __name__ == "__main__":
    cluster.main()
