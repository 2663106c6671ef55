"""The benchmark: everybody does the same four tasks in turn, round after round, and what they used is written down.

Called by scripts/bench. Leaves figures.json and figures.md, releases.json and releases.md of the second part, and
function.json and function.md of the third; what they mean is told in bench/README.md.
"""

import argparse
import contextlib
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
import function
import function_tables
import machine
import release_tables
import releases
import tables
from course import HERE, Course, Wrong, say

STAGED = "staged"


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
    parser.add_argument("--only", choices=["tools", "releases", "function"], help="one part; all where absent")
    wanted = parser.parse_args()
    if wanted.rounds < 3:
        parser.error("a median needs 3 rounds")
    wanted.out.mkdir(parents=True, exist_ok=True)
    failed = False
    if wanted.only in (None, "tools"):
        with course_of(wanted, corpus.make) as course:
            figures = compete(course, wanted)
        keep(wanted, "figures", figures, tables.text(figures))
        failed = any(problem["contestant"].startswith(("bare", "tidegate")) for problem in figures["problems"])
    if wanted.only in (None, "releases"):
        with course_of(wanted, corpus.make_large, "indexed") as course:
            before = used(course)
            figures = {**about(), **releases.run(course, wanted.rounds), "other_work": other_work(course, before)}
        keep(wanted, "releases", figures, release_tables.text(figures))
    if wanted.only in (None, "function"):
        with course_of(wanted, corpus.make_large, "indexed") as course:
            before = used(course)
            figures = {**about(), **function.run(course, wanted.rounds), "other_work": other_work(course, before)}
        keep(wanted, "function", figures, function_tables.text(figures))
    return 1 if failed else 0


@contextlib.contextmanager
def course_of(wanted, make, *server):
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as scratch:
        course = Course(pathlib.Path(scratch), wanted.binaries, make, *server)
        try:
            yield course
        finally:
            course.close()


def keep(wanted, name, figures, text):
    """Writes figures down, for machines and for people."""
    (wanted.out / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n")
    (wanted.out / f"{name}.md").write_text(text)
    print(text, end="")
    say(f"also in {os.path.relpath(wanted.out)}/{name}.md and {name}.json")


def about():
    """When and where."""
    return {"date": machine.today(), "machine": machine.describe()}


def used(course):
    """Seconds of the clock, of all processors, and of those that worked for the benchmark, its server included."""
    times = os.times()
    ours = times.user + times.system + times.children_user + times.children_system
    return times.elapsed, machine.busy(), ours + machine.process_seconds(course.server.pid)


def other_work(course, before):
    """The share of all processors that went to others since `before`."""
    elapsed, busy, ours = (after - start for after, start in zip(used(course), before))
    return max(busy - ours, 0) / (elapsed * os.cpu_count())


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
    others = other_work(course, before)
    say("plugins")
    plugins = subprocess.run(
        [wanted.binaries / "plugin-figures", course.corpus], capture_output=True, text=True, check=True
    )
    return {
        **about(),
        "versions": machine.versions(everybody, HERE / "Cargo.lock"),
        "corpus": {"about": course.about, "files": course.files, "bytes": course.bytes},
        "rounds": wanted.rounds,
        "other_work": others,
        "flags": {one.name: one.flags for one in everybody if one.flags},
        "missing": missing,
        "problems": [{"contestant": name, "task": task, "why": why} for (name, task), why in problems.items()],
        "contestants": [one.name for one in everybody],
        "runs": runs,
        "plugins": json.loads(plugins.stdout),
    }


if __name__ == "__main__":
    sys.exit(main())
