"""Runs the benchmark. Called by scripts/bench.

Writes figures, releases, function, large and languages, as .json and .md, to the output directory. README.md describes the method.
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

import corpus
import function
import function_tables
import languages
import large
import machine
import release_tables
import releases
import tables
import tools
from harness import HERE, Harness, RunError, log

STAGED = "staged"


def run_round(harness, all_tools, number, problems):
    """Runs every task with every tool once, in another order each round."""
    leaders = [tool for tool in all_tools if tool.buckets_of == tool.name]
    first = number % len(leaders)
    runs = []
    for leader in leaders[first:] + leaders[:first]:
        group = [tool for tool in all_tools if tool.buckets_of == leader.name]
        for pair in (tools.TASKS[:2], tools.TASKS[2:]):
            bucket = harness.create_bucket(f"{pair[0]}-{leader.name.split()[0]}-{number}")
            for task in pair:
                for tool in group:
                    if task not in tool.tasks or (tool.name, task) in problems:
                        continue
                    try:
                        runs.append({"round": number, **harness.run_task(tool, task, bucket)})
                    except RunError as error:
                        problems[(tool.name, task)] = str(error)
                        log(f"{tool.name}, {task}: {error}")
            shutil.rmtree(harness.store / bucket)
    return runs


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--binaries", type=pathlib.Path, required=True)
    parser.add_argument("--bootstrap", type=pathlib.Path, required=True)
    parser.add_argument("--peers", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["tools", "releases", "function", "large", "languages"], help="one part; all if absent")
    parser.add_argument("--objects", type=int, default=5_000, help="objects of the part `large`")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8], help="workers of the part `large`")
    parser.add_argument("--lease-seconds", type=int, default=10, help="the lease of sites of the part `large`")
    parser.add_argument("--dev", action="store_true", help="measure the part `large` with unoptimized binaries")
    options = parser.parse_args()
    if options.dev and options.only != "large":
        parser.error("`--dev` needs `--only large`")
    if options.rounds < 3 and options.only != "large":
        parser.error("a median needs at least 3 rounds")
    options.out.mkdir(parents=True, exist_ok=True)
    failed = False
    if options.only in (None, "tools"):
        with open_harness(options, corpus.make) as harness:
            figures = compare_tools(harness, options)
        write_figures(options, "figures", figures, tables.text(figures))
        failed = any(problem["tool"].startswith(("bare", "tidegate")) for problem in figures["problems"])
    if options.only in (None, "releases"):
        with open_harness(options, corpus.make_large, "indexed") as harness:
            before = cpu_usage(harness)
            measured = releases.run(harness, options.rounds)
            figures = {**date_and_machine(), **measured, "other_work": other_work(harness, before)}
        write_figures(options, "releases", figures, release_tables.text(figures))
    if options.only in (None, "function"):
        with open_harness(options, corpus.make_large, "indexed") as harness:
            before = cpu_usage(harness)
            measured = function.run(harness, options.rounds)
            figures = {**date_and_machine(), **measured, "other_work": other_work(harness, before)}
        write_figures(options, "function", figures, function_tables.text(figures))
    if options.only in (None, "large"):
        figures = {**date_and_machine(), "command": command(options), **measure_large(options)}
        write_figures(options, "large", figures, large.text(figures))
    if options.only in (None, "languages"):
        figures = languages.run(options.binaries, options.rounds)
        write_figures(options, "languages", figures, languages.text(figures))
    return 1 if failed else 0


@contextlib.contextmanager
def open_harness(options, make, *server):
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as scratch:
        harness = Harness(pathlib.Path(scratch), options.binaries, make, *server)
        try:
            yield harness
        finally:
            harness.close()


def measure_large(options):
    """Measures the state machine, with the share of the processors that other programs have used."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as scratch:
        return large.run(pathlib.Path(scratch), options)


def command(options):
    """The command that repeats the part `large`."""
    workers = " ".join(str(number) for number in options.workers)
    dev = " --dev" if options.dev else ""
    lease = f" --lease-seconds {options.lease_seconds}"
    return f"scripts/bench --only large --rounds {options.rounds} --objects {options.objects} --workers {workers}{lease}{dev}"


def write_figures(options, name, figures, text):
    """Writes figures as JSON and as Markdown."""
    (options.out / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n")
    (options.out / f"{name}.md").write_text(text)
    print(text, end="")
    log(f"written to {os.path.relpath(options.out)}/{name}.md and {name}.json")


def date_and_machine():
    return {"date": machine.today(), "machine": machine.describe()}


def cpu_usage(harness):
    """Elapsed seconds, CPU seconds of all programs, and CPU seconds of the benchmark with its server."""
    times = os.times()
    ours = times.user + times.system + times.children_user + times.children_system
    return times.elapsed, machine.busy_seconds(), ours + machine.process_seconds(harness.server.pid)


def other_work(harness, before):
    """The share of all processors that other programs have used since `before`."""
    elapsed, busy, ours = (after - start for after, start in zip(cpu_usage(harness), before))
    return max(busy - ours, 0) / (elapsed * os.cpu_count())


def compare_tools(harness, options):
    """Measures all tools and the plugins; returns the figures."""
    all_tools, missing = tools.all_tools(
        options.binaries, options.peers, harness.endpoint, harness.corpus, harness.create_bucket(STAGED)
    )
    log(f"{harness.files} files, {harness.bytes / 1e6:.0f} MB: {harness.description}")
    for name in missing:
        log(f"{name} is not installed; skipped")
    harness.measure(all_tools[0].command(tools.UPLOAD, STAGED))
    problems, runs = {}, []
    log("warm-up round")
    run_round(harness, all_tools, 0, problems)
    before = cpu_usage(harness)
    for number in range(1, options.rounds + 1):
        log(f"round {number} of {options.rounds}")
        runs += run_round(harness, all_tools, number, problems)
    others = other_work(harness, before)
    log("plugins")
    plugins = subprocess.run(
        [options.binaries / "plugin-figures", harness.corpus], capture_output=True, text=True, check=True
    )
    return {
        **date_and_machine(),
        "versions": machine.versions(all_tools, HERE.parent / "Cargo.lock"),
        "corpus": {"description": harness.description, "files": harness.files, "bytes": harness.bytes},
        "rounds": options.rounds,
        "other_work": others,
        "flags": {tool.name: tool.flags for tool in all_tools if tool.flags},
        "missing": missing,
        "problems": [{"tool": name, "task": task, "why": why} for (name, task), why in problems.items()],
        "tools": [tool.name for tool in all_tools],
        "runs": runs,
        "plugins": json.loads(plugins.stdout),
    }


if __name__ == "__main__":
    sys.exit(main())
