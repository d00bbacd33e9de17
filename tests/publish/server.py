"""Starts a server whose market is published."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

SYMBOLS = ("AA", "BB", "CC", "DD")

Address = tuple[str, int]


@contextmanager
def running(command: list[str], settings: dict[str, str]) -> Iterator[tuple[Address, int]]:
    """Runs the server with these environment variables; gives its address and its process id."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("TICKCAST")}
    own |= {"TICKCAST__SERVER__PORT": "0", "TICKCAST__FEED__KIND": "publish", "TICKCAST__FEED__PUBLISH__SYMBOLS": ",".join(SYMBOLS)}
    server = subprocess.Popen(command, env=own | settings, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        line = server.stderr.readline()
        found = re.search(r" url=http://([^:/]+):(\d+)/", line)
        if not found:
            raise SystemExit(f"the server does not say where it listens: {line}")
        yield (found[1], int(found[2])), server.pid
    finally:
        server.kill()
        server.wait()
