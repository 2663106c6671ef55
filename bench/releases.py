"""The second part: the cost of planning and publishing a site with releases, compared with the bare listing.

Publishes the whole of Rust's documentation once. Then plans and publishes it again without changes, from a staged prefix and
from a directory, with and without `--trust-manifest`, with and without latency. Then changes few and many files, to measure
the requests per changed object. Finally, makes plans for generated sites.
"""

import json
import os
import pathlib
import subprocess

from harness import RunError, log

# Latency of every request in milliseconds, in the rounds with latency. S3 needs tens of milliseconds for the first byte.
LATENCY = 25
# Changed files in the two measurements.
FEW, MANY = 100, 1_100
# Objects of the generated sites. One in EVERY has changed, or all of them, or none.
GENERATED, EVERY, ALL = (1_000_000, 5_000_000), 100, 1
BASELINE = "bare listing"

CONFIGURATION = """
state = "s3://state/"

[[site]]
name = "{name}"
{staged}
target = "s3://{name}/"
{keep}

[[site.sync]]
plugin = "mime"

[[site.sync]]
plugin = "headers"
"""


class BenchSite:
    """A site with its bucket and its configuration."""

    def __init__(self, harness, name, source, sides, keep=""):
        self.harness, self.name, self.source, self.sides = harness, name, source, sides
        self.file = harness.scratch / f"{name}.toml"
        self.configure(keep)

    def configure(self, keep):
        self.file.write_text(CONFIGURATION.format(name=self.name, staged=f'staged = "{self.source}"', keep=keep))

    def tidegate(self, command, *options):
        binary = str(self.harness.binaries / "tidegate")
        head = [binary, "--endpoint-url", self.harness.endpoint, "--json", "--config", str(self.file)]
        return [*head, command, self.name, *options]

    def bare_listing(self):
        return [str(self.harness.binaries / "bare-loop"), "list", self.harness.endpoint, *self.sides]


def measure(harness, what, command):
    """Measures a command: seconds, bytes, requests by operation, and seconds by stage."""
    harness.requests()
    found = harness.measure(command)
    stages = {}
    if found["output"].startswith("{"):
        report = json.loads(found["output"])
        stages = {name: milliseconds / 1e3 for name, milliseconds in report["milliseconds"].items()}
        if report.get("outcome") not in (None, "live", "unchanged"):
            raise RunError(f"`{' '.join(command[5:])}`: {report['outcome']}: {report.get('why')}")
        operations = report.get("plan") and report["plan"]["operations"] if "digest" in report else None
        if operations:
            raise RunError(f"`{' '.join(command[5:])}`: {len(operations)} operations although nothing has changed")
    return {
        "what": what,
        "wall": found["wall"],
        "cpu": found["user"] + found["system"],
        "peak": found["peak_kib"] * 1024,
        "requests": harness.requests(),
        "stages": stages,
    }


def commands(site):
    """The commands that are measured with an unchanged site, the baseline first."""
    return [
        (BASELINE, site.bare_listing()),
        ("tidegate plan", site.tidegate("plan")),
        ("tidegate plan --trust-manifest", site.tidegate("plan", "--trust-manifest")),
        ("tidegate publish", site.tidegate("publish")),
        ("tidegate publish --trust-manifest", site.tidegate("publish", "--trust-manifest")),
    ]


def measure_unchanged(harness, site, rounds, latency):
    """Measures an unchanged site, after one warm-up round."""
    harness.requests(latency)
    runs = []
    for number in range(rounds + 1):
        found = [measure(harness, what, command) for what, command in commands(site)]
        runs += found if number > 0 else []
    harness.requests(0)
    return {"site": site.name, "latency": latency, "runs": runs}


def change(folder, first, count):
    """Changes `count` pages. Replaces the files, because they are hard links to the installed documentation."""
    pages = sorted(path for path in folder.rglob("*.html") if path.stat().st_size > 0)[first:first + count]
    for path in pages:
        replacement = path.with_name(path.name + ".new")
        replacement.write_bytes(path.read_bytes() + b"<!-- changed -->\n")
        os.replace(replacement, path)


def measure_changes(harness, site):
    """Measures the requests of a publish with few and with many changed files, with and without earlier releases. Times are
    not representative: the server replaces a file, and file systems then flush it to disk."""
    found, first = [], 0
    for keep, kept in [("keep = { releases = 1, days = 0 }", "none"), ("", "five (default)")]:
        site.configure(keep)
        # An unmeasured publish prunes the releases of the previous setting, or makes the first kept one.
        change(harness.corpus, first, 1)
        harness.measure(site.tidegate("publish"))
        first += 1
        for count in (FEW, MANY):
            change(harness.corpus, first, count)
            first += count
            run = measure(harness, f"{count} changed", site.tidegate("publish"))
            found.append({"kept": kept, "changed": count, **run})
    return found


def plan_generated(binaries, scratch, rounds):
    """Plans generated sites. Returns the fastest round of each kind; the largest site has one round."""
    program, manifest = str(binaries / "million"), str(scratch / "manifest.gz")
    kinds = [("plan", 0), ("plan", EVERY), ("plan", ALL), ("transform", 0), ("transform", EVERY)]
    found = []
    for objects in GENERATED:
        subprocess.run([program, "write", manifest, str(objects)], check=True)
        size, repeated = pathlib.Path(manifest).stat().st_size, 1 if objects == max(GENERATED) else rounds
        for kind, every in kinds:
            command = [program, kind, manifest, str(objects), str(every)]
            found.append({"manifest": size, **fastest_plan(command, repeated)})
        for kind in ("first", "finish"):
            found.append({"manifest": 0, **fastest_plan([program, kind, str(objects)], repeated)})
    return found


def fastest_plan(command, rounds):
    """The figures of the fastest round."""
    runs = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(rounds)]
    return min(runs, key=lambda run: sum(step["seconds"] for step in run["steps"]))


def run(harness, rounds):
    """Measures everything; returns the figures."""
    log(f"releases: {harness.files} files, {harness.bytes / 1e6:.0f} MB: {harness.description}")
    for name in ("staged", "prefix", "directory", "state"):
        harness.create_bucket(name)
    harness.measure([str(harness.binaries / "bare-loop"), "upload", harness.endpoint, str(harness.corpus), "staged"])
    prefix = BenchSite(harness, "prefix", "s3://staged/", ["bucket:staged", "bucket:prefix"])
    directory = BenchSite(harness, "directory", harness.corpus, [f"directory:{harness.corpus}", "bucket:directory"])
    first, unchanged = [], []
    for site in (prefix, directory):
        log(f"releases: {site.name}, first publish")
        first.append({"site": site.name, **measure(harness, "first", site.tidegate("publish"))})
        for latency in (0, LATENCY):
            log(f"releases: {site.name}, nothing changed, {latency} ms latency")
            unchanged.append(measure_unchanged(harness, site, rounds, latency))
    log("releases: changed files")
    changed = measure_changes(harness, directory)
    log("releases: generated sites")
    return {
        "files": harness.files,
        "bytes": harness.bytes,
        "description": harness.description,
        "rounds": rounds,
        "first": first,
        "unchanged": unchanged,
        "changed": changed,
        "generated": plan_generated(harness.binaries, harness.scratch, rounds),
    }
