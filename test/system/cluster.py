"""Real processes for the system tests: clusters, job runs, and what they leave.

A test uses `with Cluster(...) as cluster:`; whatever happens inside, every process is ended and the
folder with configuration, logs and secret is removed at its end. The build under test is that of
MILLRACE_BUILD_DIR.
"""

import datetime
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("MILLRACE_BUILD_DIR", SOURCE / "build" / "debug")).resolve()
CAF_NODE = BUILD / "caf-node"
MILLRACE = BUILD / "millrace"
TEXT = pathlib.Path("/usr/share/common-licenses/GPL-3")


def sanitized():
    """Whether the build runs several times slower than what users run."""
    cache = BUILD / "CMakeCache.txt"
    if not cache.exists():  # Nothing is built: only a list or a help text was asked for.
        return False
    return re.search(r"^MILLRACE_SANITIZE:\w+=\S", cache.read_text(), re.MULTILINE) is not None


SANITIZED = sanitized()
# Factor for every limit on how long something may take.
PATIENCE = 5 if SANITIZED else 1


def test_job(name):
    """The library of a job of test/jobs."""
    return BUILD / "test" / "jobs" / f"{name}.so"


def example(name):
    """The library of a job of examples."""
    return BUILD / "examples" / name / f"{name}.so"


def free_port():
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds, what, pause=0.01):
    """Calls `condition` every `pause` seconds until it yields something true, and returns that."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds * PATIENCE} s: {what}")
        time.sleep(pause)


def logged_at(log, pattern):
    """Wall time, in seconds since the epoch, of a log's first line that has this in it; or None."""
    for line in log.splitlines():
        if re.search(pattern, line):
            return datetime.datetime.fromisoformat(line.split()[0]).timestamp()
    return None


def resident_kib(pid):
    """Memory of a process that is in RAM now."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+)", status, re.MULTILINE).group(1))


def is_running(pid):
    """Whether the process exists and has not ended."""
    try:
        return "\nState:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


class Process:
    """A program in the background with its output in files."""

    def __init__(self, name, command, folder, environment=None):
        self.name = name
        self.out_file = folder / f"{name}.out"
        self.err_file = folder / f"{name}.err"
        with open(self.out_file, "wb") as out, open(self.err_file, "wb") as err:
            self.process = subprocess.Popen([str(part) for part in command], stdout=out, stderr=err,
                                            stdin=subprocess.DEVNULL, cwd=folder, env=environment)
        self.pid = self.process.pid

    def out(self):
        return self.out_file.read_text(errors="replace")

    def err(self):
        return self.err_file.read_text(errors="replace")

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=20):
        """The exit code."""
        return self.process.wait(seconds * PATIENCE)

    def end(self):
        """Orderly if it takes that, by force if not. Returns the exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(5 * PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


class Cluster:
    """Nodes in a temporary folder, on a port of their own."""

    def __init__(self, task_managers=0, slots=2, master=True, config=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace-test-"))
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.processes = []
        self.config = {
            "jobmanager.rpc.address": "127.0.0.1",
            "jobmanager.rpc.port": self.port,
            "taskmanager.numberOfTaskSlots": slots,
            "security.cluster.secret-file": self.folder / "secret",
            "io.tmp.dirs": self.folder / "tmp",
        }
        self.config.update(config or {})
        self.write_config()
        secret = self.folder / "secret"
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_hex(32) + "\n")
        self.master = None
        self.task_managers = []
        try:
            if master:
                self.start_master()
            for _ in range(task_managers):
                self.start_task_manager(wait=False)
            for node in self.task_managers:
                self.await_listening(node)
            if master and task_managers:
                self.await_nodes(task_managers)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            self.print_logs()
        self.close()

    def end_all(self):
        """Every process; what they have written stays."""
        for process in reversed(self.processes):
            process.end()

    def close(self):
        self.end_all()
        shutil.rmtree(self.folder, ignore_errors=True)

    def print_logs(self):
        """What the nodes said, for whoever reads of a failed test."""
        for process in self.processes:
            text = process.out() + process.err()
            print(f"--- {process.name} (exit code {process.process.poll()})\n{text[-6000:]}",
                  file=sys.stderr)

    def write_config(self):
        self.config_file = self.folder / "millrace.conf"
        self.config_file.write_text(
            "".join(f"{key} = {value}\n" for key, value in self.config.items()))

    def environment(self):
        return dict(os.environ, MILLRACE_CONF_DIR=str(self.folder))

    def start(self, name, *command, **variables):
        """A process that ends with the cluster; `variables` are for its environment."""
        process = Process(f"{len(self.processes)}-{name}", command, self.folder,
                          dict(self.environment(), **variables))
        self.processes.append(process)
        return process

    def start_node(self, role, *arguments, **variables):
        return self.start(role, CAF_NODE, "--config", self.config_file, "--role", role, *arguments,
                          **variables)

    def await_listening(self, node):
        wait_until(lambda: "listening on" in node.out() or node.process.poll() is not None, 10,
                   f"{node.name} listens")
        if node.process.poll() is not None:
            raise AssertionError(f"{node.name} ended with {node.process.returncode}: {node.err()}")

    def start_master(self, wait=True, **variables):
        self.master = self.start_node("jobmanager", **variables)
        if wait:
            self.await_listening(self.master)
        return self.master

    def start_task_manager(self, *arguments, wait=True, **variables):
        node = self.start_node("taskmanager", *arguments, **variables)
        self.task_managers.append(node)
        if wait:
            self.await_listening(node)
        return node

    def task_manager_at(self, address):
        """The one that says it listens there."""
        return next(node for node in self.task_managers if f" {address}\n" in node.out())

    def kill(self, *victims):
        """kill -9, all at once. Workers among them are no task managers any more."""
        for victim in victims:
            victim.signal(signal.SIGKILL)
        for victim in victims:
            self.forget(victim)

    def forget(self, victim):
        """It has ended, or ends now."""
        victim.wait()
        if victim in self.task_managers:
            self.task_managers.remove(victim)

    def await_nodes(self, count):
        """Until the master knows exactly this many task managers."""
        wait_until(lambda: len(self.json("nodes")["nodes"]) == count, 10,
                   f"the master knows {count} task managers")

    def millrace(self, *arguments, expect=0, seconds=30, **options):
        """Runs the shell tool, which must end with the code `expect` (None: any)."""
        done = subprocess.run([str(MILLRACE), *[str(argument) for argument in arguments]],
                              capture_output=True, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, cwd=self.folder, env=self.environment(),
                              timeout=seconds * PATIENCE, check=False, **options)
        if expect is not None and done.returncode != expect:
            raise AssertionError(f"millrace {' '.join(map(str, arguments))}: exit code "
                                 f"{done.returncode}, not {expect}\n{done.stdout}{done.stderr}")
        return done

    def run(self, *arguments, **options):
        """An attached run on this cluster."""
        return self.millrace("run", "-m", self.address, *arguments, **options)

    def run_detached(self, *arguments):
        """The id of the submitted job."""
        done = self.run("-d", *arguments)
        job = done.stdout.strip()
        if not re.fullmatch(r"[0-9a-f]{32}", job):
            raise AssertionError(f"not only a job id: {done.stdout!r}")
        return job

    def json(self, *arguments):
        return json.loads(self.millrace(*arguments, "--json").stdout)

    def job(self, job):
        """Its entry in the list of all jobs."""
        return next(entry for entry in self.json("list", "-a")["jobs"] if entry["id"] == job)

    @property
    def checkpoints(self):
        """A place for those of its jobs."""
        return self.folder / "checkpoints"

    def completed_checkpoints(self, job):
        """The numbers of those that lie there now."""
        return {int(path.parent.name.removeprefix("chk-"))
                for path in (self.checkpoints / job).glob("chk-*/_metadata")}

    def await_checkpoint(self, job, seconds=60):
        """Until another one is complete, so that there is something to go back to."""
        last = max(self.completed_checkpoints(job), default=0)
        wait_until(lambda: max(self.completed_checkpoints(job), default=0) > last, seconds,
                   "a checkpoint is complete")

    def await_status(self, job, status, seconds=10):
        wait_until(lambda: self.job(job)["status"] == status, seconds, f"job {job} is {status}")

    def await_all_tasks(self, job, seconds=10):
        """Until all tasks of the job run: its status is RUNNING before."""
        def all_run():
            tasks = self.job(job)["tasks"]
            return tasks["running"] == tasks["total"]
        wait_until(all_run, seconds, f"all tasks of job {job} run")


class SystemTest(unittest.TestCase):
    """A test case whose messages are long and whose text is searched."""

    maxDiff = None

    def assert_says(self, text, *parts):
        """Each part occurs in the text, in this order."""
        position = 0
        for part in parts:
            found = text.find(part, position)
            self.assertNotEqual(found, -1, f"{part!r} is missing in:\n{text}")
            position = found + len(part)


def main():
    unittest.main(verbosity=2)
