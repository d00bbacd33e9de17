"""A program that uses the Python client as its only argument, JSON, says, and prints every message as one line of JSON.

A line on its standard input closes it.
"""

import asyncio
import dataclasses
import json
import sys
from typing import Any

from tickcast import Client, ClosedError, Options, Status


def show(message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def show_status(status: Status) -> None:
    line = dataclasses.asdict(status)
    show({"type": "status", **line, "isFallback": status.transport not in (None, "websocket")})


def close_at_line(client: Client) -> None:
    sys.stdin.readline()
    asyncio.get_running_loop().remove_reader(sys.stdin)
    asyncio.create_task(client.close())


async def watch() -> None:
    wanted = json.loads(sys.argv[1])
    options = wanted["options"]
    options = {key.replace("_ms", "_s"): value / 1_000 if key.endswith("_ms") else value for key, value in options.items()}
    if "transports" in options:
        options["transports"] = tuple(options["transports"])
    async with Client(wanted["url"], Options(**options), show_status) as client:
        for symbols, how in wanted["subscriptions"]:
            client.subscribe(symbols, **how)
            asyncio.get_running_loop().add_reader(sys.stdin, close_at_line, client)
        end: dict[str, Any] = {"type": "end"}
        try:
            async for message in client:
                show(message)
        except ClosedError as err:
            end["failure"] = dataclasses.asdict(err.failure)
        show(end)


asyncio.run(watch())
