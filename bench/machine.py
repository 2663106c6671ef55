"""What figures depend on besides the programs: the machine, its other work, and versions."""

import datetime
import os
import pathlib
import platform
import re
import subprocess

TICKS = os.sysconf("SC_CLK_TCK")


def busy():
    """Seconds that all processors together have worked since the machine was started."""
    first = pathlib.Path("/proc/stat").read_text().splitlines()[0]
    user, nice, system, _, _, irq, softirq, *_ = map(int, first.split()[1:])
    return (user + nice + system + irq + softirq) / TICKS


def process_seconds(pid):
    """Processor seconds of a running process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def describe():
    """One line on the machine."""
    model = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = int(re.search(r"MemTotal: *(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) / (1 << 20)
    name = model[1] if model else platform.machine()
    return f"{os.cpu_count()} × {name}, {memory:.0f} GiB, Linux {platform.release().split('-')[0]}"


def today():
    """The date, in UTC."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")


def first_line(*command):
    """What a program says of itself."""
    said = subprocess.run(command, capture_output=True, text=True)
    lines = (said.stdout or said.stderr).strip().splitlines()
    return lines[0].strip() if lines else "unknown"


def versions(contestants, lock):
    """Versions of everything that was measured, by name."""
    commands = {contestant.name: contestant.command("upload", "bucket")[0] for contestant in contestants}
    asked = {"tidegate": [commands["tidegate sync"], "--version"], "rustc": ["rustc", "--version"]}
    for name, words in [("s5cmd sync", ["version"]), ("rclone sync", ["version"]), ("aws s3 sync", ["--version"])]:
        if name in commands:
            asked[name.split()[0]] = [commands[name], *words]
    found = {name: first_line(*command) for name, command in asked.items()}
    locked = dict(re.findall(r'name = "([^"]+)"\nversion = "([^"]+)"', lock.read_text()))
    found.update({name: locked[name] for name in ("s3s-fs", "aws-sdk-s3", "wasmtime") if name in locked})
    return found
