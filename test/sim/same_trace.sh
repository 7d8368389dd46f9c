#!/usr/bin/env bash
# A seed takes the same steps in every process: runs some twice, on another number of processes, and
# compares the hashes of all their steps.
set -euo pipefail

simulate=$1
run() { "$simulate" --seeds 40 --hash --quiet "$@" | grep '^seed' | sort; }

diff <(run --jobs 1) <(run --jobs 3)
diff <(run --first 5 --seeds 3 --jobs 1) <(run --jobs 1 | grep -E '^seed [567] ')
