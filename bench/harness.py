"""The harness of all parts: a site, a server, fresh folders, and measured runs of commands."""

import json
import pathlib
import subprocess
import sys

import corpus
import tools

HERE = pathlib.Path(__file__).resolve().parent


def log(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


class RunError(Exception):
    """A command failed, or did not do its task."""


class Harness:
    """A site, a server and folders."""

    def __init__(self, scratch, binaries, make, *server):
        self.scratch, self.binaries = scratch, binaries
        self.corpus, self.store, home = scratch / "site", scratch / "store", scratch / "home"
        for folder in (self.corpus, self.store, home):
            folder.mkdir()
        self.description = make(self.corpus)
        self.files, self.bytes, _ = corpus.tally(self.corpus)
        self.environment = tools.environment(home)
        self.server = subprocess.Popen(
            [binaries / "bench-server", self.store, *server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.endpoint = self.server.stdout.readline().strip()
        if not self.endpoint.startswith("http://"):
            raise SystemExit("bench: the server did not start")

    def close(self):
        self.server.stdin.close()
        self.server.wait(timeout=60)

    def requests(self, latency=""):
        """Requests by operation since the last call. `latency` sets the delay of each following request, in milliseconds."""
        self.server.stdin.write(f"{latency}\n")
        self.server.stdin.flush()
        return json.loads(self.server.stdout.readline())

    def create_bucket(self, name):
        self.measure([str(self.binaries / "bare-loop"), "create", self.endpoint, name])
        return name

    def measure(self, command):
        """Runs a command; returns seconds, bytes and output."""
        result, output = self.scratch / "result", self.scratch / "output"
        wrapped = [sys.executable, "-I", "-S", str(HERE / "measure.py"), str(result), str(output), *command]
        subprocess.run(wrapped, env=self.environment, check=True)
        found = json.loads(result.read_text())
        found["output"] = output.read_text()
        if found["status"] != 0:
            text = (output.with_suffix(".errors").read_text() + found["output"]).strip()[-600:]
            raise RunError(f"exited with {found['status']}: {text}")
        return found

    def run_task(self, tool, task, bucket):
        """Measures a task, and checks the bucket afterwards."""
        before = corpus.tally(self.store / bucket)[2]
        found = self.measure(tool.command(task, bucket))
        files, size, after = corpus.tally(self.store / bucket)
        if (files, size) != (self.files, self.bytes):
            raise RunError(f"the bucket has {files} objects with {size} bytes, not {self.files} with {self.bytes}")
        if task.endswith("again") and before != after:
            raise RunError("objects were written although nothing had changed")
        return {
            "tool": tool.name,
            "task": task,
            "wall": found["wall"],
            "cpu": found["user"] + found["system"],
            "peak": found["peak_kib"] * 1024,
            **(tidegate_report(found["output"]) if tool.name.startswith("tidegate") else {}),
        }


def tidegate_report(output):
    """Seconds by stage and by plugin, from the report of Tidegate."""
    report = json.loads(output)
    usages = [*report["usage"], *(judgement["usage"] for judgement in report["judgements"])]
    return {
        "stages": {stage: milliseconds / 1e3 for stage, milliseconds in report["milliseconds"].items()},
        "plugins": {usage["plugin"]: usage["wall_us"] / 1e6 for usage in usages},
    }
