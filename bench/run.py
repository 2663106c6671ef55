"""The benchmark: everybody does the same four tasks in turn, round after round, and what they used is written down.

Called by scripts/bench. Leaves figures.json and figures.md; what they mean is told in bench/README.md.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import contestants
import corpus
import machine
import tables

HERE = pathlib.Path(__file__).resolve().parent
STAGED = "staged"


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Wrong(Exception):
    """Somebody did not do what the task asks."""


class Course:
    """The site, the server and the folders that the runs go through."""

    def __init__(self, scratch, binaries):
        self.scratch, self.binaries = scratch, binaries
        self.corpus, self.store, home = scratch / "site", scratch / "store", scratch / "home"
        for folder in (self.corpus, self.store, home):
            folder.mkdir()
        self.about = corpus.make(self.corpus)
        self.files, self.bytes, _ = corpus.tally(self.corpus)
        self.environment = contestants.environment(home)
        self.server = subprocess.Popen(
            [binaries / "bench-server", self.store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.endpoint = self.server.stdout.readline().strip()
        if not self.endpoint.startswith("http://"):
            raise SystemExit("bench: the server does not start")

    def close(self):
        self.server.stdin.close()
        self.server.wait(timeout=60)

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


def round_of(course, everybody, number, problems):
    """Everybody does every task once, in another order each round."""
    leaders = [one for one in everybody if one.follows == one.name]
    turn = number % len(leaders)
    runs = []
    for leader in leaders[turn:] + leaders[:turn]:
        team = [one for one in everybody if one.follows == leader.name]
        for pair in (contestants.TASKS[:2], contestants.TASKS[2:]):
            bucket = course.bucket(f"{pair[0]}-{leader.name.split()[0]}-{number}")
            for task in pair:
                for one in team:
                    if task not in one.only or (one.name, task) in problems:
                        continue
                    try:
                        runs.append({"round": number, **course.task(one, task, bucket)})
                    except Wrong as wrong:
                        problems[(one.name, task)] = str(wrong)
                        say(f"{one.name}, {task}: {wrong}")
            shutil.rmtree(course.store / bucket)
    return runs


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--binaries", type=pathlib.Path, required=True)
    parser.add_argument("--peers", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    if wanted.rounds < 3:
        parser.error("a median needs 3 rounds")
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as scratch:
        course = Course(pathlib.Path(scratch), wanted.binaries)
        try:
            figures = compete(course, wanted)
        finally:
            course.close()
    wanted.out.mkdir(parents=True, exist_ok=True)
    (wanted.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    text = tables.text(figures)
    (wanted.out / "figures.md").write_text(text)
    print(text, end="")
    say(f"also in {os.path.relpath(wanted.out)}/figures.md and figures.json")
    return 1 if any(problem["contestant"].startswith(("bare", "tidegate")) for problem in figures["problems"]) else 0


def used(course):
    """Seconds of the clock, of all processors, and of those that worked for the benchmark, its server included."""
    times = os.times()
    ours = times.user + times.system + times.children_user + times.children_system
    return times.elapsed, machine.busy(), ours + machine.process_seconds(course.server.pid)


def compete(course, wanted):
    """Everything that is measured, as one value."""
    everybody, missing = contestants.all_of(
        wanted.binaries, wanted.peers, course.endpoint, course.corpus, course.bucket(STAGED)
    )
    say(f"{course.files} files, {course.bytes / 1e6:.0f} MB: {course.about}")
    for name in missing:
        say(f"{name} is not installed and left out")
    course.measure(everybody[0].command(contestants.UPLOAD, STAGED))
    problems, runs = {}, []
    say("round 0 warms everything up and does not count")
    round_of(course, everybody, 0, problems)
    before = used(course)
    for number in range(1, wanted.rounds + 1):
        say(f"round {number} of {wanted.rounds}")
        runs += round_of(course, everybody, number, problems)
    elapsed, busy, ours = (after - start for after, start in zip(used(course), before))
    say("plugins")
    plugins = subprocess.run(
        [wanted.binaries / "plugin-figures", course.corpus], capture_output=True, text=True, check=True
    )
    return {
        "date": machine.today(),
        "machine": machine.describe(),
        "versions": machine.versions(everybody, HERE / "Cargo.lock"),
        "corpus": {"about": course.about, "files": course.files, "bytes": course.bytes},
        "rounds": wanted.rounds,
        "other_work": max(busy - ours, 0) / (elapsed * os.cpu_count()),
        "flags": {one.name: one.flags for one in everybody if one.flags},
        "missing": missing,
        "problems": [{"contestant": name, "task": task, "why": why} for (name, task), why in problems.items()],
        "contestants": [one.name for one in everybody],
        "runs": runs,
        "plugins": json.loads(plugins.stdout),
    }


if __name__ == "__main__":
    sys.exit(main())
