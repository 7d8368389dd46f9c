"""Whether a job really keeps its state and takes its checkpoints as its variant says: a run with a
setting that is ignored would prove nothing."""

import pathlib
import threading

from killable import CONFIG, VARIANTS

PAUSE_SECONDS = 0.02


def setting(variant, key):
    """What counts for a job of that variant; None for the default."""
    return {**CONFIG, **VARIANTS[variant]}.get(key)


def has_files(variant):
    """Whether its checkpoints share files of RocksDB."""
    return setting(variant, "state.backend.type") == "rocksdb"


def has_copies(variant):
    """Whether workers keep copies of its state files."""
    return setting(variant, "state.backend.local-recovery") == "true"


class VariantWatch:
    """Looks, as long as a job runs, at what lies below its checkpoints and among the copies."""

    def __init__(self, nodes, job, variant):
        self.variant = variant
        self.shared = nodes.checkpoints / job / "shared"
        self.copies = pathlib.Path(nodes.config.get("taskmanager.state.local.root-dirs",
                                                    nodes.config["io.tmp.dirs"]))
        self.job = job
        self.seen = set()
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        while not self.is_over.wait(PAUSE_SECONDS):
            for suffix in {".sst", ".log"} - self.seen:
                if self.any_of(self.shared, f"*/*{suffix}"):
                    self.seen.add(suffix)
            if "copies" not in self.seen and self.any_of(
                    self.copies, f"millrace-local-state-*/{self.job}/**/v*"):
                self.seen.add("copies")

    @staticmethod
    def any_of(folder, pattern):
        """Files come and go meanwhile."""
        try:
            return any(path.is_file() for path in folder.glob(pattern))
        except OSError:
            return False

    def stop(self):
        """It looks no more."""
        self.is_over.set()
        self.thread.join()

    def check(self):
        """Looks no more; an AssertionError if the job was not what its variant says."""
        self.stop()
        expected = ({".sst", ".log"} if has_files(self.variant) else set()) | (
            {"copies"} if has_copies(self.variant) else set())
        names = {".sst": f"table files (.sst) in {self.shared}",
                 ".log": f"pieces of logs (.log) in {self.shared}",
                 "copies": f"copies of state files below {self.copies}"}
        wrong = ([f"there never were {names[what]}" for what in sorted(expected - self.seen)]
                 + [f"there were {names[what]}" for what in sorted(self.seen - expected)])
        if wrong:
            raise AssertionError(f"the variant '{self.variant}' was not in force for job "
                                 f"{self.job}: " + "; ".join(wrong))
