"""The part `large`: a first publish by one process and by the state machine, with the shipped function, on ministack.

Each publisher writes a site of its own from one staged prefix. Afterwards the site must equal the prefix, and the state must
hold nothing that matters only during an execution.
"""

import contextlib
import json
import os
import platform
import random
import socket
import statistics
import subprocess
import time

import machine
import tools
from harness import HERE, RunError, log
from tables import other_work, table

ROOT = HERE.parent
AWS = ROOT / ".tools/awscli/bin/aws"
ONE = "one process"
STAGED = "s3://artifacts/staged/"
# A phase has at least so many shards of the default size or smaller ones, so that each of eight workers gets some.
SHARDS = 16
MOST_OPERATIONS, FEWEST_OPERATIONS = 4_000, 100
# Files that matter only during an execution.
TEMPORARY = (".results/", ".failures/")
# Ports below the ephemeral range of Linux, so that no outgoing connection takes one.
PORTS = range(20_000, 32_000)

FUNCTION = """
state = "s3://artifacts/tidegate/"

[function]
name = "{name}"
engine = "step-functions"
timeout = 900
workers = {workers}
shard-size = {shard}
"""

SITE = """
[[site]]
name = "{site}"
staged = "{staged}"
publish-on-upload = false
target = "s3://site/{site}/"
role = "arn:aws:iam::000000000000:role/{name}-site"
lease-seconds = {lease}
"""


class Account:
    """ministack, with a folder for configurations."""

    def __init__(self, scratch, binaries):
        self.scratch, self.tidegate, home = scratch, str(binaries / "tidegate"), scratch / "home"
        home.mkdir()
        self.environment = {**tools.environment(home), "AWS_DEFAULT_REGION": "us-east-1"}
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self.log = (scratch / "ministack.log").open("wb")
        self.server = subprocess.Popen(
            [ROOT / "scripts/servers", "ministack", str(port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
        )
        if self.server.stdout.readline().strip() != "ready":
            raise SystemExit(f"bench: ministack did not start: {(scratch / 'ministack.log').read_text()[-600:]}")

    def close(self):
        self.server.stdin.close()
        self.server.wait(timeout=60)
        self.log.close()

    def run(self, *command):
        process = subprocess.run(
            [str(part) for part in command], cwd=self.scratch, env=self.environment, capture_output=True, text=True
        )
        if process.returncode != 0:
            text = (process.stderr + process.stdout).strip()[-600:]
            raise RunError(f"`{command[0]} … {command[-1]}` exited with {process.returncode}: {text}")
        return process.stdout

    def aws(self, *arguments):
        output = self.run(AWS, "--endpoint-url", self.endpoint, "--output", "json", *arguments)
        return json.loads(output) if output.strip() else None

    def publish(self, publisher, site, *options):
        arguments = ("--json", "--config", publisher.configuration, "publish", site, *options)
        return json.loads(self.run(self.tidegate, "--endpoint-url", self.endpoint, *arguments))

    def objects(self, bucket, prefix):
        """Keys below a prefix, with their ETags."""
        query = ("--query", "Contents[].[Key,ETag]")
        found = self.aws("s3api", "list-objects-v2", "--bucket", bucket, "--prefix", prefix, *query)
        return {key.removeprefix(prefix): etag for key, etag in found or []}


class Publisher:
    """What publishes: one process, or a state machine with some workers, which is installed."""

    def __init__(self, account, workers, rounds, shard, lease):
        self.workers = workers
        self.name = "tidegate-one" if workers is None else f"tidegate-{workers}"
        self.title = ONE if workers is None else f"state machine, {workers} worker{'s' if workers > 1 else ''}"
        self.sites = [f"{self.name}-{number}" for number in range(rounds)]
        self.configuration = account.scratch / f"{self.name}.toml"
        sites = (SITE.format(site=site, staged=STAGED, name=self.name, lease=lease) for site in self.sites)
        self.configuration.write_text(
            FUNCTION.format(name=self.name, workers=workers or 1, shard=shard) + "".join(sites)
        )

    def install(self, account, bootstrap):
        package = account.scratch / f"{self.name}.zip"
        tidegate = (account.tidegate, "--endpoint-url", account.endpoint, "--config", self.configuration)
        account.run(*tidegate, "package", "--target", platform.machine(), "--bootstrap", bootstrap, "--out", package)
        account.run(*tidegate, "install", "--zip", package, "--yes")
        # ministack does not set these variables for its functions.
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")
        variables = {"AWS_ENDPOINT_URL": account.endpoint, **{name: account.environment[name] for name in names}}
        update = ("lambda", "update-function-configuration", "--function-name", self.name)
        account.aws(*update, "--environment", json.dumps({"Variables": variables}))

    def publish(self, account, number, source):
        """Publishes a site. Returns the seconds of the whole publish and of its writes, and the state transitions."""
        site = self.sites[number]
        found = self.by_one_process(account, site) if self.workers is None else self.by_state_machine(account, site)
        if account.objects("site", f"{site}/") != source:
            raise RunError(f"the site `{site}` is not what is staged")
        left = [key for key in account.objects("artifacts", f"tidegate/{site}/") if any(part in key for part in TEMPORARY)]
        if left:
            raise RunError(f"{len(left)} files of the execution are left: {left[:3]}")
        return {"publisher": self.title, "round": number, **found}

    def by_one_process(self, account, site):
        started = time.perf_counter()
        report = account.publish(self, site)
        whole = time.perf_counter() - started
        if report["outcome"] != "live":
            raise RunError(f"{site}: {report['outcome']}: {report.get('why')}")
        return {"whole": whole, "write": report["milliseconds"]["write"] / 1e3}

    def by_state_machine(self, account, site):
        answer = account.publish(self, site, "--step-functions")
        if answer["outcome"] != "live":
            raise RunError(f"{site}: {answer['outcome']}: {answer['why']}")
        execution = ("--execution-arn", answer["execution"])
        events = account.aws("stepfunctions", "get-execution-history", *execution)["events"]
        runs = account.aws("stepfunctions", "list-map-runs", *execution)["mapRuns"]
        # Each shard has one state.
        shards = sum(
            account.aws("stepfunctions", "describe-map-run", "--map-run-arn", run["mapRunArn"])["itemCounts"]["total"]
            for run in runs
        )
        entered = [event for event in events if event["type"].endswith("StateEntered")]
        times = [event["timestamp"] for event in events]
        maps = [event["timestamp"] for event in events if event["type"] in ("MapStateEntered", "MapStateExited")]
        return {
            "whole": max(times) - min(times),
            "write": max(maps) - min(maps),
            "shards": shards,
            "transitions": len(entered) + shards,
        }


def free_port():
    for port in random.sample(PORTS, 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise SystemExit("bench: no port is free")


def stage(account, objects):
    """Stages small files, half of which are pages. Returns keys and ETags."""
    log(f"large: staging {objects:,} objects")
    folder = account.scratch / "site"
    for number in range(objects):
        path = folder / f"part-{number // 250:04}" / f"{number:06}.{'js' if number % 2 else 'html'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"object {number}\n" * 20)
    account.run(account.tidegate, "--endpoint-url", account.endpoint, "sync", folder, STAGED)
    return account.objects("artifacts", "staged/")


def run(scratch, options):
    """Measures everything; returns the figures."""
    objects, rounds = options.objects, options.rounds
    shard = min(MOST_OPERATIONS, max(FEWEST_OPERATIONS, objects // 2 // SHARDS))
    account = Account(scratch, options.binaries)
    try:
        for bucket in ("artifacts", "site"):
            account.aws("s3api", "create-bucket", "--bucket", bucket)
        source = stage(account, objects)
        if len(source) != objects:
            raise RunError(f"{len(source)} objects are staged, not {objects}")
        lease = options.lease_seconds
        publishers = [Publisher(account, number, rounds, shard, lease) for number in (None, *options.workers)]
        for publisher in publishers[1:]:
            publisher.install(account, options.bootstrap)
        before, runs = cpu_seconds(account), []
        for number in range(rounds):
            for publisher in publishers:
                log(f"large: round {number + 1} of {rounds}, {publisher.title}")
                runs.append(publisher.publish(account, number, source))
        elapsed, busy, ours = (after - start for after, start in zip(cpu_seconds(account), before))
    finally:
        account.close()
    others = max(busy - ours, 0) / (elapsed * os.cpu_count())
    return {"dev": options.dev, "objects": objects, "shard": shard, "rounds": rounds, "other_work": others, "runs": runs}


def cpu_seconds(account):
    """Elapsed seconds, CPU seconds of all programs, and CPU seconds of the benchmark with the server and its functions."""
    times = os.times()
    ours = times.user + times.system + times.children_user + times.children_system
    return times.elapsed, machine.busy_seconds(), ours + machine.tree_seconds(account.server.pid)


def text(figures):
    """The figures as Markdown."""
    objects, runs = figures["objects"], figures["runs"]

    def median(name, what):
        return statistics.median(run[what] for run in runs if run["publisher"] == name)

    rows = []
    for name in dict.fromkeys(run["publisher"] for run in runs):
        cells = []
        for what in ("write", "whole"):
            seconds = median(name, what)
            cells += [f"{seconds:.1f}", f"{objects / seconds:.0f}", f"{median(ONE, what) / seconds:.2f}"]
        counts = ["", ""]
        if name != ONE:
            counts = [f"{median(name, 'shards'):.0f}", f"{median(name, 'transitions') / objects * 1e3:.1f}"]
        rows.append([name, *cells, *counts])
    head = [
        "", "write, s", "objects/s", "× one process", "whole publish, s", "objects/s", "× one process", "shards",
        "state transitions for 1,000 objects",
    ]
    binaries = "Unoptimized binaries of the tests. " if figures["dev"] else ""
    return f"""Measured on {figures['date']} by `{figures['command']}`
on {figures['machine']}. Other programs used {other_work(figures['other_work'])} of the CPU time.
{binaries}{objects:,} objects, shards of up to {figures['shard']:,}, medians of {figures['rounds']} round{'s' if figures['rounds'] > 1 else ''}.

{table(head, rows)}

Every site was equal to the staged objects, and no file of an execution was left in the state.
"""
