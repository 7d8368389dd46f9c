#!/usr/bin/env python3
"""The word count example on a master and two workers: its counts are those of tr, sort and uniq."""

import subprocess

import cluster
from cluster import Cluster, SystemTest, TEXT, example, free_port


def expected_counts():
    """What the coreutils say, without the empty word that tr leaves at a text's start."""
    pipeline = f"tr -cs 'A-Za-z' '\\n' <{TEXT} | tr A-Z a-z | sort | uniq -c"
    lines = subprocess.run(pipeline, shell=True, check=True, capture_output=True,
                           text=True).stdout.splitlines()
    pairs = [line.split() for line in lines]
    return {pair[1]: int(pair[0]) for pair in pairs if len(pair) == 2}


def output_lines(path):
    """Of a file, or of all files of a directory, in no order across files."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return [line for file in files for line in file.read_text().splitlines()]


def last_counts(lines):
    """The last count of each word, which is the largest, as counts only grow."""
    counts = {}
    for line in lines:
        word, count = line.split(",")
        counts[word] = max(counts.get(word, 0), int(count))
    return counts


class WordCount(SystemTest):
    """All three ways to feed it."""

    def setUp(self):
        self.cluster = Cluster(task_managers=2, slots=2)
        self.addCleanup(self.cluster.close)
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
