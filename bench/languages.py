"""The fourth part: the same plugin in each language, as `tidegate plugin new` writes it."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import machine
from harness import HERE, RunError, log

ROOT = HERE.parent
TOOLS = ROOT / ".tools/languages"
LANGUAGES = ("rust", "c", "go", "javascript", "typescript", "python")
SOURCES = {
    "rust": "src/lib.rs",
    "c": "plugin.c",
    "go": "plugin.go",
    "javascript": "plugin.js",
    "typescript": "plugin.ts",
    "python": "plugin.py",
}
# Of ten objects, seven are pages, one of a hundred of them is a draft, and one is data.
OBJECTS = 10_000
# The figures of a run that do not depend on the machine's load are equal in each; the time is the median of these runs.
RUNS = 5


def make_site(folder):
    """A site with small pages."""
    for number in range(OBJECTS):
        kind = number % 10
        suffix = "html" if kind < 7 else "json" if kind == 7 else "css"
        draft = '<meta name="draft" content="true">' if number % 100 == 3 else ""
        path = folder / f"section-{number // 250:02}" / f"page-{number:05}.{suffix}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"<!doctype html><meta charset=utf-8>{draft}<title>Page {number}</title>" + "<p>text" * 60)


def prepare(project, language):
    """Completes a project, so that it builds without downloads."""
    if language == "typescript":
        (project / "node_modules").symlink_to(TOOLS / "node_modules")
    if language == "rust":
        manifest = project / "Cargo.toml"
        sdk = f"path = {json.dumps(str(ROOT / 'plugins/sdk'))}"
        manifest.write_text(manifest.read_text().replace('git = "https://github.com/tidegate/tidegate"', sdk))
        shutil.copy(ROOT / "Cargo.lock", project)
        subprocess.run(["cargo", "update", "--workspace", "--quiet"], cwd=project, check=True)


def measure(tidegate, folder, language, rounds):
    """The figures of one language."""

    def run(*arguments):
        command = [tidegate, "--json", "plugin", *arguments]
        process = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if process.returncode != 0:
            raise RunError(f"{language}: {process.stdout}{process.stderr}"[-2000:])
        return json.loads(process.stdout)

    path = os.pathsep.join([str(TOOLS / "bin"), str(TOOLS / "node_modules/.bin"), os.environ["PATH"]])
    environment = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
    environment.update(PATH=path, XDG_CACHE_HOME=str(folder / "cache"), GOCACHE=str(folder / "cache/go"))
    run("new", language, "--lang", language)
    project = folder / language
    prepare(project, language)
    builds = []
    # The first build compiles libraries, too; the others have a changed source.
    for number in range(rounds + 1):
        source = project / SOURCES[language]
        source.write_text(source.read_text() + "\n")
        start = time.perf_counter()
        built = run("build", language, "--out", "built")[0]
        builds.append(time.perf_counter() - start)
    figures = run("bench", built["path"], "--from", "site", "--runs", str(RUNS))
    return {
        "language": language,
        "bytes": built["bytes"],
        "first_build": builds[0],
        "build": sorted(builds[1:])[rounds // 2],
        "compile": figures["compile"]["median_ns"] / 1e9,
        "fuel": figures["fuel_per_object"],
        "ns": figures["ns_per_object"],
        "memory": figures["memory_peak"],
    }


def run(binaries, rounds):
    """Measures every language; returns the figures."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as scratch:
        folder = pathlib.Path(scratch)
        (folder / "site").mkdir()
        make_site(folder / "site")
        measured = []
        for language in LANGUAGES:
            log(language)
            measured.append(measure(binaries.resolve() / "tidegate", folder, language, rounds))
    return {"date": machine.today(), "machine": machine.describe(), "objects": OBJECTS, "languages": measured}


def text(figures):
    """The table, with ratios to Rust."""
    rust = next(row for row in figures["languages"] if row["language"] == "rust")
    lines = [
        f"Measured on {figures['date']} by `scripts/bench --only languages` on {figures['machine']}. The example of",
        f"`tidegate plugin new`, a sync plugin, over {figures['objects']:,} objects, of which 70 % are pages. × is the ratio to Rust.",
        "",
        "| Language | component, KB | build, s | first build, s | compile, s | fuel an object | × | ns an object | × | memory, MiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in figures["languages"]:
        ratios = {name: row[name] / rust[name] for name in ("fuel", "ns")}
        lines.append(
            f"| `{row['language']}` | {row['bytes'] / 1e3:,.0f} | {row['build']:.1f} | {row['first_build']:.1f} "
            f"| {row['compile']:.2f} | {row['fuel']:,} | {ratios['fuel']:.2f} | {row['ns']:,} | {ratios['ns']:.2f} "
            f"| {row['memory'] / (1 << 20):.1f} |"
        )
    return "\n".join(lines) + "\n"
