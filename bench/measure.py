"""Runs one command and writes its resource usage as JSON.

    python3 -I -S measure.py RESULT OUTPUT COMMAND [ARGUMENT...]

This is a separate, small program, because Linux counts the memory of the parent as that of a new process until its program
is loaded. Peaks below the memory of this interpreter (about 9 MB) are therefore invisible.
"""

import os
import sys
import time

result, output, command = sys.argv[1], sys.argv[2], sys.argv[3:]
written = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
streams = [
    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
    (os.POSIX_SPAWN_OPEN, 1, output, written, 0o644),
    (os.POSIX_SPAWN_OPEN, 2, output + ".errors", written, 0o644),
]
started = time.perf_counter()
child = os.posix_spawn(command[0], command, os.environ, file_actions=streams)
_, status, used = os.wait4(child, 0)
wall = time.perf_counter() - started
with open(result, "w") as file:
    # Seconds, and KiB, which is the unit of `ru_maxrss` on Linux.
    file.write(
        f'{{"status": {os.waitstatus_to_exitcode(status)}, "wall": {wall}, "user": {used.ru_utime}, '
        f'"system": {used.ru_stime}, "peak_kib": {used.ru_maxrss}}}'
    )
