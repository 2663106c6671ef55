"""The figures of the first part as Markdown: medians, their ratios to the baseline, and the goals."""

import statistics

BASELINE = "bare loop"
TITLES = {
    "upload": "Upload from a directory",
    "upload-again": "Upload again, nothing changed",
    "copy": "Server-side copy from a staged prefix",
    "copy-again": "Copy again, nothing changed",
}
# Goals: ratio to the baseline, bytes of memory, nanoseconds per object in one plugin, share of plugins in a run.
GOAL_RATIO, GOAL_PEAK, GOAL_PLUGIN, GOAL_SHARE = 1.2, 64e6, 1_000, 0.05
# Stages in the report of Tidegate.
STAGES = ["open", "transform", "inspect", "review", "write"]


def median(figures, tool, task, what):
    """The median of the rounds; None if a tool did not complete all of them."""
    found = [run[what] for run in figures["runs"] if (run["tool"], run["task"]) == (tool, task)]
    return statistics.median(found) if len(found) == figures["rounds"] else None


def minimum(figures, tool, task, what):
    return min(run[what] for run in figures["runs"] if (run["tool"], run["task"]) == (tool, task))


def table(head, rows):
    right = " | ".join(["---"] + ["---:"] * (len(head) - 1))
    return "\n".join([f"| {' | '.join(head)} |", f"| {right} |", *(f"| {' | '.join(row)} |" for row in rows)])


def task_table(figures, task):
    """One row per tool. Ratios are those of medians."""
    rows = []
    baseline = {what: median(figures, BASELINE, task, what) for what in ("wall", "cpu")}
    for name in figures["tools"]:
        wall, cpu, peak = (median(figures, name, task, what) for what in ("wall", "cpu", "peak"))
        if wall is None:
            continue
        ratio = [f"{value / baseline[what]:.2f}" if baseline[what] else "" for what, value in (("wall", wall), ("cpu", cpu))]
        fastest = minimum(figures, name, task, "wall")
        shown = f"{name} (baseline)" if name == BASELINE else f"`{name}`"
        rows.append([shown, f"{wall:.2f}", f"{fastest:.2f}", ratio[0], f"{cpu:.2f}", ratio[1], f"{peak / 1e6:.0f}"])
    head = ["", "wall, s", "minimum, s", "× baseline", "CPU, s", "× baseline", "peak, MB"]
    return f"### {TITLES[task]}\n\n{table(head, rows)}"


def short(nanoseconds):
    """A time with a suitable unit."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.0f} ns"


def plugin_tables(figures):
    """The cost of plugins per run and per object."""
    plugins = figures["plugins"]["plugins"]
    per_run = [
        [f"`{one['name']}`", one["kind"], f"{one['component_bytes'] / 1024:.0f} KiB",
         *(short(one[what]) for what in ("compile_ns", "load_ns", "start_ns"))]
        for one in plugins
    ]
    per_object = [
        [f"`{one['name']}`", f"{run['objects']:,}", f"{run['plugin_ns'] / run['objects']:.0f} ns",
         f"{run['whole_ns'] / run['objects']:.0f} ns", f"{run['fuel'] / run['objects']:,.0f}",
         f"{run['fuel'] / run['fuel_allowed']:.1%}", f"{run['memory_peak'] / 1e6:.1f} MB"]
        for one in plugins
        for run in one["runs"]
    ]
    chain = figures["plugins"]["chain"]
    parts = ", ".join(
        f"`{one['name']}` {one['plugin_ns'] / chain['objects']:.0f} ns" for one in chain["plugins"]
    )
    return "\n\n".join([
        table(["plugin", "kind", "component", "compile", "load from cache", "start and end"], per_run),
        table(["plugin", "objects", "in the plugin", "with the host", "fuel", "of the budget", "memory"], per_object),
        table(["plugins in a chain, without reads", "objects", "time"],
              [[parts, f"{chain['objects']:,}", short(chain["whole_ns"])]]),
    ])


def shares(figures):
    """The median share of plugins in the wall time of Tidegate, and the time of each plugin, by task."""
    rows = []
    for task in TITLES:
        runs = [run for run in figures["runs"] if (run["tool"], run["task"]) == ("tidegate sync", task)]
        if not runs:
            continue
        share = statistics.median(sum(run["plugins"].values()) / run["wall"] for run in runs)
        parts = (
            f"`{name}` {short(statistics.median(run['plugins'][name] for run in runs) * 1e9)}"
            for name in runs[0]["plugins"]
        )
        rows.append([task, ", ".join(parts), f"{share:.1%}"])
    return table(["`tidegate sync`", "plugins", "share of wall"], rows)


def stages(figures):
    """The time of Tidegate by stage, from its report."""
    rows = []
    for task in TITLES:
        runs = [run for run in figures["runs"] if (run["tool"], run["task"]) == ("tidegate sync", task)]
        if not runs:
            continue
        cells = [statistics.median(run["stages"].get(name, 0.0) for run in runs) for name in STAGES]
        rest = statistics.median(run["wall"] - sum(run["stages"].values()) for run in runs)
        rows.append([task, *(f"{cell:.2f}" for cell in cells), f"{rest:.2f}"])
    return table(["seconds", *STAGES, "start and end"], rows)


def goals(figures):
    """Each goal with the measured value."""
    rows = []

    def goal(name, measured, limit, form):
        if measured is None:
            rows.append([name, form(limit), "not measured", ""])
        else:
            rows.append([name, form(limit), form(measured), "met" if measured <= limit else "missed"])

    def ratio(name, task, what):
        own, baseline = median(figures, name, task, what), median(figures, BASELINE, task, what)
        return own / baseline if own and baseline else None

    def times(value):
        return f"{value:.2f}×"

    for task in ("upload", "copy"):
        for what, label in (("wall", "wall"), ("cpu", "CPU")):
            goal(f"{task}, {label} compared with the bare loop", ratio("tidegate sync", task, what), GOAL_RATIO, times)
    for task, source in (("upload-again", "directory"), ("copy-again", "prefix")):
        for name in ("tidegate sync", "tidegate sync --content-only"):
            label = f"nothing changed, {source}, `{name}`, wall compared with the bare listing"
            goal(label, ratio(name, task, "wall"), GOAL_RATIO, times)
    peaks = [run["peak"] for run in figures["runs"] if run["tool"].startswith("tidegate")]
    goal("peak memory of any run", max(peaks, default=None), GOAL_PEAK, lambda value: f"{value / 1e6:.0f} MB")
    slowest = [
        run["plugin_ns"] / run["objects"]
        for one in figures["plugins"]["plugins"]
        for run in one["runs"]
    ]
    goal("slowest plugin, per object", max(slowest, default=None), GOAL_PLUGIN, lambda value: f"{value:.0f} ns")
    for task in TITLES:
        found = [run for run in figures["runs"] if (run["tool"], run["task"]) == ("tidegate sync", task)]
        share = statistics.median(sum(run["plugins"].values()) / run["wall"] for run in found) if found else None
        goal(f"share of plugins in {task}", share, GOAL_SHARE, lambda value: f"{value:.1%}")
    return table(["goal", "at most", "measured", ""], rows)


def other_work(share):
    """A share in percent. The kernel counts processors in ticks and processes exactly, so small shares are imprecise."""
    return "less than 1%" if share < 0.01 else f"{share:.0%}"


def text(figures):
    """The whole page."""
    site = figures["corpus"]
    versions = ", ".join(f"{name} {version.removeprefix(name + ' ')}" for name, version in figures["versions"].items())
    parts = [
        f"Measured on {figures['date']} by `make bench` on {figures['machine']}. {site['files']:,} files, "
        f"{site['bytes'] / 1e6:.0f} MB: {site['description']}. Medians of {figures['rounds']} rounds. Other programs used "
        f"{other_work(figures['other_work'])} of the CPU time.",
        f"Versions: {versions}.",
        "Flags: " + "; ".join(f"{name} `{flags}`" for name, flags in figures["flags"].items()) + ".",
    ]
    if figures["missing"]:
        parts.append(f"Not installed: {', '.join(figures['missing'])}.")
    for problem in figures["problems"]:
        parts.append(f"`{problem['tool']}` failed at {problem['task']}: {problem['why']}")
    parts += ["## Tasks", *(task_table(figures, task) for task in TITLES)]
    parts += ["## Stages", stages(figures)]
    parts += ["## Plugins", plugin_tables(figures), shares(figures)]
    parts += ["## Goals", goals(figures)]
    return "\n\n".join(parts) + "\n"
