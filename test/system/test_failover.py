#!/usr/bin/env python3
"""The scripts of scripts/failover: what they list, and that a variant which is not in force is seen."""

import os
import subprocess
import sys
import types

import cluster
from cluster import SOURCE, Cluster, SystemTest

sys.path.insert(0, str(SOURCE / "scripts" / "failover"))

# pylint: disable-next=wrong-import-position
from in_force import VariantWatch  # noqa: E402

JOB = "0123456789abcdef0123456789abcdef"


class Lists(SystemTest):
    def test_who_reads_only_the_first_line_of_a_list_hears_of_no_error(self):
        for script in ("kill-points", "run"):
            reading, writing = os.pipe()
            os.close(reading)
            done = subprocess.run([str(SOURCE / "scripts" / "failover" / script), "--list"],
                                  stdout=writing, stderr=subprocess.PIPE, check=False, timeout=60)
            os.close(writing)
            self.assertEqual((done.returncode, done.stderr), (0, b""), script)


class Variants(SystemTest):
    """With files made by hand instead of a job's."""

    def setUp(self):
        self.nodes = Cluster(master=False)
        self.addCleanup(self.nodes.close)

    def made(self, *names):
        """The files, empty, in the folder of the cluster."""
        for name in names:
            path = self.nodes.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def problem(self, variant, *seen):
        """What the check says when these have been seen."""
        nodes = types.SimpleNamespace(checkpoints=self.nodes.checkpoints, config=self.nodes.config)
        watch = VariantWatch(nodes, JOB, variant)
        self.addCleanup(watch.stop)
        if seen:
            cluster.wait_until(lambda: set(seen) <= watch.seen, 10, f"{seen} are seen")
        try:
            watch.check()
        except AssertionError as failed:
            return str(failed)
        return None

    def test_shared_files_say_whether_the_state_is_in_rocksdb(self):
        self.assert_says(self.problem("rocksdb"), "variant 'rocksdb' was not in force", JOB,
                         "never were pieces of logs (.log)", "never were table files (.sst)")
        self.made(f"checkpoints/{JOB}/shared/1/v1-s0-a1-o0-000009.sst")
        self.assert_says(self.problem("rocksdb", ".sst"), "never were pieces of logs (.log)")
        self.made(f"checkpoints/{JOB}/shared/2/v1-s0-a1-o0-000012.log")
        self.assertIsNone(self.problem("rocksdb", ".sst", ".log"))
        self.assert_says(self.problem("hashmap", ".sst", ".log"), "'hashmap' was not in force",
                         "; there were table files")

    def test_copies_say_whether_recovery_is_local(self):
        self.assert_says(self.problem("hashmap, local copies"), "was not in force",
                         "there never were copies of state files below")
        self.made(f"tmp/millrace-local-state-a/{JOB}/chk-3/v1-s0-a1.state")
        self.assertIsNone(self.problem("hashmap, local copies", "copies"))
        self.assert_says(self.problem("hashmap", "copies"), "there were copies of state files")


if __name__ == "__main__":
    cluster.main()
