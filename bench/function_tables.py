"""The third part's figures as Markdown: the function of Lambda."""

from statistics import median

from function import BARE, CHANGED, OURS, STARTS
from tables import other_work, table

# What the project aims at: seconds, and bytes.
AIM_START, AIM_ZIP, AIM_WHOLE = 0.015, 8e6, 128e6


def verdict(met):
    return "met" if met else "missed"


def text(figures):
    """Everything."""
    sizes, starts, whole = figures["sizes"], figures["starts"], figures["whole"]
    rows = [
        [name, f"{median(starts[name]) * 1e3:.1f}", f"{min(starts[name]) * 1e3:.1f}", f"{max(starts[name]) * 1e3:.1f}",
         f"{median(starts[name]) / median(starts[BARE]):.2f}", f"{figures['rest'][name] / 1e6:.1f}"]
        for name in (BARE, OURS)
    ]
    cold = table(["", "median, ms", "least, ms", "most, ms", "× bare", "at rest, MB"], rows)
    size_rows = [
        ["`bootstrap`", f"{sizes['bootstrap'] / 1e6:.1f}", f"{sizes['bootstrap_packed'] / 1e6:.1f}"],
        ["compiled plugins, all five", f"{sizes['compiled'] / 1e6:.1f}", ""],
        ["the zip", "", f"{sizes['zip'] / 1e6:.1f}"],
    ]
    changes = [
        [kind, f"{median(seconds):.2f}", f"{min(seconds):.2f}"] for kind, seconds in figures["changes"].items()
    ]
    wholes = [
        [name, f"{found['seconds']:.1f}", f"{found['peak'] / 1e6:.0f}"] for name, found in whole.items()
    ]
    start = median(starts[OURS])
    peak = max(found["peak"] for found in whole.values())
    aims = [
        ["Cold start", "15 ms or less", f"{start * 1e3:.1f} ms", verdict(start <= AIM_START)],
        ["The zip", "8 MB or less", f"{sizes['zip'] / 1e6:.1f} MB", verdict(sizes["zip"] <= AIM_ZIP)],
        [f"Memory for {figures['files']:,} files", "128 MB or less", f"{peak / 1e6:.0f} MB", verdict(peak <= AIM_WHOLE)],
    ]
    return f"""Measured on {figures['date']} by `scripts/bench --only function` on {figures['machine']}. Meanwhile other programs took
{other_work(figures['other_work'])} of the processors' time.

## Cold start

From before the program is started until it asks for its first event, with five plugins in the package; {STARTS} starts each.

{cold}

## Sizes

{table(["", "MB", "packed, MB"], size_rows)}

## {CHANGED} files of {figures['books']:,} change

From the event until the answer; cold includes the start of the program. {figures['rounds']} rounds.

{table(["", "median, s", "least, s"], changes)}

## {figures['files']:,} files

From a staged prefix: {figures['about']}.

{table(["", "seconds", "peak, MB"], wholes)}

## The aims

{table(["", "aim", "here", ""], aims)}
"""
