"""What a word count must come to, by the coreutils."""

import subprocess

from cluster import TEXT


def expected_counts():
    """Of TEXT, without the empty word that tr leaves at a text's start."""
    pipeline = f"tr -cs 'A-Za-z' '\\n' <{TEXT} | tr A-Z a-z | sort | uniq -c"
    lines = subprocess.run(pipeline, shell=True, check=True, capture_output=True,
                           text=True).stdout.splitlines()
    pairs = [line.split() for line in lines]
    return {pair[1]: int(pair[0]) for pair in pairs if len(pair) == 2}


def last_counts(lines):
    """The last count of each word, which is the largest, as counts only grow."""
    counts = {}
    for line in lines:
        word, count = line.split(",")
        counts[word] = max(counts.get(word, 0), int(count))
    return counts
