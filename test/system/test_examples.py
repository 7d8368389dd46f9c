#!/usr/bin/env python3
"""The examples, each embedded in its own process, over the data sets that lie beside them: their
output is what a few lines of Python say."""

import collections
import subprocess
import unittest

import cluster
from cluster import BUILD, PATIENCE, SOURCE

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def data(example, name):
    """The path of a data set."""
    return SOURCE / "examples" / example / f"{name}.csv"


def rows_of(example, name):
    """A data set whose values are all integers but for those with a point."""
    return [tuple(float(value) if "." in value else int(value) for value in line.split(","))
            for line in data(example, name).read_text().splitlines()]


class Examples(unittest.TestCase):
    """All that are about time and state."""

    def assert_output(self, example, names, expected):
        """Whatever the parallelism; lines come in no order, and subtasks put "2> " before theirs."""
        self.assertGreater(len(expected), 10, "the data set shows what the example is about")
        inputs = [part for option, name in names.items()
                  for part in (f"--{option}", str(data(example, name)))]
        for parallelism in (1, 3):
            done = subprocess.run([BUILD / "examples" / example / example, "-p", str(parallelism),
                                   *inputs], capture_output=True, text=True, check=False,
                                  timeout=30 * PATIENCE)
            self.assertEqual(done.returncode, 0, done.stderr)
            lines = [line.split("> ", 1)[-1] for line in done.stdout.splitlines()]
            self.assertEqual(sorted(lines), sorted(expected), f"parallelism {parallelism}")

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


if __name__ == "__main__":
    cluster.main()
