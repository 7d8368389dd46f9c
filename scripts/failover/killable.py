"""Clusters whose processes are killed while jobs run, and what those jobs commit: shared by the
scripts of this folder and scripts/soak. MILLRACE_BUILD_DIR names the build."""

import collections
import os
import pathlib
import shutil
import sqlite3
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "test/system"))

# pylint: disable-next=wrong-import-position,unused-import
from cluster import CAF_NODE, MILLRACE, Cluster, test_job, wait_until  # noqa: E402,F401

CONFIG = {"heartbeat.interval": "200 ms",
          "heartbeat.timeout": "2 s",
          "cluster.registration.max-timeout": "200 ms",
          "high-availability.type": "filesystem",
          "state.backend.local-recovery": "true",
          "debug.chaos.enabled": "true"}


UNALIGNED = {"execution.checkpointing.unaligned.enabled": "true"}
ROCKSDB = {"state.backend.type": "rocksdb"}
NO_COPIES = {"state.backend.local-recovery": "false"}  # the workers make them

# How jobs may keep their state and take their checkpoints: scripts that run many go through all of
# them.
VARIANTS = {
    "hashmap": NO_COPIES,
    "rocksdb": {**ROCKSDB, **NO_COPIES},
    "hashmap, unaligned, local copies": UNALIGNED,
    "rocksdb, unaligned, local copies": {**ROCKSDB, **UNALIGNED},
    "hashmap, local copies": {},
    "rocksdb, local copies": ROCKSDB,
    "hashmap, unaligned": {**UNALIGNED, **NO_COPIES},
    "rocksdb, unaligned": {**ROCKSDB, **UNALIGNED, **NO_COPIES},
}


def print_list(names):
    """One a line; who reads the first only has what is wanted."""
    try:
        print("\n".join(names), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def variant_of(number):
    """Of the job with that number: all in turn."""
    return list(VARIANTS)[number % len(VARIANTS)]


class KillableCluster(Cluster):
    """A master that leaves its jobs to the next one, and workers."""

    def __init__(self, workers, slots, config=None):
        super().__init__(slots=slots, master=False, config=dict(CONFIG, **(config or {})))
        try:
            self.config["high-availability.storageDir"] = self.folder / "ha"
            self.write_config()
            self.start_master()
            for _ in range(workers):
                self.start_task_manager(wait=False)
            self.await_nodes(workers)
        except BaseException:
            self.close()
            raise

    def keep(self):
        """Logs, checkpoints and output, for whoever looks for a reason. Returns where they are."""
        self.end_all()
        kept = self.folder.with_name(self.folder.name + "-failed")
        shutil.move(self.folder, kept)
        return kept

    def settings_of_jobs(self, parallelism=2, interval_ms=100, variant="hashmap"):
        """Arguments for `run` of a job that is to survive whatever is done to it."""
        settings = {"execution.checkpointing.interval": f"{interval_ms} ms",
                    "state.checkpoints.dir": self.checkpoints,
                    "taskmanager.network.batch-rows": 20,
                    "restart-strategy.type": "fixed-delay",
                    "restart-strategy.fixed-delay.attempts": 1_000_000,
                    "restart-strategy.fixed-delay.delay": "50 ms",
                    **VARIANTS[variant]}
        return ["-p", parallelism,
                *(word for key, value in settings.items() for word in ("-D", f"{key}={value}"))]


class PaidOrders:
    """A run of test/jobs/paid_orders: a windowed join, sums over windows, and three sinks that
    commit with checkpoints."""

    def __init__(self, nodes, name, count, per_second=None, **settings):
        self.nodes = nodes
        self.folder = nodes.folder / name
        self.folder.mkdir()
        self.command = [*nodes.settings_of_jobs(**settings),
                        "-D", "state.storage.fs.memory-threshold=0 b",
                        test_job("paid_orders"), "--count", count, "--output", self.folder]
        self.per_second = per_second  # None: all it can
        self.job = None

    def start(self, *options):
        """Submits it, with more options of `run`, such as the snapshot that it goes on from."""
        self.job = self.nodes.run_detached(*options, *self.command, *self.rate())
        return self

    def rate(self):
        """The arguments that say how fast it is."""
        return ["--per-second", self.per_second] if self.per_second else []

    def submission(self):
        """The command that does so, for who does not expect it to succeed."""
        return [MILLRACE, "run", "-m", self.nodes.address, "-d", *self.command, *self.rate()]

    def has_ended(self):
        """Whether a result is stored, master or not."""
        return (self.nodes.folder / "ha" / "default" / "results" / self.job).exists()

    def await_end(self, seconds):
        """Until it has finished, and its master is through with it; an AssertionError with the
        reason if it ends otherwise."""
        def ended():
            job = self.nodes.job(self.job)
            return job if job["status"] in ("FINISHED", "FAILED", "CANCELED") else None
        job = wait_until(ended, seconds, f"job {self.job} has ended")
        if job["status"] != "FINISHED":
            described = self.nodes.millrace("describe", self.job, expect=None)
            raise AssertionError(f"job {self.job} is {job['status']}:\n{described.stdout}")
        graph = self.nodes.folder / "ha" / "default" / "graphs" / self.job
        wait_until(lambda: not graph.exists(), seconds, f"job {self.job} is not to be run again")

    def committed(self):
        """How often each record was committed; rows of the table among them. None of a sink that
        has not begun yet."""
        records = collections.Counter()
        for kind in ("pairs", "sums"):
            for part in (self.folder / kind).glob("*"):
                if not part.name.startswith("."):
                    records.update(f"{kind} {line}"
                                   for line in part.read_text("ascii").splitlines())
        if not (self.folder / "sums.db").exists():
            return records
        with sqlite3.connect(f"file:{self.folder / 'sums.db'}?mode=ro", uri=True) as database:
            records.update(f"table {key} {value}"
                           for key, value in database.execute("SELECT key, value FROM sums"))
        database.close()
        return records

    def hidden_parts(self):
        """Of the output, those that are not finished."""
        return [part for kind in ("pairs", "sums") for part in (self.folder / kind).glob(".*")]

    def left_over(self):
        """Files that are neither output nor anybody's any more."""
        # They go while this looks.
        return self.hidden_parts() + [pathlib.Path(folder, file)
                         for folder, _, files in os.walk(self.nodes.checkpoints / self.job)
                         for file in files]


def in_pairs(committed):
    """Orders and cents in the pairs of a job that were committed."""
    pairs = [(int(record.rsplit(",", 1)[1]), count) for record, count in committed.items()
             if record.startswith("pairs ")]
    return sum(count for _, count in pairs), sum(cents * count for cents, count in pairs)


def in_sums(committed):
    """The same in its sums."""
    sums = [(*map(int, record.rsplit(",", 2)[1:]), count) for record, count in committed.items()
            if record.startswith("sums ")]
    return (sum(orders * count for orders, _, count in sums),
            sum(cents * count for _, cents, count in sums))


def difference(committed, expected):
    """What is lost and what was committed too often, each with how often."""
    return expected - committed, committed - expected
