#!/usr/bin/env python3
"""A slow sink holds its source back, and memory stays bounded; scripts/backpressure-test looks longer."""

import back_pressure
import cluster
from cluster import PATIENCE, SystemTest

WARM_UP_SECONDS = 2 + PATIENCE
SECONDS = 5
LIMIT_PERCENT = 10


class BackPressure(SystemTest):
    """Embedded and across nodes."""

    def assert_bounded(self, growths):
        for growth in growths:
            self.assertLessEqual(growth.percent, LIMIT_PERCENT, str(growth))

    def test_in_one_process(self):
        self.assert_bounded(back_pressure.embedded(WARM_UP_SECONDS, SECONDS))

    def test_across_two_nodes(self):
        growths, details = back_pressure.two_nodes(WARM_UP_SECONDS, SECONDS)
        self.assert_bounded(growths)
        source, sink = details["vertices"]
        for subtask in source["subtasks"]:
            self.assertGreater(subtask["back_pressure"], 0.9, details)
        taken = sink["operators"][0]["records_in"]
        made = source["operators"][0]["records_out"]
        self.assertGreater(taken, 0)
        # What is under way is bounded by the credit of four channels and by batches being made.
        self.assertLess(made - taken, 100_000)
        if not cluster.SANITIZED:
            self.assertGreater(back_pressure.sink_slowdown(details), 50)


if __name__ == "__main__":
    cluster.main()
