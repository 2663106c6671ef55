"""The figures as Markdown: medians, their ratios to the limit, and what the project aims at."""

import statistics

LIMIT = "bare loop"
TITLES = {
    "upload": "Upload from a directory",
    "upload-again": "The same again, nothing changed",
    "copy": "Server-side copy from a staged prefix",
    "copy-again": "The same again, nothing changed",
}
# What the project aims at: ratio to the limit, bytes, nanoseconds an object in one plugin, share of a run.
AIM_RATIO, AIM_PEAK, AIM_PLUGIN, AIM_SHARE = 1.2, 64e6, 1_000, 0.05


def median(figures, contestant, task, what):
    """The median over the rounds; nothing where somebody did not finish."""
    found = [run[what] for run in figures["runs"] if (run["contestant"], run["task"]) == (contestant, task)]
    return statistics.median(found) if len(found) == figures["rounds"] else None


def least(figures, contestant, task, what):
    return min(run[what] for run in figures["runs"] if (run["contestant"], run["task"]) == (contestant, task))


def table(head, rows):
    right = " | ".join(["---"] + ["---:"] * (len(head) - 1))
    return "\n".join([f"| {' | '.join(head)} |", f"| {right} |", *(f"| {' | '.join(row)} |" for row in rows)])


def task_table(figures, task):
    """One row a contestant. A ratio compares medians."""
    rows = []
    limit = {what: median(figures, LIMIT, task, what) for what in ("wall", "cpu")}
    for name in figures["contestants"]:
        wall, cpu, peak = (median(figures, name, task, what) for what in ("wall", "cpu", "peak"))
        if wall is None:
            continue
        ratio = [f"{value / limit[what]:.2f}" if limit[what] else "" for what, value in (("wall", wall), ("cpu", cpu))]
        fastest = least(figures, name, task, "wall")
        shown = f"{name}, the limit" if name == LIMIT else f"`{name}`"
        rows.append([shown, f"{wall:.2f}", f"{fastest:.2f}", ratio[0], f"{cpu:.2f}", ratio[1], f"{peak / 1e6:.0f}"])
    head = ["", "wall, s", "least, s", "× limit", "CPU, s", "× limit", "peak, MB"]
    return f"### {TITLES[task]}\n\n{table(head, rows)}"


def short(nanoseconds):
    """A time that people can read."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.0f} ns"


def plugin_tables(figures):
    """What plugins cost once, and what they cost for each object."""
    plugins = figures["plugins"]["plugins"]
    once = [
        [f"`{one['name']}`", one["kind"], f"{one['component_bytes'] / 1024:.0f} KiB",
         *(short(one[what]) for what in ("compile_ns", "load_ns", "start_ns"))]
        for one in plugins
    ]
    each = [
        [f"`{one['name']}`", f"{run['objects']:,}", f"{run['plugin_ns'] / run['objects']:.0f} ns",
         f"{run['whole_ns'] / run['objects']:.0f} ns", f"{run['fuel'] / run['objects']:,.0f}",
         f"{run['fuel'] / run['fuel_allowed']:.1%}", f"{run['memory_peak'] / 1e6:.1f} MB"]
        for one in plugins
        for run in one["runs"]
    ]
    return "\n\n".join([
        table(["plugin", "kind", "component", "compile", "load from cache", "start and end"], once),
        table(["plugin", "objects", "in the plugin", "with the host's part", "fuel", "of the budget", "memory"], each),
    ])


def shares(figures):
    """Of each task, the median share of Tidegate's wall time that its plugins ran for, and their times."""
    rows = []
    for task in TITLES:
        runs = [run for run in figures["runs"] if (run["contestant"], run["task"]) == ("tidegate sync", task)]
        if not runs:
            continue
        share = statistics.median(sum(run["plugins"].values()) / run["wall"] for run in runs)
        parts = (
            f"`{name}` {short(statistics.median(run['plugins'][name] for run in runs) * 1e9)}"
            for name in runs[0]["plugins"]
        )
        rows.append([task, ", ".join(parts), f"{share:.1%}"])
    return table(["`tidegate sync`", "in its plugins", "share of wall"], rows)


def stages(figures):
    """Where Tidegate's time goes, by its own report."""
    rows = []
    for task in TITLES:
        runs = [run for run in figures["runs"] if (run["contestant"], run["task"]) == ("tidegate sync", task)]
        if not runs:
            continue
        names = ["open", "shape", "compare", "judge", "write"]
        cells = [statistics.median(run["stages"].get(name, 0.0) for run in runs) for name in names]
        rest = statistics.median(run["wall"] - sum(run["stages"].values()) for run in runs)
        rows.append([task, *(f"{cell:.2f}" for cell in cells), f"{rest:.2f}"])
    return table(["seconds", "open", "shape", "compare", "judge", "write", "start and end"], rows)


def aims(figures):
    """Each aim with what was measured."""
    rows = []

    def aim(words, measured, wanted, form):
        if measured is None:
            rows.append([words, form(wanted), "not measured", ""])
        else:
            rows.append([words, form(wanted), form(measured), "met" if measured <= wanted else "missed"])

    def ratio(name, task, what):
        mine, limit = median(figures, name, task, what), median(figures, LIMIT, task, what)
        return mine / limit if mine and limit else None

    def times(value):
        return f"{value:.2f}×"

    for task, words in (("upload", "upload"), ("copy", "copy")):
        for what, of in (("wall", "wall"), ("cpu", "CPU")):
            aim(f"{words}, {of} against the bare loop", ratio("tidegate sync", task, what), AIM_RATIO, times)
    for task, words in (("upload-again", "directory"), ("copy-again", "prefix")):
        for name in ("tidegate sync", "tidegate sync --content-only"):
            words_of = f"nothing changed, {words}, `{name}`, wall against the bare listing"
            aim(words_of, ratio(name, task, "wall"), AIM_RATIO, times)
    peaks = [run["peak"] for run in figures["runs"] if run["contestant"].startswith("tidegate")]
    aim("peak memory of any run", max(peaks, default=None), AIM_PEAK, lambda value: f"{value / 1e6:.0f} MB")
    slowest = [
        run["plugin_ns"] / run["objects"]
        for one in figures["plugins"]["plugins"]
        for run in one["runs"]
    ]
    aim("slowest plugin, an object", max(slowest, default=None), AIM_PLUGIN, lambda value: f"{value:.0f} ns")
    for task in TITLES:
        found = [run for run in figures["runs"] if (run["contestant"], run["task"]) == ("tidegate sync", task)]
        share = statistics.median(sum(run["plugins"].values()) / run["wall"] for run in found) if found else None
        aim(f"plugins' share of {task}", share, AIM_SHARE, lambda value: f"{value:.1%}")
    return table(["aim", "at most", "measured", ""], rows)


def other_work(share):
    """The kernel counts processors by ticks and processes exactly, so a small share may even come out below zero."""
    return "less than 1%" if share < 0.01 else f"{share:.0%}"


def text(figures):
    """All of it."""
    site = figures["corpus"]
    versions = ", ".join(f"{name} {said.removeprefix(name + ' ')}" for name, said in figures["versions"].items())
    parts = [
        f"Measured on {figures['date']} by `make bench` on {figures['machine']}. {site['files']:,} files, "
        f"{site['bytes'] / 1e6:.0f} MB: {site['about']}. Medians of {figures['rounds']} rounds. Meanwhile other "
        f"programs took {other_work(figures['other_work'])} of the processors' time.",
        f"Versions: {versions}.",
        "Flags: " + "; ".join(f"{name} `{flags}`" for name, flags in figures["flags"].items()) + ".",
    ]
    if figures["missing"]:
        parts.append(f"Not installed, so not measured: {', '.join(figures['missing'])}.")
    for problem in figures["problems"]:
        parts.append(f"`{problem['contestant']}` did not do {problem['task']}: {problem['why']}")
    parts += ["## The tasks", *(task_table(figures, task) for task in TITLES)]
    parts += ["## Where Tidegate's time goes", stages(figures)]
    parts += ["## Plugins", plugin_tables(figures), shares(figures)]
    parts += ["## The aims", aims(figures)]
    return "\n\n".join(parts) + "\n"
