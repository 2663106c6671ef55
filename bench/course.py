"""What every part of the benchmark runs in: a site, a server, fresh folders, and one measured run of one command."""

import json
import pathlib
import subprocess
import sys

import contestants
import corpus

HERE = pathlib.Path(__file__).resolve().parent


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Wrong(Exception):
    """Somebody did not do what the task asks."""


class Course:
    """The site, the server and the folders that the runs go through."""

    def __init__(self, scratch, binaries, make, *server):
        self.scratch, self.binaries = scratch, binaries
        self.corpus, self.store, home = scratch / "site", scratch / "store", scratch / "home"
        for folder in (self.corpus, self.store, home):
            folder.mkdir()
        self.about = make(self.corpus)
        self.files, self.bytes, _ = corpus.tally(self.corpus)
        self.environment = contestants.environment(home)
        self.server = subprocess.Popen(
            [binaries / "bench-server", self.store, *server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.endpoint = self.server.stdout.readline().strip()
        if not self.endpoint.startswith("http://"):
            raise SystemExit("bench: the server does not start")

    def close(self):
        self.server.stdin.close()
        self.server.wait(timeout=60)

    def requests(self, latency=""):
        """Requests since the last time this was asked, by operation. `latency`: milliseconds that each one waits from
        now on."""
        self.server.stdin.write(f"{latency}\n")
        self.server.stdin.flush()
        return json.loads(self.server.stdout.readline())

    def bucket(self, name):
        self.measure([str(self.binaries / "bare-loop"), "create", self.endpoint, name])
        return name

    def measure(self, command):
        """Runs a command; seconds, bytes and what it printed."""
        result, output = self.scratch / "result", self.scratch / "output"
        measured = [sys.executable, "-I", "-S", str(HERE / "measure.py"), str(result), str(output), *command]
        subprocess.run(measured, env=self.environment, check=True)
        found = json.loads(result.read_text())
        found["output"] = output.read_text()
        if found["status"] != 0:
            said = (output.with_suffix(".errors").read_text() + found["output"]).strip()[-600:]
            raise Wrong(f"ended with status {found['status']}: {said}")
        return found

    def task(self, contestant, task, bucket):
        """One measured run, and whether the bucket holds afterwards what it must."""
        before = corpus.tally(self.store / bucket)[2]
        found = self.measure(contestant.command(task, bucket))
        files, size, after = corpus.tally(self.store / bucket)
        if (files, size) != (self.files, self.bytes):
            raise Wrong(f"left {files} objects with {size} bytes instead of {self.files} with {self.bytes}")
        if task.endswith("again") and before != after:
            raise Wrong("wrote although nothing had changed")
        return {
            "contestant": contestant.name,
            "task": task,
            "wall": found["wall"],
            "cpu": found["user"] + found["system"],
            "peak": found["peak_kib"] * 1024,
            **(own_report(found["output"]) if contestant.name.startswith("tidegate") else {}),
        }


def own_report(output):
    """What Tidegate says itself: seconds by stage, and seconds in each plugin."""
    report = json.loads(output)
    usages = [*report["usage"], *(judgement["usage"] for judgement in report["judgements"])]
    return {
        "stages": {stage: milliseconds / 1e3 for stage, milliseconds in report["milliseconds"].items()},
        "plugins": {usage["plugin"]: usage["wall_us"] / 1e6 for usage in usages},
    }
