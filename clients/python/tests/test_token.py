"""Checks that the application's token goes with every connection and request, and renews the key on the open connection."""

import asyncio
import unittest
from typing import Any
from unittest import mock

from tickcast import Client, Options
from tickcast._messages import Raw
from tickcast._websocket import WebSocketLink

_WELCOME = {"type": "welcome", "epoch": "e1", "offset": 5, "heartbeat_ms": 15_000}
_POLL = {"epoch": "e1", "offset": 5, "cursor": "e1:5", "recovered": True, "messages": []}
_EXPIRING = {"type": "auth_expiring", "expires_at": 5}
_REFUSED = {"type": "error", "code": "unauthorized", "message": "no such key"}


async def turn() -> None:
    """Lets everything that is due happen."""
    for _ in range(30):
        await asyncio.sleep(0)


class Tokens:
    """Gives numbered tokens, or fails."""

    def __init__(self, *fails: int) -> None:
        self.calls = 0
        self._fails = fails

    async def __call__(self) -> str | None:
        self.calls += 1
        if self.calls in self._fails:
            raise OSError("no network")
        return f"t{self.calls}"


class SilentLink(WebSocketLink):
    """A connection that the test speaks for."""

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def say(self, *messages: Raw) -> None:
        await self._core.take(self, list(messages))

    @property
    def renewals(self) -> list[Raw]:
        return [request for request in self._requests._queue if request["action"] == "auth"]  # type: ignore[attr-defined]


class Renewals(unittest.IsolatedAsyncioTestCase):
    async def live(self, tokens: Tokens | None) -> SilentLink:
        client = Client("http://localhost/", Options(("websocket",), token=tokens))
        link = SilentLink(client, 10.0, None)
        client._link_of = lambda transport: link  # type: ignore[method-assign]
        self.addAsyncCleanup(client.close)
        client.connect()
        await turn()
        await link.say(_WELCOME)
        link._socket = mock.AsyncMock()
        return link

    async def test_a_key_that_ends_soon_is_renewed_on_the_open_connection(self) -> None:
        link = await self.live(Tokens())
        await link.say(_EXPIRING)
        await turn()
        self.assertEqual([request["token"] for request in link.renewals], ["t1"])
        await link.say({"type": "auth", "id": link.renewals[0]["id"], "name": "a", "expires_at": 9})
        self.assertTrue(link.is_ready)

    async def test_a_renewal_that_fails_is_tried_again(self) -> None:
        delays: list[float] = []

        async def sleep(delay_s: float, real: Any = asyncio.sleep) -> None:
            delays.append(delay_s)
            await real(0)

        tokens = Tokens(1)
        link = await self.live(tokens)
        with mock.patch("tickcast._websocket.asyncio.sleep", sleep):
            await link.say(_EXPIRING)
            while not link.renewals:
                await sleep(0)
            self.assertEqual(link.renewals[0]["token"], "t2", "the first call has failed")
            await link.say(_REFUSED | {"id": link.renewals[0]["id"]})
            while len(link.renewals) < 2:
                await sleep(0)
        self.assertEqual(link.renewals[1]["token"], "t3")
        self.assertEqual(len([delay_s for delay_s in delays if delay_s > 10]), 2)

    async def test_without_the_option_nothing_is_renewed(self) -> None:
        link = await self.live(None)
        await link.say(_EXPIRING)
        await turn()
        self.assertEqual(link.renewals, [])

    async def test_a_symbol_that_the_wildcard_gains_begins_with_its_snapshot(self) -> None:
        link = await self.live(Tokens())
        gate = link._core.place.gate
        link._core.place.wishes.add(["*"], ["trades"], mock.ANY)
        link.control({"type": "subscribed", "subscriptions": []})
        snapshot = {"type": "snapshot", "symbol": "MSFT", "offset": 9, "seq": {"trades": 7}}
        self.assertEqual(gate.judge(snapshot, link), "pass")


class Connections(unittest.IsolatedAsyncioTestCase):
    async def test_each_connection_asks_for_a_token_and_sends_it(self) -> None:
        seen: list[tuple[str | None, ...]] = []

        async def connect(*_: Any, additional_headers: dict[str, str], **__: Any) -> None:
            seen.append((additional_headers.get("Authorization"),))
            raise OSError

        async def fetch_json(*arguments: Any) -> Any:
            seen.append(arguments[3:])
            return _POLL

        tokens = Tokens()
        with mock.patch("tickcast._websocket.connect", connect), mock.patch("tickcast._lines.fetch_json", fetch_json):
            async with Client("http://localhost/", Options(("websocket", "poll"), token=tokens)) as client:
                client.subscribe("AAPL")
                async with asyncio.timeout(10):
                    while len(seen) < 2:
                        await asyncio.sleep(0)
        self.assertEqual(seen[:2], [("Bearer t1",), ("t2",)])

    async def test_a_function_that_raises_is_a_failure_of_its_own(self) -> None:
        failures: list[str] = []
        failed = asyncio.Event()

        def on_status(status: Any) -> None:
            if status.failure:
                failures.append(status.failure.cause)
                failed.set()

        async with Client("http://localhost/", Options(("websocket",), token=Tokens(1)), on_status):
            async with asyncio.timeout(10):
                await failed.wait()
        self.assertEqual(failures[0], "token")


if __name__ == "__main__":
    unittest.main()
