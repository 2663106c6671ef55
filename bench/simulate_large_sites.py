#!/usr/bin/env python3
"""Simulate how long the state machine takes to write a large site, against the limit of S3.

    bench/simulate_large_sites.py [--objects N ...] [--workers N ...] [--latency SECONDS]

Time advances in steps of 0.25 s. Each worker carries out one shard after the other, with as many writes in flight as its pace
allows: 8 at first, twice as many after a whole round without a throttled response, half as many after one, at most 128.

What is assumed, and what is documented:

- S3 takes 3,500 writes a second for a partitioned prefix (documented). It splits a prefix under sustained load; how fast is not
  documented. Assumed: twice the rate after 30 minutes in which the last minute's load was above 80 % of it, at most 16 times.
- A copy of a small object within S3 takes 40 ms (assumed; `--latency`), and a worker with 1 GB of memory, which is 0.6 of a
  processor, sends at most 1,000 a second (assumed; `--most`).
- Step Functions starts 100 standard children a second (documented: StartExecution, bucket refill of a large region is higher),
  and a child takes 0.5 s beside its shard: transitions, a warm invocation, and 8 requests to the state (assumed).
- Lambda adds 1,000 concurrent invocations each 10 s (documented), more than any row here needs; a first invocation takes 2 s
  longer (assumed).
- The plan takes as long as the listing: 1,000 objects a page at 100 ms, 16 pages at the same time, for source and site; the end
  takes 60 s for the lease, the manifest and the pointer (assumed).
"""

import argparse

STEP = 0.25
SHARD = 4_000
PREFIX_RATE = 3_500.0
SPLIT_AFTER = 1_800.0
MOST_SPLITS = 16
FIRST, MOST = 8, 128
CHILD_STARTS = 100.0
CHILD_OVERHEAD = 0.5
COLD_START = 2.0

# Prices in us-east-1, checked 2026-10: 1,000 copies, GB-second, a million state transitions.
COPY, GB_SECOND, TRANSITION = 0.005 / 1_000, 0.0000166667, 25 / 1e6


class Worker:
    def __init__(self):
        self.left, self.limit, self.round, self.ready = 0.0, FIRST, 0.0, COLD_START


def simulate(objects, workers, latency, most):
    def wanted(worker):
        return min(min(worker.limit / latency, most) * STEP, worker.left)

    shards = -(-objects // SHARD)
    pool = [Worker() for _ in range(workers)]
    time, rate, load, saturated, busy, started = 0.0, PREFIX_RATE, 0.0, 0.0, 0.0, 0
    while started < shards or any(worker.left > 0 for worker in pool):
        time += STEP
        starts = CHILD_STARTS * STEP
        for worker in pool:
            if worker.left <= 0 and worker.ready <= 0 and started < shards and starts >= 1:
                worker.left = min(SHARD, objects - started * SHARD)
                worker.limit, worker.round = FIRST, 0.0
                started, starts = started + 1, starts - 1
            elif worker.left <= 0 and worker.ready > 0:
                worker.ready -= STEP
        active = [worker for worker in pool if worker.left > 0]
        demand = sum(wanted(worker) for worker in active)
        share = min(1.0, rate * STEP / demand) if demand else 1.0
        load += (min(demand / (rate * STEP), 1.0) - load) * STEP / 60
        saturated = saturated + STEP if load >= 0.8 else 0.0
        if saturated >= SPLIT_AFTER and rate < PREFIX_RATE * MOST_SPLITS:
            rate, saturated = rate * 2, 0.0
        for worker in active:
            wrote = wanted(worker) * share
            worker.left -= wrote
            worker.round += wrote
            busy += STEP
            if worker.round >= worker.limit:
                worker.round = 0.0
                worker.limit = max(1, worker.limit // 2) if share < 1 else min(MOST, worker.limit * 2)
            if worker.left <= 1e-6:
                worker.left, worker.ready = 0.0, CHILD_OVERHEAD
    return time, busy, shards


def floor(objects):
    """The time that S3 needs if every write comes as early as it takes it."""
    time, left, rate = 0.0, float(objects), PREFIX_RATE
    while left > rate * SPLIT_AFTER and rate < PREFIX_RATE * MOST_SPLITS:
        left, time, rate = left - rate * SPLIT_AFTER, time + SPLIT_AFTER, rate * 2
    return time + left / rate


def minutes(seconds):
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, nargs="*", default=[5_000_000, 50_000_000])
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 4, 8, 16, 64])
    parser.add_argument("--latency", type=float, default=0.04)
    parser.add_argument("--most", type=float, default=1_000.0)
    arguments = parser.parse_args()
    print("| Objects | Workers | Plan | Write | All | S3's limit | Times the limit | Price |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for objects in arguments.objects:
        plan = 2 * objects / 1_000 * 0.1 / 16
        for workers in arguments.workers:
            write, busy, shards = simulate(objects, workers, arguments.latency, arguments.most)
            least, total = floor(objects), plan + write + 60
            price = objects * COPY + (busy + shards * CHILD_OVERHEAD) * GB_SECOND + shards * 3 * TRANSITION
            print(
                f"| {objects:,} | {workers} | {minutes(plan)} | {minutes(write)} | {minutes(total)} | {minutes(least)} | "
                f"{total / least:.2f} | ${price:.2f} |"
            )


if __name__ == "__main__":
    main()
