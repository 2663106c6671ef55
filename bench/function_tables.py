"""The figures of the third part as Markdown: the Lambda function."""

from statistics import median

from function import BARE, CHANGED, STARTS, TIDEGATE
from tables import other_work, table

# Goals: seconds of a cold start, bytes of the zip, bytes of memory for the whole documentation.
GOAL_START, GOAL_ZIP, GOAL_MEMORY = 0.015, 8e6, 128e6


def result(met):
    return "met" if met else "missed"


def text(figures):
    """The whole page."""
    sizes, starts, whole = figures["sizes"], figures["starts"], figures["whole"]
    rows = [
        [name, f"{median(starts[name]) * 1e3:.1f}", f"{min(starts[name]) * 1e3:.1f}", f"{max(starts[name]) * 1e3:.1f}",
         f"{median(starts[name]) / median(starts[BARE]):.2f}", f"{figures['idle_memory'][name] / 1e6:.1f}"]
        for name in (BARE, TIDEGATE)
    ]
    cold = table(["", "median, ms", "minimum, ms", "maximum, ms", "× bare", "idle memory, MB"], rows)
    size_rows = [
        ["`bootstrap`", f"{sizes['bootstrap'] / 1e6:.1f}", f"{sizes['bootstrap_packed'] / 1e6:.1f}"],
        ["compiled plugins (all five)", f"{sizes['compiled'] / 1e6:.1f}", ""],
        ["zip", "", f"{sizes['zip'] / 1e6:.1f}"],
    ]
    changes = [
        [kind, f"{median(seconds):.2f}", f"{min(seconds):.2f}"] for kind, seconds in figures["changes"].items()
    ]
    whole_rows = [
        [name, f"{found['seconds']:.1f}", f"{found['peak'] / 1e6:.0f}"] for name, found in whole.items()
    ]
    start = median(starts[TIDEGATE])
    peak = max(found["peak"] for found in whole.values())
    goals = [
        ["Cold start", "15 ms or less", f"{start * 1e3:.1f} ms", result(start <= GOAL_START)],
        ["Zip", "8 MB or less", f"{sizes['zip'] / 1e6:.1f} MB", result(sizes["zip"] <= GOAL_ZIP)],
        [f"Memory for {figures['files']:,} files", "128 MB or less", f"{peak / 1e6:.0f} MB", result(peak <= GOAL_MEMORY)],
    ]
    return f"""Measured on {figures['date']} by `scripts/bench --only function` on {figures['machine']}. Other programs used
{other_work(figures['other_work'])} of the CPU time.

## Cold start

From the start of the program until it requests its first event, with five plugins in the package; {STARTS} starts each.

{cold}

## Sizes

{table(["", "MB", "packed, MB"], size_rows)}

## {CHANGED} of {figures['books']:,} files changed

From the event until the response; `cold` includes the start of the program. {figures['rounds']} rounds.

{table(["", "median, s", "minimum, s"], changes)}

## {figures['files']:,} files

From a staged prefix: {figures['description']}.

{table(["", "seconds", "peak, MB"], whole_rows)}

## Goals

{table(["", "goal", "measured", ""], goals)}
"""
