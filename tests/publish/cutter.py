"""A TCP proxy that cuts each of its connections after a random number of bytes, chosen by a seed and the number of the connection."""

import asyncio
import random
from multiprocessing.connection import Connection
from typing import Any

from server import Address


class Cutter:
    def __init__(self, target: Address, seed: int, up_bytes: float, down_bytes: float, cuts: Any) -> None:
        self.target, self.seed, self.means, self.cuts = target, seed, (up_bytes, down_bytes), cuts
        self.connections = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Copies both directions, until one of them has had its number of bytes."""
        chance = random.Random(f"{self.seed}:{self.connections}")
        self.connections += 1
        up, down = (int(chance.expovariate(1 / mean)) for mean in self.means)
        try:
            server_reader, server_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        copies = [asyncio.create_task(copy(reader, server_writer, up)), asyncio.create_task(copy(server_reader, writer, down))]
        done, rest = await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
        if any(task.result() for task in done):
            self.cuts.value += 1
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for end in (writer, server_writer):
            end.transport.abort()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, bytes_max: int) -> bool:
    """Copies until the end, or until so many bytes are copied; returns whether that was so."""
    left = bytes_max
    try:
        while chunk := await reader.read(65_536):
            writer.write(chunk[:left])
            await writer.drain()
            left -= len(chunk)
            if left <= 0:
                return True
    except OSError:
        pass
    return False


def serve(target: Address, seed: int, up_bytes: float, down_bytes: float, cuts: Any, told: Connection) -> None:
    """Runs a proxy, and tells its address."""

    async def run() -> None:
        cutter = Cutter(target, seed, up_bytes, down_bytes, cuts)
        server = await asyncio.start_server(cutter.connected, "127.0.0.1", 0)
        told.send(server.sockets[0].getsockname()[:2])
        await server.serve_forever()

    asyncio.run(run())
