"""The second part's figures as Markdown: what a site with releases costs beside the bare listing, and a million objects."""

from releases import EVERY, FEW, LATENCY, LIMIT, MANY
from tables import AIM_RATIO, other_work, table

# What the project aims at besides: bytes for a million objects.
AIM_MILLION = 512e6
TITLES = {
    "prefix": "From a staged prefix: both sides are listed, as the bare listing does",
    "directory": "From a directory: every file is read and digested, the bare listing only walks them",
}


def least(runs, what, value):
    """The least of the rounds."""
    return min(run[value] for run in runs if run["what"] == what)


def asked(run):
    """Requests of a run, in all."""
    return sum(run["requests"].values())


def named(requests):
    """Requests by operation."""
    return ", ".join(f"{count:,} {name}" for name, count in sorted(requests.items(), key=lambda one: (-one[1], one[0])))


def unchanged_table(part):
    """One row a command. Ratios compare the least of the rounds."""
    runs, rows = part["runs"], []
    for name in dict.fromkeys(run["what"] for run in runs):
        wall, cpu = least(runs, name, "wall"), least(runs, name, "cpu")
        last = [run for run in runs if run["what"] == name][-1]
        rows.append([
            f"{name}, the limit" if name == LIMIT else f"`{name}`",
            f"{wall:.2f}", f"{wall / least(runs, LIMIT, 'wall'):.2f}", f"{cpu:.2f}",
            f"{max(run['peak'] for run in runs if run['what'] == name) / 1e6:.0f}",
            f"{asked(last)}", named(last["requests"]),
        ])
    head = ["", "wall, s", "× limit", "CPU, s", "peak, MB", "requests", "which"]
    latency = f"each request waits {part['latency']} ms first" if part["latency"] else "loopback, no latency"
    return f"### {TITLES[part['site']]}; {latency}\n\n{table(head, rows)}"


def stage_table(figures):
    """Where the time of an unchanged plan goes, by Tidegate's own report."""
    names = ["open", "shape", "compare", "judge"]
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
        [run["site"], f"{run['wall']:.1f}", f"{run['cpu']:.1f}", f"{run['peak'] / 1e6:.0f}", f"{asked(run):,}",
         named(run["requests"])]
        for run in figures["first"]
    ]
    return table(["source", "wall, s", "CPU, s", "peak, MB", "requests", "which"], rows)


def slopes(figures):
    """Requests for each changed object and for a run as a whole, by how earlier releases are kept."""
    found = {}
    for words in dict.fromkeys(run["kept"] for run in figures["changed"]):
        few, many = (asked(run) for run in figures["changed"] if run["kept"] == words)
        slope = (many - few) / (MANY - FEW)
        found[words] = (slope, few - slope * FEW)
    return found


def changed_table(figures):
    by_changed = {(run["kept"], run["changed"]): run for run in figures["changed"]}
    rows = []
    for words, (slope, constant) in slopes(figures).items():
        for count in (FEW, MANY):
            run = by_changed[(words, count)]
            rows.append([words, f"{count:,}", f"{asked(run):,}", named(run["requests"]), "", ""])
        rows[-1][-2:] = [f"{slope:.2f}", f"{constant:.0f}"]
    return table(["earlier releases kept", "files changed", "requests", "which", "an object", "a run"], rows)


def million_tables(figures):
    """Time and memory by step."""
    tables = []
    for run in figures["generated"]["runs"]:
        how = "headers by `mime` and `headers`" if run["plugins"] else "headers by the benchmark itself"
        what = f"{run['operations']:,} changed" if run["operations"] else "nothing changed"
        rows = [
            [step["step"], f"{step['seconds']:.2f}", f"{step['resident'] / 1e6:.0f}", f"{step['peak'] / 1e6:.0f}"]
            for step in run["steps"]
        ]
        rows.append(["all", f"{seconds(run):.2f}", "", f"{run['peak'] / 1e6:.0f}"])
        tables.append(f"### {run['objects']:,} objects, {what}, {how}\n\n"
                      + table(["step", "seconds", "resident after it, MB", "peak so far, MB"], rows))
    return "\n\n".join(tables)


def seconds(run):
    return sum(step["seconds"] for step in run["steps"])


def aims(figures):
    rows = []

    def aim(words, measured, wanted, form):
        rows.append([words, form(wanted), form(measured), "met" if measured <= wanted else "missed"])

    for part in figures["unchanged"]:
        for what in ("tidegate plan", "tidegate plan --trust-manifest"):
            runs, where = part["runs"], f"{part['site']}, {part['latency']} ms"
            ratio = least(runs, what, "wall") / least(runs, LIMIT, "wall")
            aim(f"nothing changed, {where}, `{what}`, wall against the bare listing", ratio, AIM_RATIO, "{:.2f}×".format)
    for words, (slope, _) in slopes(figures).items():
        aim(f"requests a changed object, earlier releases kept: {words}", slope, 1.0, "{:.2f}".format)
    for run in figures["generated"]["runs"]:
        how = "with plugins" if run["plugins"] else "without plugins"
        aim(f"peak of {run['objects']:,} objects, {run['operations']:,} changed, {how}", run["peak"], AIM_MILLION,
            lambda value: f"{value / 1e6:.0f} MB")
    return table(["aim", "at most", "measured", ""], rows)


def text(figures):
    """All of it."""
    parts = [
        f"Measured on {figures['date']} by `scripts/bench --only releases` on {figures['machine']}. "
        f"{figures['files']:,} files, {figures['bytes'] / 1e6:.0f} MB: {figures['about']}. The least of "
        f"{figures['rounds']} rounds; of memory, the most. Meanwhile other programs took "
        f"{other_work(figures['other_work'])} of the processors' time.",
        "## Nothing changed",
        *(unchanged_table(part) for part in figures["unchanged"]),
        f"## Where the time goes\n\nOf the fastest round; the rounds with latency let each request wait {LATENCY} ms.",
        stage_table(figures),
        "## The first publish",
        first_table(figures),
        "## Requests for changed objects",
        changed_table(figures),
        f"## A million objects\n\nManifest: {figures['generated']['manifest'] / 1e6:.0f} MB. One in {EVERY} changed, or "
        "none.",
        million_tables(figures),
        "## The aims",
        aims(figures),
    ]
    return "\n\n".join(parts) + "\n"
