"""The third part: cold start, size, duration and memory of the Lambda function.

Runs the shipped program behind an emulated runtime API.
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
from harness import HERE, RunError, log

# Measured cold starts of each program.
STARTS = 20
# Changed files between two publishes of the smaller site.
CHANGED = 10
BARE, TIDEGATE = "bare function", "tidegate"

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


class RuntimeApi:
    """The runtime API. Passes one event at a time, and measures times."""

    def __init__(self):
        self.events, self.responses, self.ready = queue.Queue(), queue.Queue(), threading.Event()
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def respond(self, status, body, **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                if not api.ready.is_set():
                    api.ready_at = time.perf_counter()
                    api.ready.set()
                event = api.events.get()
                if event is None:
                    return
                deadline = int((time.time() + 900) * 1000)
                api.event_at = time.perf_counter()
                self.respond(
                    200, json.dumps(event).encode(), Content_Type="application/json",
                    Lambda_Runtime_Aws_Request_Id="8476a536-e9f4-11e8-9739-2dfe598c3fcd",
                    Lambda_Runtime_Deadline_Ms=str(deadline),
                    Lambda_Runtime_Invoked_Function_Arn="arn:aws:lambda:us-east-1:123456789012:function:tidegate",
                    Lambda_Runtime_Trace_Id="Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
                )

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or self.chunks()
                api.responses.put((time.perf_counter(), self.path.rpartition("/")[2], body))
                self.respond(202, b'{"status":"OK"}')

            def chunks(self):
                """Reads a chunked body."""
                found = b""
                if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
                    while size := int(self.rfile.readline().strip() or b"0", 16):
                        found += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                return found

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        # A stopped function closes its last connection without a response, which is not an error.
        self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{self.server.server_address[1]}"


def environment(harness, address, root):
    """The environment variables that Lambda sets."""
    return {
        "AWS_LAMBDA_RUNTIME_API": address, "LAMBDA_TASK_ROOT": str(root), "_HANDLER": "bootstrap",
        "AWS_LAMBDA_FUNCTION_NAME": "tidegate", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/tidegate",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": harness.endpoint,
        **{name: harness.environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")},
    }


def memory(child, name):
    """Memory of a process in bytes: `VmRSS` is the current one, `VmHWM` the peak."""
    for line in pathlib.Path(f"/proc/{child.pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RunError("the function has exited")


def cold_start(harness, program, root):
    """Seconds from the start of a program until it requests its first event, and its memory in bytes while it waits.

    Uses a plain socket, because the time of a Python HTTP server would be counted as that of the program.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        address = "{}:{}".format(*server.getsockname())
        log_file = harness.scratch / "function.log"
        with log_file.open("wb") as out:
            started = time.perf_counter()
            child = subprocess.Popen(
                [str(program)], env=environment(harness, address, root), cwd=root, stdout=out, stderr=out,
            )
        try:
            with server.accept()[0] as connection:
                request = connection.recv(4096)
                seconds = time.perf_counter() - started
                if not request.startswith(b"GET /2018-06-01/runtime/invocation/next "):
                    raise RunError(f"unexpected request of the function: {request[:200]}")
                return seconds, memory(child, "VmRSS")
        except TimeoutError:
            raise RunError(f"the function did not start: {log_file.read_text()[-600:]}") from None
        finally:
            child.kill()
            child.wait()


class Function:
    """A running program."""

    def __init__(self, harness, program, root):
        self.api = RuntimeApi()
        log_file = harness.scratch / "function.log"
        with log_file.open("wb") as out:
            started = time.perf_counter()
            self.child = subprocess.Popen(
                [str(program)], env=environment(harness, self.api.address, root), cwd=root, stdout=out, stderr=out,
            )
        if not self.api.ready.wait(60):
            self.child.kill()
            raise RunError(f"the function did not start: {log_file.read_text()[-600:]}")
        self.start_seconds = self.api.ready_at - started

    def memory(self, name):
        return memory(self.child, name)

    def invoke(self, event):
        """Seconds from the event until the response, and the response."""
        self.api.events.put(event)
        at, kind, body = self.api.responses.get(timeout=1800)
        response = json.loads(body)
        if kind != "response" or response.get("outcome") not in ("live", "unchanged"):
            raise RunError(f"the function answered {kind}: {str(response)[:600]}")
        return at - self.api.event_at, response

    def stop(self):
        self.child.kill()
        self.child.wait()
        self.api.events.put(None)
        self.api.server.shutdown()


@contextlib.contextmanager
def running(harness, program, root):
    function = Function(harness, program, root)
    try:
        yield function
    finally:
        function.stop()


def package(harness, bootstrap):
    """Makes and unpacks the package for this machine; returns its directory and sizes in bytes."""
    configuration, zipped, root = (harness.scratch / name for name in ("function.toml", "function.zip", "function"))
    configuration.write_text(CONFIGURATION.format(plugins=PLUGINS))
    harness.measure([
        str(harness.binaries / "tidegate"), "--config", str(configuration), "package", "--target", platform.machine(),
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


def upload(harness, directory, bucket):
    harness.measure([str(harness.binaries / "bare-loop"), "upload", harness.endpoint, str(directory), bucket])


def publish_event(site, bucket, name):
    return {"site": site, "source": f"s3://{bucket}/", "release": name}


def run(harness, rounds):
    """Measures everything; returns the figures."""
    bootstrap = HERE.parent / "dist" / f"bootstrap-{platform.machine()}"
    root, sizes = package(harness, bootstrap)
    programs = {BARE: harness.binaries / "bare-function", TIDEGATE: root / "bootstrap"}
    log(f"function: {STARTS} cold starts of each program")
    starts, idle_memory = {name: [] for name in programs}, {}
    for number in range(STARTS + 1):
        for name, program in programs.items():
            seconds, idle = cold_start(harness, program, root)
            idle_memory[name] = max(idle_memory.get(name, 0), idle)
            if number > 0:
                starts[name].append(seconds)
    for name in ("staged-books", "staged-whole", "site-books", "site-whole", "state"):
        harness.create_bucket(name)

    books = harness.scratch / "books"
    books.mkdir()
    log(f"function: {CHANGED} changed files in {corpus.make(books)}")
    upload(harness, books, "staged-books")
    with running(harness, programs[TIDEGATE], root) as function:
        function.invoke(publish_event("books", "staged-books", "first"))
    pages = sorted(path for path in books.rglob("*.html") if path.stat().st_size > 0)
    changes = {"cold": [], "warm": []}
    for number in range(rounds):
        with running(harness, programs[TIDEGATE], root) as function:
            for index, kind in enumerate(changes):
                first = (2 * number + index) * CHANGED
                for path in pages[first:first + CHANGED]:
                    path.write_bytes(path.read_bytes() + b"<!-- changed -->\n")
                upload(harness, books, "staged-books")
                seconds, response = function.invoke(publish_event("books", "staged-books", f"{kind}-{number}"))
                if response["done"]["written"] != CHANGED:
                    raise RunError(f"{CHANGED} files should be written, not {response['done']}")
                changes[kind].append(seconds + (function.start_seconds if kind == "cold" else 0))

    log(f"function: {harness.files} files")
    upload(harness, harness.corpus, "staged-whole")
    whole = {}
    with running(harness, programs[TIDEGATE], root) as function:
        seconds, _ = function.invoke(publish_event("whole", "staged-whole", "first"))
        whole["first"] = {"seconds": seconds, "peak": function.memory("VmHWM")}
    with running(harness, programs[TIDEGATE], root) as function:
        seconds, _ = function.invoke(publish_event("whole", "staged-whole", "again"))
        whole["unchanged"] = {"seconds": seconds, "peak": function.memory("VmHWM")}
    return {
        "sizes": sizes, "starts": starts, "idle_memory": idle_memory, "changes": changes, "rounds": rounds,
        "files": harness.files, "description": harness.description, "whole": whole, "books": corpus.tally(books)[0],
    }
