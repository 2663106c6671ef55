"""The function of Lambda: how soon it is there, how large it is, and what it needs for sites of two sizes.

The program that is shipped runs in front of a runtime API of this machine, as Lambda runs it.
"""

import contextlib
import http.server
import json
import pathlib
import platform
import queue
import socket
import subprocess
import threading
import time
import zipfile

import corpus
from course import HERE, Wrong, say

# Cold starts that are measured for each program.
STARTS = 20
# Files that change between two publishes of the smaller site.
CHANGED = 10
BARE, OURS = "bare function", "tidegate"

CONFIGURATION = """
state = "s3://state/"

[[site]]
name = "books"
target = "s3://site-books/"
{plugins}

[[site]]
name = "whole"
target = "s3://site-whole/"
{plugins}
"""

PLUGINS = """
[[site.sync]]
plugin = "exclude"
settings = { globs = ["**/.DS_Store"] }
[[site.sync]]
plugin = "rewrite"
[[site.sync]]
plugin = "mime"
[[site.sync]]
plugin = "headers"
[[site.policy]]
plugin = "guard"
settings = { max-delete-share = 1.0 }
"""


class Runtime:
    """The runtime API: one event at a time, and when the function asked for the first one."""

    def __init__(self):
        self.events, self.answers, self.asked = queue.Queue(), queue.Queue(), threading.Event()
        runtime = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, status, body, **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                if not runtime.asked.is_set():
                    runtime.first = time.perf_counter()
                    runtime.asked.set()
                event = runtime.events.get()
                if event is None:
                    return
                deadline = int((time.time() + 900) * 1000)
                runtime.handed = time.perf_counter()
                self.answer(
                    200, json.dumps(event).encode(), Content_Type="application/json",
                    Lambda_Runtime_Aws_Request_Id="8476a536-e9f4-11e8-9739-2dfe598c3fcd",
                    Lambda_Runtime_Deadline_Ms=str(deadline),
                    Lambda_Runtime_Invoked_Function_Arn="arn:aws:lambda:us-east-1:123456789012:function:tidegate",
                    Lambda_Runtime_Trace_Id="Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
                )

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or self.chunks()
                runtime.answers.put((time.perf_counter(), self.path.rpartition("/")[2], body))
                self.answer(202, b'{"status":"OK"}')

            def chunks(self):
                """A body whose length nobody told."""
                found = b""
                if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
                    while size := int(self.rfile.readline().strip() or b"0", 16):
                        found += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                return found

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        # A function that is stopped leaves its last question open.
        self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{self.server.server_address[1]}"


def environment(course, address, root):
    """What Lambda gives a function."""
    return {
        "AWS_LAMBDA_RUNTIME_API": address, "LAMBDA_TASK_ROOT": str(root), "_HANDLER": "bootstrap",
        "AWS_LAMBDA_FUNCTION_NAME": "tidegate", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/tidegate",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": course.endpoint,
        **{name: course.environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")},
    }


def memory(child, name):
    """Bytes: `VmRSS` for what a program has now, `VmHWM` for the most that it had."""
    for line in pathlib.Path(f"/proc/{child.pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise Wrong("the function has ended")


def cold_start(course, program, root):
    """Seconds from before a program is started until it asks for its first event, and its bytes while it waits for that.

    A socket and nothing else: what a server of this language needs to answer would be counted as the program's.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        address = "{}:{}".format(*server.getsockname())
        log = course.scratch / "function.log"
        with log.open("wb") as out:
            started = time.perf_counter()
            child = subprocess.Popen(
                [str(program)], env=environment(course, address, root), cwd=root, stdout=out, stderr=out,
            )
        try:
            with server.accept()[0] as connection:
                question = connection.recv(4096)
                seconds = time.perf_counter() - started
                if not question.startswith(b"GET /2018-06-01/runtime/invocation/next "):
                    raise Wrong(f"the function asks for {question[:200]}")
                return seconds, memory(child, "VmRSS")
        except TimeoutError:
            raise Wrong(f"the function does not start: {log.read_text()[-600:]}") from None
        finally:
            child.kill()
            child.wait()


class Function:
    """A program that runs."""

    def __init__(self, course, program, root):
        self.runtime = Runtime()
        self.log = course.scratch / "function.log"
        with self.log.open("wb") as log:
            self.started = time.perf_counter()
            self.child = subprocess.Popen(
                [str(program)], env=environment(course, self.runtime.address, root), cwd=root, stdout=log, stderr=log,
            )
        if not self.runtime.asked.wait(60):
            self.child.kill()
            raise Wrong(f"the function does not start: {self.log.read_text()[-600:]}")
        self.start = self.runtime.first - self.started

    def memory(self, name):
        return memory(self.child, name)

    def invoke(self, event):
        """Seconds from the event until the answer, and the answer."""
        self.runtime.events.put(event)
        at, kind, body = self.runtime.answers.get(timeout=1800)
        answer = json.loads(body)
        if kind != "response" or answer.get("outcome") not in ("live", "unchanged"):
            raise Wrong(f"the function answered {kind}: {str(answer)[:600]}")
        return at - self.runtime.handed, answer

    def stop(self):
        self.child.kill()
        self.child.wait()
        self.runtime.events.put(None)
        self.runtime.server.shutdown()


@contextlib.contextmanager
def running(course, program, root):
    function = Function(course, program, root)
    try:
        yield function
    finally:
        function.stop()


def package(course, bootstrap):
    """The package of this machine, unpacked."""
    configuration, zipped, root = (course.scratch / name for name in ("function.toml", "function.zip", "function"))
    configuration.write_text(CONFIGURATION.format(plugins=PLUGINS))
    course.measure([
        str(course.binaries / "tidegate"), "--config", str(configuration), "package", "--target", platform.machine(),
        "--bootstrap", str(bootstrap), "--out", str(zipped),
    ])
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(root)
        code = sum(entry.file_size for entry in archive.infolist() if entry.filename.endswith(".cwasm"))
        packed = next(entry for entry in archive.infolist() if entry.filename == "bootstrap")
    (root / "bootstrap").chmod(0o755)
    return root, {
        "bootstrap": packed.file_size, "bootstrap_packed": packed.compress_size, "zip": zipped.stat().st_size,
        "compiled": code,
    }


def stage(course, directory, bucket):
    course.measure([str(course.binaries / "bare-loop"), "upload", course.endpoint, str(directory), bucket])


def asked(site, bucket, name):
    return {"site": site, "source": f"s3://{bucket}/", "release": name}


def run(course, rounds):
    """All of it, as one value."""
    bootstrap = HERE.parent / "dist" / f"bootstrap-{platform.machine()}"
    root, sizes = package(course, bootstrap)
    programs = {BARE: course.binaries / "bare-function", OURS: root / "bootstrap"}
    say(f"function: {STARTS} cold starts of each")
    starts, rest = {name: [] for name in programs}, {}
    for number in range(STARTS + 1):
        for name, program in programs.items():
            seconds, bytes_at_rest = cold_start(course, program, root)
            rest[name] = max(rest.get(name, 0), bytes_at_rest)
            if number > 0:
                starts[name].append(seconds)
    for name in ("staged-books", "staged-whole", "site-books", "site-whole", "state"):
        course.bucket(name)

    books = course.scratch / "books"
    books.mkdir()
    say(f"function: {CHANGED} files change, in {corpus.make(books)}")
    stage(course, books, "staged-books")
    with running(course, programs[OURS], root) as function:
        function.invoke(asked("books", "staged-books", "first"))
    pages = sorted(path for path in books.rglob("*.html") if path.stat().st_size > 0)
    changes = {"cold": [], "warm": []}
    for number in range(rounds):
        with running(course, programs[OURS], root) as function:
            for turn, kind in enumerate(changes):
                at = (2 * number + turn) * CHANGED
                for path in pages[at:at + CHANGED]:
                    path.write_bytes(path.read_bytes() + b"<!-- changed -->\n")
                stage(course, books, "staged-books")
                seconds, answer = function.invoke(asked("books", "staged-books", f"{kind}-{number}"))
                if answer["done"]["written"] != CHANGED:
                    raise Wrong(f"{answer['done']} instead of {CHANGED} files that changed")
                changes[kind].append(seconds + (function.start if kind == "cold" else 0))

    say(f"function: {course.files} files")
    stage(course, course.corpus, "staged-whole")
    whole = {}
    with running(course, programs[OURS], root) as function:
        seconds, _ = function.invoke(asked("whole", "staged-whole", "first"))
        whole["first"] = {"seconds": seconds, "peak": function.memory("VmHWM")}
    with running(course, programs[OURS], root) as function:
        seconds, _ = function.invoke(asked("whole", "staged-whole", "again"))
        whole["unchanged"] = {"seconds": seconds, "peak": function.memory("VmHWM")}
    return {
        "sizes": sizes, "starts": starts, "rest": rest, "changes": changes, "rounds": rounds,
        "files": course.files, "about": course.about, "whole": whole, "books": corpus.tally(books)[0],
    }
