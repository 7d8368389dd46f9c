#!/usr/bin/env python3
"""The word count example on a master and two workers: its counts are those of tr, sort and uniq."""

import cluster
from cluster import Cluster, SystemTest, TEXT, example, free_port
from word_counts import expected_counts, last_counts


def output_lines(path):
    """Of a file, or of all files of a directory, in no order across files."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return [line for file in files for line in file.read_text().splitlines()]


class WordCount(SystemTest):
    """All three ways to feed it, by workers that have an address each, as on several hosts."""

    def setUp(self):
        self.cluster = Cluster(slots=2)
        self.addCleanup(self.cluster.close)
        hosts = ["127.0.0.2", "127.0.0.3"]
        for host in hosts:
            self.cluster.start_task_manager("-D", f"taskmanager.bind-host={host}", "-D",
                                            f"taskmanager.host={host}", wait=False)
        self.cluster.await_nodes(len(hosts))
        addresses = [node["address"] for node in self.cluster.json("nodes")["nodes"]]
        self.assertEqual(sorted(address.split(":")[0] for address in addresses), hosts)
        self.output = self.cluster.folder / "output"
        self.library = example("word_count")

    def test_a_bounded_file_in_batch_mode(self):
        self.cluster.run("-p", 4, "-D", "execution.runtime-mode=batch", self.library, "--input",
                         TEXT, "--output", self.output)
        lines = output_lines(self.output)
        counts = last_counts(lines)
        self.assertEqual(counts, expected_counts())
        self.assertEqual(len(lines), len(counts), "each word comes once")

    def test_a_bounded_file_in_streaming_mode(self):
        self.cluster.run("-p", 4, self.library, "--input", TEXT, "--output", self.output)
        lines = output_lines(self.output)
        expected = expected_counts()
        self.assertEqual(last_counts(lines), expected)
        self.assertEqual(len(lines), sum(expected.values()), "each occurrence is an update")

    def test_a_socket_that_netcat_feeds(self):
        port = free_port()
        server = self.cluster.start("nc", "sh", "-c", f"nc -l -N 127.0.0.1 {port} <{TEXT}")
        self.cluster.run("-p", 4, self.library, "--host", "127.0.0.1", "--port", port, "--output",
                         self.output)
        self.assertEqual(server.wait(), 0)
        self.assertEqual(last_counts(output_lines(self.output)), expected_counts())


if __name__ == "__main__":
    cluster.main()
