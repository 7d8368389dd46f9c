#!/usr/bin/env python3
"""The examples, each embedded in its own process, over the data sets that lie beside them: their
output is what a few lines of Python say."""

import collections
import pathlib
import subprocess
import tempfile
import unittest

import cluster
from cluster import BUILD, PATIENCE, SOURCE, TEXT
from word_counts import expected_counts, last_counts

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def data(example, name):
    """The path of a data set."""
    return SOURCE / "examples" / example / f"{name}.csv"


def rows_of(example, name):
    """A data set: integers, numbers with a point, and words."""
    def value_of(text):
        return int(text) if text.isdigit() else float(text) if "." in text else text
    return [tuple(value_of(text) for text in line.split(","))
            for line in data(example, name).read_text().splitlines()]


class Data(unittest.TestCase):
    """The data sets that lie beside the examples."""

    def test_make_data_makes_them_as_they_are(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([SOURCE / "examples" / "make_data", folder], check=True)
            made, kept = ({file.relative_to(top): file.read_text() for file in top.glob("*/*.csv")}
                          for top in (pathlib.Path(folder), SOURCE / "examples"))
        self.assertEqual(sorted(made), sorted(kept))
        for name, text in kept.items():
            self.assertEqual(made[name], text, name)


class Examples(unittest.TestCase):
    """The word count, and all that are about time, windows and state."""

    def outputs(self, example, *arguments):
        """What it is run at, and its lines then, without the "2> " that subtasks put before theirs."""
        for parallelism in (1, 3):
            done = subprocess.run([BUILD / "examples" / example / example, "-p", str(parallelism),
                                   *arguments], capture_output=True, text=True, check=False,
                                  timeout=30 * PATIENCE)
            self.assertEqual(done.returncode, 0, done.stderr)
            lines = [line.split("> ", 1)[-1] for line in done.stdout.splitlines()]
            yield f"parallelism {parallelism}", lines

    def assert_output(self, example, names, expected):
        """Whatever the parallelism; lines come in no order."""
        self.assertGreater(len(expected), 10, "the data set shows what the example is about")
        inputs = [part for option, name in names.items()
                  for part in (f"--{option}", str(data(example, name)))]
        for how, lines in self.outputs(example, *inputs):
            self.assertEqual(sorted(lines), sorted(expected), how)

    def test_word_count(self):
        expected = expected_counts()
        for how, lines in self.outputs("word_count", "--input", str(TEXT)):
            self.assertEqual(last_counts(line.strip("()") for line in lines), expected, how)
            self.assertEqual(len(lines), sum(expected.values()), "each occurrence is an update")

    def test_fraud_detection(self):
        of_account = collections.defaultdict(list)
        for account, at, amount in rows_of("fraud_detection", "payments"):
            of_account[account].append((at, amount))
        expected = [f"account {account} at {at}"
                    for account, payments in of_account.items()
                    for (tiny_at, tiny), (at, amount) in zip(payments, payments[1:])
                    if tiny < 1 and amount > 500 and at - tiny_at <= MINUTE_MS]
        self.assert_output("fraud_detection", {"input": "payments"}, expected)

    def test_taxi_rides(self):
        fares = {ride: amount for ride, _, amount in rows_of("taxi_rides", "fares")}
        expected = [f"ride {ride}: driver {driver}, {fares[ride]:.2f}" if ride in fares
                    else f"ride {ride}: no fare"
                    for ride, _, driver in rows_of("taxi_rides", "rides")]
        self.assert_output("taxi_rides", {"rides": "rides", "fares": "fares"}, expected)

    def test_order_payments(self):
        payments = rows_of("order_payments", "payments")
        expected = [f"order {order} of customer {customer}: {cents}"
                    for order, at, customer in rows_of("order_payments", "orders")
                    for of_order, paid_at, cents in payments
                    if of_order == order and abs(at - paid_at) <= HOUR_MS]
        self.assert_output("order_payments", {"orders": "orders", "payments": "payments"}, expected)

    def test_hot_items(self):
        clicks = rows_of("hot_items", "clicks")
        first, last = min(at for _, at, _ in clicks), max(at for _, at, _ in clicks)
        expected = []
        for end in range(first - first % MINUTE_MS + MINUTE_MS, last + 5 * MINUTE_MS + 1, MINUTE_MS):
            counts = collections.Counter(item for _, at, item in clicks
                                         if end - 5 * MINUTE_MS <= at < end)
            best = sorted(counts.items(), key=lambda of: (-of[1], of[0]))[:3]
            expected.append(f"until {end}:" + "".join(f" item {i} ({n})" for i, n in best))
        self.assert_output("hot_items", {"input": "clicks"}, expected)

    def test_sensor_average(self):
        window_ms, disorder_ms, lateness_ms = 10_000, 5_000, 20_000
        expected, windows, greatest = [], collections.defaultdict(list), 0

        def emit(sensor, start):
            values = windows[sensor, start]
            expected.append(f"sensor {sensor} from {start}: "
                            f"{sum(values) / len(values):.2f} of {len(values)}")

        for sensor, at, degrees in rows_of("sensor_average", "readings"):
            start = at - at % window_ms
            watermark = greatest - disorder_ms - 1
            if start + window_ms - 1 + lateness_ms <= watermark:
                expected.append(f"too late: sensor {sensor} at {at}")
                continue
            windows[sensor, start].append(degrees)
            if start + window_ms - 1 <= watermark:
                emit(sensor, start)
            if at > greatest:
                greatest = at
                for of_sensor, of_start in list(windows):
                    if watermark < of_start + window_ms - 1 <= greatest - disorder_ms - 1:
                        emit(of_sensor, of_start)
        for sensor, start in list(windows):
            if start + window_ms - 1 > greatest - disorder_ms - 1:
                emit(sensor, start)
        firings = collections.Counter(line.split(":")[0] for line in expected)
        self.assertGreater(max(firings.values()), 1, "some windows fire again for late readings")
        self.assertTrue(any(line.startswith("too late") for line in expected))
        self.assert_output("sensor_average", {"input": "readings"}, expected)

    def test_page_view_sessions(self):
        of_user = collections.defaultdict(list)
        for user, at, page in rows_of("page_view_sessions", "views"):
            of_user[user].append((at, page))
        visits = []
        for user, views in of_user.items():
            views.sort()
            visits.append((user, [views[0]]))
            for view in views[1:]:
                if view[0] - visits[-1][1][-1][0] <= HOUR_MS // 2:
                    visits[-1][1].append(view)
                else:
                    visits.append((user, [view]))
        expected = [f"{user} came to {views[0][1]} at {views[0][0]} and saw {len(views)} pages in "
                    f"{(views[-1][0] - views[0][0]) // 1000} s" for user, views in visits]
        self.assert_output("page_view_sessions", {"input": "views"}, expected)


if __name__ == "__main__":
    cluster.main()
