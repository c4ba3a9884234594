"""Run a command and print what it took, as JSON; `bench/measure.py` calls it.

It is a small process of its own because a command's peak memory counts from the fork on, when it is
still a copy of its parent.
"""

import json
import os
import subprocess
import sys
import time


def bytes_of(pid: int) -> tuple[int, int]:
    """Read how many bytes went through read and write calls, of ended children too."""
    with open(f"/proc/{pid}/io") as file:  # noqa: PTH123 - pathlib would take memory
        values = dict(line.split(": ") for line in file)
    return int(values["rchar"]), int(values["wchar"])


def main() -> None:
    """Run the command of the arguments; what it prints is thrown away."""
    begin = time.perf_counter()
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    wall = time.perf_counter() - begin
    read, written = bytes_of(process.pid)  # the kernel keeps it until the wait below
    _, status, usage = os.wait4(process.pid, 0)
    found = {
        "code": os.waitstatus_to_exitcode(status),
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "rss": usage.ru_maxrss * 1024,
        "read": read,
        "written": written,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
