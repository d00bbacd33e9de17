"""A program that uses the Python client as its only argument, JSON, says, once or several times, and prints every message as one line.

A line on its standard input closes it.
"""

import asyncio
import dataclasses
import json
import sys
from typing import Any

from tickcast import Client, ClosedError, Options, Status


async def watch(wanted: dict[str, Any], clients: list[Client]) -> None:
    options = wanted["options"]
    options = {key.replace("_ms", "_s"): value / 1_000 if key.endswith("_ms") else value for key, value in options.items()}
    if "transports" in options:
        options["transports"] = tuple(options["transports"])

    def show(line: Any) -> None:
        sys.stdout.write(json.dumps({**line, "of": wanted["name"]} if "name" in wanted else line) + "\n")
        sys.stdout.flush()

    def show_status(status: Status) -> None:
        show({"type": "status", **dataclasses.asdict(status), "isFallback": status.transport not in (None, "websocket")})

    async with Client(wanted["url"], Options(**options), show_status) as client:
        clients.append(client)
        for symbols, how in wanted["subscriptions"]:
            client.subscribe(symbols, **how)
        end: dict[str, Any] = {"type": "end"}
        try:
            async for message in client:
                show(message)
        except ClosedError as err:
            end["failure"] = dataclasses.asdict(err.failure)
        show(end)


async def main() -> None:
    argument = json.loads(sys.argv[1])
    clients: list[Client] = []
    loop = asyncio.get_running_loop()

    def close() -> None:
        sys.stdin.readline()
        loop.remove_reader(sys.stdin)
        for client in clients:
            closing.append(asyncio.create_task(client.close()))

    closing: list[asyncio.Task[None]] = []
    loop.add_reader(sys.stdin, close)
    await asyncio.gather(*(watch(wanted, clients) for wanted in (argument if isinstance(argument, list) else [argument])))


asyncio.run(main())
