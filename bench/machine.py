"""The machine, its load by other programs, and the versions of the tools."""

import contextlib
import datetime
import os
import pathlib
import platform
import re
import subprocess

TICKS = os.sysconf("SC_CLK_TCK")


def busy_seconds():
    """CPU seconds of all programs since boot."""
    first = pathlib.Path("/proc/stat").read_text().splitlines()[0]
    user, nice, system, _, _, irq, softirq, *_ = map(int, first.split()[1:])
    return (user + nice + system + irq + softirq) / TICKS


def process_seconds(pid):
    """CPU seconds of a running process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def tree_seconds(pid):
    """CPU seconds of a running process with its descendants, those that have exited included."""
    total, children = 0, {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append((int(path.parent.name), sum(map(int, fields[11:15]))))
    waiting = [pid]
    while waiting:
        for child, ticks in children.get(waiting.pop(), ()):
            total += ticks
            waiting.append(child)
    return total / TICKS


def describe():
    """The machine in one line."""
    model = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = int(re.search(r"MemTotal: *(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) / (1 << 20)
    name = model[1] if model else platform.machine()
    return f"{os.cpu_count()} × {name}, {memory:.0f} GiB, Linux {platform.release().split('-')[0]}"


def today():
    """The date, in UTC."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")


def first_line(*command):
    """The first line of the output of a command."""
    process = subprocess.run(command, capture_output=True, text=True)
    lines = (process.stdout or process.stderr).strip().splitlines()
    return lines[0].strip() if lines else "unknown"


def versions(tools, lock):
    """Versions of the tools and of important dependencies, by name."""
    commands = {tool.name: tool.command("upload", "bucket")[0] for tool in tools}
    queries = {"tidegate": [commands["tidegate sync"], "--version"], "rustc": ["rustc", "--version"]}
    for name, arguments in [("s5cmd sync", ["version"]), ("rclone sync", ["version"]), ("aws s3 sync", ["--version"])]:
        if name in commands:
            queries[name.split()[0]] = [commands[name], *arguments]
    found = {name: first_line(*command) for name, command in queries.items()}
    locked = dict(re.findall(r'name = "([^"]+)"\nversion = "([^"]+)"', lock.read_text()))
    found.update({name: locked[name] for name in ("s3s-fs", "aws-sdk-s3", "wasmtime") if name in locked})
    return found
