"""Checks lines over server-sent events that are replaced: a stream begins where its topics were, however far the others are."""

import asyncio
import json
import unittest
from collections.abc import AsyncGenerator
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

from tickcast import Client, Options, Status
from tickcast._http import StreamEvent
from tickcast._messages import Raw

_PATIENCE_S = 10.0


def trade(symbol: str, seq: int, offset: int) -> Raw:
    return {"type": "trade", "symbol": symbol, "seq": seq, "offset": offset, "ts": offset, "price": 1.0, "size": 1}


def snapshot(symbol: str, offset: int, **seq: int) -> Raw:
    values = dict.fromkeys(("ts", "price", "open", "high", "low", "prev_close", "volume"), 1)
    return values | {"type": "snapshot", "symbol": symbol, "offset": offset, "seq": seq}


class Server:
    """Answers the polls and feeds the streams of a client as a test says."""

    def __init__(self) -> None:
        self._polls: asyncio.Queue[tuple[str, asyncio.Future[Raw]]] = asyncio.Queue()
        self._streams: asyncio.Queue[tuple[dict[str, list[str]], asyncio.Queue[StreamEvent]]] = asyncio.Queue()

    async def fetch_json(self, url: str, *_: Any) -> Raw:
        answer: asyncio.Future[Raw] = asyncio.get_running_loop().create_future()
        await self._polls.put((url, answer))
        return await answer

    async def read_stream(self, url: str, *_: Any) -> AsyncGenerator[StreamEvent, None]:
        events: asyncio.Queue[StreamEvent] = asyncio.Queue()
        await self._streams.put((parse_qs(urlsplit(url).query), events))
        while True:
            yield await events.get()

    async def poll(self) -> asyncio.Future[Raw]:
        async with asyncio.timeout(_PATIENCE_S):
            return (await self._polls.get())[1]

    async def answer(self, offset: int, *messages: Raw) -> None:
        answer_of(await self.poll(), offset, *messages)

    async def stream(self) -> tuple[int, asyncio.Queue[StreamEvent]]:
        """Returns the next stream, with the offset at which it begins."""
        async with asyncio.timeout(_PATIENCE_S):
            query, events = await self._streams.get()
        after = int(query["after"][0].partition(":")[2])
        say(events, after, {"type": "welcome", "epoch": "e1", "offset": after, "heartbeat_ms": 15_000})
        return after, events


def answer_of(poll: asyncio.Future[Raw], offset: int, *messages: Raw) -> None:
    poll.set_result({"epoch": "e1", "offset": offset, "cursor": f"e1:{offset}", "recovered": True, "messages": list(messages)})


def say(events: asyncio.Queue[StreamEvent], offset: int, *messages: Raw) -> None:
    events.put_nowait(StreamEvent(json.dumps(messages), f"e1:{offset}"))


class Lines(unittest.IsolatedAsyncioTestCase):
    async def test_a_stream_that_is_replaced_begins_where_it_was_however_far_the_others_are(self) -> None:
        server, failures = Server(), []

        def on_status(status: Status) -> None:
            failures.extend([status.failure] if status.failure else [])

        with mock.patch("tickcast._lines.fetch_json", server.fetch_json), mock.patch("tickcast._lines.read_stream", server.read_stream):
            client = Client("http://localhost/", Options(("sse",)), on_status)
            client.subscribe("AAPL")
            client.subscribe("MSFT", max_hz=4)
            client.connect()
            await server.answer(100, snapshot("AAPL", 100, trades=10))
            await server.answer(100, snapshot("MSFT", 100, trades=57))
            (_, aapl), (_, msft) = await server.stream(), await server.stream()
            say(aapl, 101, trade("AAPL", 11, 101))
            say(msft, 101)
            seen = await self.seen_up_to(client, 11)
            client.subscribe("AAPL", ("quotes",))
            poll = await server.poll()
            say(msft, 110, trade("MSFT", 58, 110))
            seen += await self.seen_up_to(client, 58)
            answer_of(poll, 104, snapshot("AAPL", 104, trades=14, quotes=1))
            after, aapl = await server.stream()
            say(aapl, 112, *(trade("AAPL", offset - 90, offset) for offset in range(102, 111) if offset > after))
            seen += await self.seen_up_to(client, 20)
            await client.close()
        self.assertEqual(([seq for seq in seen if seq != 58], failures), (list(range(11, 21)), []))

    async def seen_up_to(self, client: Client, last: int) -> list[int]:
        """Reads messages until the trade with this number. Returns the numbers of the trades."""
        seen = []
        async with asyncio.timeout(_PATIENCE_S):
            async for message in client:
                if message["type"] == "trade":
                    seen.append(message["seq"])
                    if message["seq"] == last:
                        break
        return seen


if __name__ == "__main__":
    unittest.main()
