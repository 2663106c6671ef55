"""Turns exceptions into failures with a line, and `print` into log records, and checks settings.

Import it first. Decorate the classes that the plugin exports with `@exported`.
"""

import functools
import json
import sys

from componentize_py_types import Err
from wit_world.exports import settings
from wit_world.imports import log, types


class _Log:
    """Sends each line to the log of the host."""

    def __init__(self, level):
        self._level = level
        self._line = ""

    def write(self, text):
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            log.log(self._level, line)
        return len(text)

    def flush(self):
        if self._line:
            log.log(self._level, self._line)
            self._line = ""


def fail(message, code="python", key=None, rule=""):
    """A failure to raise: it denies the run."""
    return Err(types.Failure(code=code, message=message, key=key, rule=rule, attributes=[]))


def validated(text, defaults, check=lambda given: ()):
    """The canonical form of settings: JSON over the defaults. `check` yields the name and message of each mistake."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise Err([settings.Issue("", f"it is not JSON: {error}")]) from None
    if not isinstance(given, dict):
        raise Err([settings.Issue("", "use an object")])
    chosen = {name: given.get(name, default) for name, default in defaults.items()}
    issues = [(name, "unknown setting") for name in given if name not in defaults]
    issues += check(chosen)
    if issues:
        pointer = lambda name: "/" + name.replace("~", "~0").replace("/", "~1")
        raise Err([settings.Issue(pointer(name), message) for name, message in issues])
    return json.dumps(chosen, separators=(",", ":"))


def _line(error):
    # `traceback` opens source files, and there are none.
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.endswith("plugin.py"):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" (plugin.py:{line})" if line else ""


def _guarded(method):
    @functools.wraps(method)
    def call(*arguments):
        sys.stdout, sys.stderr = _Log(log.Level.INFO), _Log(log.Level.WARN)
        try:
            return method(*arguments)
        except Err:
            raise
        except BaseException as error:
            raise fail(f"{type(error).__name__}: {error}{_line(error)}", code="exception") from None
        finally:
            sys.stdout.flush()
            sys.stderr.flush()

    return call


def exported(cls):
    """Guards the methods of a class that the plugin exports."""
    for name in ("begin", "decide", "finish", "review", "conclude"):
        if name in vars(cls):
            setattr(cls, name, _guarded(vars(cls)[name]))
    return cls
