"""Checks the end of an iteration: every message before it is read, its reason is raised, and an answer that cannot be read is none."""

import asyncio
import json
import unittest
from collections.abc import AsyncGenerator, Callable
from typing import Any
from unittest import mock

from tickcast import Client, ClosedError, Failure, Options, Status
from tickcast._closing import Ended
from tickcast._http import StreamEvent
from tickcast._messages import GarbledError, Raw, read_frame
from tickcast._websocket import WebSocketLink

_PATIENCE_S = 10.0
_WELCOME = {"type": "welcome", "epoch": "e1", "offset": 5, "heartbeat_ms": 15_000}
_POLL = {"epoch": "e1", "offset": 5, "cursor": "e1:5", "recovered": True, "messages": []}


def heartbeat(offset: int) -> Raw:
    return {"type": "heartbeat", "offset": offset}


class ScriptedLink(WebSocketLink):
    """A connection that brings some messages and ends."""

    def __init__(self, client: Client, messages: list[Raw], end: BaseException) -> None:
        super().__init__(client, 10.0, None)
        self._messages, self._end = messages, end

    async def run(self) -> None:
        await self._core.take(self, [_WELCOME])
        for message in self._messages:
            await self._core.take(self, [message])
        raise self._end


def client_of(*links: tuple[list[Raw], BaseException], queue_max: int = 1_000, on_status: Callable[[Status], None] = lambda _: None) -> Client:
    """Returns a client of these connections, one after another."""
    client = Client("http://localhost/", Options(("websocket",), queue_max=queue_max), on_status)
    following = iter(links)
    client._link_of = lambda transport: ScriptedLink(client, *next(following))  # type: ignore[method-assign]
    return client


async def offsets_of(client: Client) -> list[int]:
    return [message["offset"] async for message in client if message["type"] == "heartbeat"]


async def ended(client: Client) -> BaseException | None:
    """Returns the error that ends an iteration."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            async for _ in client:
                pass
    except Exception as err:
        return err
    return None


class Ends(unittest.IsolatedAsyncioTestCase):
    async def test_a_full_queue_is_read_to_the_last_message_before_the_end_is_raised(self) -> None:
        closed = asyncio.Event()
        end = Ended(Failure("closed", 4500))
        client = client_of(([heartbeat(6)], end), queue_max=3, on_status=lambda status: closed.set() if status.state == "closed" else None)
        client.connect()
        await closed.wait()
        seen = []
        with self.assertRaises(ClosedError):
            async for message in client:
                seen.append(message["type"])
        self.assertEqual(seen, ["open", "welcome", "heartbeat"])
        self.assertIsInstance(await ended(client), ClosedError, "once more, instead of a wait without an end")
        await client.close()

    async def test_a_message_that_waits_for_room_is_read_although_its_connection_is_replaced(self) -> None:
        replaced = asyncio.Event()
        links = ([heartbeat(6), heartbeat(7)], Ended(Failure("hole"))), ([heartbeat(8)], Ended(Failure("closed", 4500)))
        client = client_of(*links, queue_max=3, on_status=lambda status: replaced.set() if status.failure else None)
        client.connect()
        while client.status.state != "live":
            await asyncio.sleep(0)
        client.reconnect()
        await replaced.wait()
        seen = []
        with self.assertRaises(ClosedError):
            async for message in client:
                seen += [message["offset"]] if message["type"] == "heartbeat" else []
        self.assertEqual(seen, [6, 7, 8])
        await client.close()

    async def test_every_reader_of_a_closed_client_comes_to_an_end(self) -> None:
        client = client_of(([], asyncio.CancelledError()))
        readers = [asyncio.create_task(ended(client)) for _ in range(3)]
        await asyncio.sleep(0)
        await client.close()
        self.assertEqual(await asyncio.gather(*readers), [None, None, None])

    async def test_an_error_of_the_application_or_of_the_client_ends_the_iteration(self) -> None:
        for state in ("connecting", "live", "reconnecting", "closed"):
            def on_status(status: Status, state: str = state) -> None:
                if status.state == state:
                    raise LookupError(state)

            failure = Failure("closed", 4500) if state == "closed" else Failure("closed", 1006)
            client = client_of(([], Ended(failure)), on_status=on_status)
            client.connect()
            self.assertIsInstance(await ended(client), LookupError, state)
            self.assertEqual(client.status.state, "closed")
            with self.assertRaises(LookupError) if state == "closed" else mock.MagicMock():
                await client.close()
        client = client_of(([heartbeat(6)], ZeroDivisionError()))
        with self.assertRaises(ZeroDivisionError):
            async with client:
                await offsets_of(client)
        self.assertEqual(client.status.state, "closed")

    async def test_an_error_while_closing_ends_the_iteration_too(self) -> None:
        def on_status(status: Status) -> None:
            if status.state == "closed":
                raise LookupError

        client = Client("http://localhost/", on_status=on_status)
        reader = asyncio.create_task(ended(client))
        await asyncio.sleep(0)
        with self.assertRaises(LookupError):
            await client.close()
        self.assertIsNone(await reader)


class Answers(unittest.IsolatedAsyncioTestCase):
    async def failure_of(self, client: Client) -> Failure | None:
        """Returns why the first connection of a client ends."""
        failures: asyncio.Queue[Failure] = asyncio.Queue()
        client._on_status = lambda status: failures.put_nowait(status.failure) if status.failure else None
        client.connect()
        async with asyncio.timeout(_PATIENCE_S):
            failure = await failures.get()
        await client.close()
        return failure

    async def test_an_answer_to_a_poll_without_one_of_its_keys_is_garbage(self) -> None:
        for key in _POLL:
            for bad in ({name: value for name, value in _POLL.items() if name != key}, _POLL | {key: None}, [_POLL]):
                fetch = mock.AsyncMock(side_effect=[_POLL, bad])
                with mock.patch("tickcast._lines.fetch_json", fetch):
                    client = Client("http://localhost/", Options(("poll",)))
                    client.subscribe("AAPL")
                    self.assertEqual(await self.failure_of(client), Failure("garbage"), f"{bad}")

    async def test_without_subscriptions_an_answer_without_an_epoch_is_garbage(self) -> None:
        answers: tuple[Any, ...] = ({}, {"epoch": 7}, [], None)
        for bad in answers:
            with mock.patch("tickcast._lines.fetch_json", mock.AsyncMock(return_value=bad)):
                self.assertEqual(await self.failure_of(Client("http://localhost/", Options(("sse",)))), Failure("garbage"), f"{bad}")

    async def test_an_event_of_a_stream_that_lacks_a_key_is_garbage(self) -> None:
        for bad in ({"type": "welcome"}, {"type": "goodbye"}):
            async def stream(*_: Any, bad: Raw = bad) -> AsyncGenerator[StreamEvent, None]:
                yield StreamEvent(json.dumps([bad]), "e1:5")

            with mock.patch("tickcast._lines.fetch_json", mock.AsyncMock(return_value=_POLL)), mock.patch("tickcast._lines.read_stream", stream):
                client = Client("http://localhost/", Options(("sse",)))
                client.subscribe("AAPL")
                self.assertEqual(await self.failure_of(client), Failure("garbage"), f"{bad}")

    def test_a_message_with_a_value_of_another_kind_is_garbage(self) -> None:
        snapshot = dict.fromkeys(("offset", "ts", "price", "open", "high", "low", "prev_close", "volume"), 1) | {"type": "snapshot", "symbol": "A"}
        trade = dict.fromkeys(("seq", "offset", "ts", "price", "size"), 1) | {"type": "trade", "symbol": "A"}
        for good, bad in (
            (_WELCOME, {"epoch": 7}), (_WELCOME, {"offset": "5"}), (_WELCOME, {"heartbeat_ms": "15"}), (_WELCOME, {"offset": 10**400}),
            ({"type": "goodbye", "reason": "full"}, {"reason": []}), ({"type": "goodbye", "reason": "full"}, {"retry_after_ms": "soon"}),
            ({"type": "subscribed"}, {"id": []}), ({"type": "error", "code": "unknown_symbol"}, {"symbols": [[]]}), ({"type": "error", "code": "unknown_symbol"}, {"symbols": 5}),
            (trade, {"skipped": "1"}), (snapshot | {"seq": {"trades": 1}}, {"seq": {"trades": "1"}}),
            # Before the first trade and quote of a symbol there is no value.
            ({"type": "snapshot", "symbol": "A", "offset": 1, "volume": 0, "seq": {}}, {"bid": "1"}), (snapshot | {"seq": {}}, {"symbol": 7}),
        ):
            self.assertEqual(read_frame(json.dumps([good])), [good])
            with self.assertRaises(GarbledError, msg=f"{good} {bad}"):
                read_frame(json.dumps([good | bad]))
        with self.assertRaises(GarbledError):
            read_frame("[" * 100_000)


if __name__ == "__main__":
    unittest.main()
