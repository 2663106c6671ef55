"""The figures of the second part as Markdown: a site with releases compared with the bare listing, and millions of objects."""

from releases import BASELINE, EVERY, FEW, GENERATED, LATENCY, MANY
from tables import GOAL_RATIO, other_work, table

# Goals: bytes of memory for generated sites that are not replaced as a whole, by objects.
GOALS_GENERATED = {1_000_000: 512e6, 5_000_000: 1300e6}
TITLES = {
    "prefix": "From a staged prefix; the bare listing lists both sides too",
    "directory": "From a directory; Tidegate reads and hashes every file, the bare listing only walks them",
}


def minimum(runs, what, value):
    """The minimum of the rounds."""
    return min(run[value] for run in runs if run["what"] == what)


def total_requests(run):
    """The number of requests of a run."""
    return sum(run["requests"].values())


def list_requests(requests):
    """The requests by operation, as text."""
    return ", ".join(f"{count:,} {name}" for name, count in sorted(requests.items(), key=lambda one: (-one[1], one[0])))


def unchanged_table(part):
    """One row per command. Ratios are those of minimums."""
    runs, rows = part["runs"], []
    for name in dict.fromkeys(run["what"] for run in runs):
        wall, cpu = minimum(runs, name, "wall"), minimum(runs, name, "cpu")
        last = [run for run in runs if run["what"] == name][-1]
        rows.append([
            f"{name} (baseline)" if name == BASELINE else f"`{name}`",
            f"{wall:.2f}", f"{wall / minimum(runs, BASELINE, 'wall'):.2f}", f"{cpu:.2f}",
            f"{max(run['peak'] for run in runs if run['what'] == name) / 1e6:.0f}",
            f"{total_requests(last)}", list_requests(last["requests"]),
        ])
    head = ["", "wall, s", "× baseline", "CPU, s", "peak, MB", "requests", "by operation"]
    latency = f"with {part['latency']} ms latency per request" if part["latency"] else "without latency"
    return f"### {TITLES[part['site']]}; {latency}\n\n{table(head, rows)}"


def stage_table(figures):
    """The time of a plan without changes by stage, from the report of Tidegate."""
    names = ["open", "transform", "inspect", "review"]
    rows = []
    for part in figures["unchanged"]:
        for what in ("tidegate plan", "tidegate plan --trust-manifest"):
            runs = [run for run in part["runs"] if run["what"] == what]
            fastest = min(runs, key=lambda run: run["wall"])
            cells = [f"{fastest['stages'].get(name, 0.0):.2f}" for name in names]
            rest = fastest["wall"] - sum(fastest["stages"].values())
            rows.append([f"`{what}`, {part['site']}, {part['latency']} ms", *cells, f"{rest:.2f}"])
    return table(["seconds", *names, "start and end"], rows)


def first_table(figures):
    rows = [
        [run["site"], f"{run['wall']:.1f}", f"{run['cpu']:.1f}", f"{run['peak'] / 1e6:.0f}", f"{total_requests(run):,}",
         list_requests(run["requests"])]
        for run in figures["first"]
    ]
    return table(["source", "wall, s", "CPU, s", "peak, MB", "requests", "by operation"], rows)


def slopes(figures):
    """Requests per changed object and per run, by the earlier releases that are kept."""
    found = {}
    for kept in dict.fromkeys(run["kept"] for run in figures["changed"]):
        few, many = (total_requests(run) for run in figures["changed"] if run["kept"] == kept)
        slope = (many - few) / (MANY - FEW)
        found[kept] = (slope, few - slope * FEW)
    return found


def changed_table(figures):
    by_changed = {(run["kept"], run["changed"]): run for run in figures["changed"]}
    rows = []
    for kept, (slope, constant) in slopes(figures).items():
        for count in (FEW, MANY):
            run = by_changed[(kept, count)]
            rows.append([kept, f"{count:,}", f"{total_requests(run):,}", list_requests(run["requests"]), "", ""])
        rows[-1][-2:] = [f"{slope:.2f}", f"{constant:.0f}"]
    return table(["earlier releases kept", "files changed", "requests", "by operation", "per object", "per run"], rows)


def generated_title(run):
    titles = {"nothing": "first publish", "results": "first publish, written by workers"}
    if run["history"] in titles:
        return f"{titles[run['history']]}, without plugins"
    how = "with `mime` and `headers`" if run["plugins"] else "without plugins"
    what = f"{run['operations']:,} changed" if run["operations"] else "nothing changed"
    return f"{what}, {how}"


def generated_overview(figures):
    """Time and memory of each run."""
    rows = [
        [f"{run['objects']:,}", generated_title(run), f"{run['manifest'] / 1e6:.0f}", f"{seconds(run):.1f}",
         f"{run['peak'] / 1e6:.0f}", f"{run['steps'][-1]['resident'] / 1e6:.0f}"]
        for run in figures["generated"]
    ]
    return table(["objects", "", "manifest, MB", "seconds", "peak, MB", "resident afterwards, MB"], rows)


def million_tables(figures):
    """Time and memory by step, of the smallest site."""
    tables = []
    for run in figures["generated"]:
        if run["objects"] != min(GENERATED):
            continue
        rows = [
            [step["step"], f"{step['seconds']:.2f}", f"{step['resident'] / 1e6:.0f}", f"{step['peak'] / 1e6:.0f}"]
            for step in run["steps"]
        ]
        rows.append(["total", f"{seconds(run):.2f}", "", f"{run['peak'] / 1e6:.0f}"])
        tables.append(f"### {run['objects']:,} objects, {generated_title(run)}\n\n"
                      + table(["step", "seconds", "resident memory, MB", "peak memory, MB"], rows))
    return "\n\n".join(tables)


def seconds(run):
    return sum(step["seconds"] for step in run["steps"])


def goals(figures):
    rows = []

    def goal(name, measured, limit, form):
        rows.append([name, form(limit), form(measured), "met" if measured <= limit else "missed"])

    for part in figures["unchanged"]:
        for what in ("tidegate plan", "tidegate plan --trust-manifest"):
            runs, where = part["runs"], f"{part['site']}, {part['latency']} ms"
            ratio = minimum(runs, what, "wall") / minimum(runs, BASELINE, "wall")
            label = f"nothing changed, {where}, `{what}`, wall compared with the bare listing"
            goal(label, ratio, GOAL_RATIO, "{:.2f}×".format)
    for kept, (slope, _) in slopes(figures).items():
        goal(f"requests per changed object, earlier releases kept: {kept}", slope, 1.0, "{:.2f}".format)
    for run in figures["generated"]:
        if run["history"] == "manifest" and run["operations"] < run["objects"]:
            label = f"peak memory for {run['objects']:,} objects, {generated_title(run)}"
            goal(label, run["peak"], GOALS_GENERATED[run["objects"]], lambda value: f"{value / 1e6:.0f} MB")
    return table(["goal", "at most", "measured", ""], rows)


def text(figures):
    """The whole page."""
    parts = [
        f"Measured on {figures['date']} by `scripts/bench --only releases` on {figures['machine']}. "
        f"{figures['files']:,} files, {figures['bytes'] / 1e6:.0f} MB: {figures['description']}. Minimums of "
        f"{figures['rounds']} rounds; of memory, maximums. Other programs used {other_work(figures['other_work'])} of the "
        "CPU time.",
        "## Nothing changed",
        *(unchanged_table(part) for part in figures["unchanged"]),
        f"## Stages\n\nOf the fastest round, without latency and with {LATENCY} ms latency per request.",
        stage_table(figures),
        "## First publish",
        first_table(figures),
        "## Requests for changed objects",
        changed_table(figures),
        f"## Millions of objects\n\nOne object in {EVERY} has changed, or all, or none.",
        generated_overview(figures),
        million_tables(figures),
        "## Goals",
        goals(figures),
    ]
    return "\n\n".join(parts) + "\n"
