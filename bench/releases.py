"""Releases: what planning and publishing a site cost that has a manifest, beside nothing but the listing.

The whole of Rust's documentation is published once, then planned and published again with nothing changed, from a staged
prefix and from a directory, with and without `--trust-manifest`, with and without a network's latency. Afterwards a few
of its files change, then more, to see what one changed object costs. At last, plans over generated sites.
"""

import json
import os
import pathlib
import subprocess

from course import Wrong, say

# Milliseconds that every request waits in the rounds with latency: S3's first byte takes some tens of them.
LATENCY = 25
# Files that change at first, and then.
FEW, MANY = 100, 1_100
# Objects of a generated site, and one of how many is changed.
GENERATED, EVERY = 1_000_000, 100
LIMIT = "bare listing"

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


class Stage:
    """One site with its bucket and its configuration."""

    def __init__(self, course, name, source, sides, keep=""):
        self.course, self.name, self.source, self.sides = course, name, source, sides
        self.file = course.scratch / f"{name}.toml"
        self.configure(keep)

    def configure(self, keep):
        self.file.write_text(CONFIGURATION.format(name=self.name, staged=f'staged = "{self.source}"', keep=keep))

    def tidegate(self, *words):
        binary = str(self.course.binaries / "tidegate")
        head = [binary, "--endpoint-url", self.course.endpoint, "--json", "--config", str(self.file)]
        return [*head, words[0], self.name, *words[1:]]

    def bare(self):
        return [str(self.course.binaries / "bare-loop"), "list", self.course.endpoint, *self.sides]


def measured(course, what, command):
    """One run: seconds, bytes, requests by operation, and what the program says of its stages."""
    course.requests()
    found = course.measure(command)
    stages = {}
    if found["output"].startswith("{"):
        report = json.loads(found["output"])
        stages = {name: milliseconds / 1e3 for name, milliseconds in report["milliseconds"].items()}
        if report.get("outcome") not in (None, "live", "unchanged"):
            raise Wrong(f"`{' '.join(command[5:])}` ended with {report['outcome']}: {report.get('why')}")
        operations = report.get("plan") and report["plan"]["operations"] if "digest" in report else None
        if operations:
            raise Wrong(f"`{' '.join(command[5:])}` plans {len(operations)} operations although nothing has changed")
    return {
        "what": what,
        "wall": found["wall"],
        "cpu": found["user"] + found["system"],
        "peak": found["peak_kib"] * 1024,
        "requests": course.requests(),
        "stages": stages,
    }


def repeats(stage):
    """Everything that is done again and again with a site that has not changed; the limit first."""
    return [
        (LIMIT, stage.bare()),
        ("tidegate plan", stage.tidegate("plan")),
        ("tidegate plan --trust-manifest", stage.tidegate("plan", "--trust-manifest")),
        ("tidegate publish", stage.tidegate("publish")),
        ("tidegate publish --trust-manifest", stage.tidegate("publish", "--trust-manifest")),
    ]


def unchanged(course, stage, rounds, latency):
    """The rounds; one that does not count goes before them."""
    course.requests(latency)
    runs = []
    for number in range(rounds + 1):
        found = [measured(course, what, command) for what, command in repeats(stage)]
        runs += found if number > 0 else []
    course.requests(0)
    return {"site": stage.name, "latency": latency, "runs": runs}


def change(folder, first, count):
    """Changes so many pages, by writing each anew: the files of the site are links to the documentation's own."""
    pages = sorted(path for path in folder.rglob("*.html") if path.stat().st_size > 0)[first:first + count]
    for path in pages:
        beside = path.with_name(path.name + ".new")
        beside.write_bytes(path.read_bytes() + b"<!-- changed -->\n")
        os.replace(beside, path)


def changes(course, stage):
    """Requests of a publish of few and of many changed files, under both ways to keep earlier releases. Times say little:
    file systems write a file through to the disk when it takes another's place, which is what a changed object does."""
    found, first = [], 0
    for keep, words in [("keep = { releases = 1, days = 0 }", "none"), ("", "five, the default")]:
        stage.configure(keep)
        # What the other way had kept is gone, or begins to be kept, before anything is counted.
        change(course.corpus, first, 1)
        course.measure(stage.tidegate("publish"))
        first += 1
        for count in (FEW, MANY):
            change(course.corpus, first, count)
            first += count
            run = measured(course, f"{count} changed", stage.tidegate("publish"))
            found.append({"kept": words, "changed": count, **run})
    return found


def generated(binaries, scratch, rounds):
    """Plans over generated sites. Of each kind, the fastest of the rounds."""
    program, manifest = str(binaries / "million"), str(scratch / "manifest.gz")
    subprocess.run([program, "write", manifest, str(GENERATED)], check=True)
    found = []
    for kind, every in [("plan", 0), ("plan", EVERY), ("shape", 0), ("shape", EVERY)]:
        command = [program, kind, manifest, str(GENERATED), str(every)]
        runs = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(rounds)]
        found.append(min(runs, key=lambda run: sum(step["seconds"] for step in run["steps"])))
    return {"manifest": pathlib.Path(manifest).stat().st_size, "runs": found}


def run(course, rounds):
    """All of it, as one value."""
    say(f"releases: {course.files} files, {course.bytes / 1e6:.0f} MB: {course.about}")
    for name in ("staged", "prefix", "directory", "state"):
        course.bucket(name)
    course.measure([str(course.binaries / "bare-loop"), "upload", course.endpoint, str(course.corpus), "staged"])
    prefix = Stage(course, "prefix", "s3://staged/", ["bucket:staged", "bucket:prefix"])
    directory = Stage(course, "directory", course.corpus, [f"directory:{course.corpus}", "bucket:directory"])
    first, again = [], []
    for stage in (prefix, directory):
        say(f"releases: {stage.name}, published for the first time")
        first.append({"site": stage.name, **measured(course, "first", stage.tidegate("publish"))})
        for latency in (0, LATENCY):
            say(f"releases: {stage.name}, nothing changed, {latency} ms")
            again.append(unchanged(course, stage, rounds, latency))
    say("releases: files change")
    changed = changes(course, directory)
    say("releases: generated sites")
    return {
        "files": course.files,
        "bytes": course.bytes,
        "about": course.about,
        "rounds": rounds,
        "first": first,
        "unchanged": again,
        "changed": changed,
        "generated": generated(course.binaries, course.scratch, rounds),
    }
