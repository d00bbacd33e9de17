"""Checks how often a client connects to a server that ends every connection, with a clock of the test's own.

Never in a tight loop, never before it was told to, and not in step with others.
"""

import asyncio
import json
import random
import selectors
import unittest
from collections.abc import AsyncGenerator
from typing import Any
from unittest import mock

from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from tickcast import Client, ClosedError, Failure, Options
from tickcast._closing import Ended, advice_of
from tickcast._http import RequestError, StreamEvent
from tickcast._messages import Raw, Transport
from tickcast._silences import Silences

_MINUTE_S = 60.0
#: The attempts of one minute: three transports, and half the longest delay.
_PER_MINUTE_MAX = 3 * 9
#: Those of the first minute, whose delays begin with a quarter of a second.
_FIRST_MINUTE_MAX = 3 * 12


class QuickLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer."""

    def __init__(self) -> None:
        self.now_s = 0.0
        selector = selectors.SelectSelector()
        real = selector.select

        def select(timeout: float | None = None) -> Any:
            self.now_s += timeout or 0.0
            return real(0)

        selector.select = select  # type: ignore[method-assign]
        super().__init__(selector)

    def time(self) -> float:
        return self.now_s


class HostileLink:
    """A connection that ends at once."""

    def __init__(self, client: Client, transport: Transport, ends: list[tuple[float, Transport, Failure, bool]], failure: Failure, is_ready: bool) -> None:
        self.transport, self.is_ready = transport, False
        self._client, self._ends, self._failure, self._becomes_ready = client, ends, failure, is_ready

    async def run(self) -> None:
        self._ends.append((asyncio.get_running_loop().time(), self.transport, self._failure, self._becomes_ready))
        if self._becomes_ready:
            await asyncio.sleep(0)
            self._client.enter(self, {"heartbeat_ms": 15_000})
        raise Ended(self._failure)

    def update(self) -> None: ...
    def refresh(self) -> None: ...
    def ping(self) -> None: ...
    def owed_for(self, now_s: float) -> float: return 0.0
    def silent_for(self, now_s: float) -> float: return 0.0
    def is_behind(self, now_s: float, quiet_s: float) -> bool: return False
    def control(self, message: Raw) -> bool: return True
    def passed(self, message: Raw) -> None: ...
    async def close(self) -> None: ...


Ends = list[tuple[float, Transport, Failure, bool]]


def attempts_of(seed: int, seconds: float, failure_of: Any, transports: tuple[Transport, ...] = ("websocket", "sse", "poll")) -> Ends:
    """Returns the attempts of a client within some seconds."""
    ends: Ends = []
    loop = QuickLoop()
    rand = random.Random(seed)

    class HostileClient(Client):
        def _link_of(self, transport: Transport) -> Any:
            failure, is_ready = failure_of(rand, transport)
            return HostileLink(self, transport, ends, failure, is_ready)

    async def run() -> None:
        client = HostileClient("http://localhost/", Options(transports=transports, random=rand.random))
        client.connect()
        await asyncio.sleep(seconds)
        await client.close()

    with mock.patch("time.monotonic", loop.time):
        try:
            loop.run_until_complete(run())
        finally:
            loop.close()
    return ends


def refused_attempts(status: int, retry_after_s: str | None, is_blocked_first: bool = False) -> list[tuple[float, str]]:
    """Returns when a client tries which transport within ten minutes.

    No stream gets through, polls do, and the upgrade is refused like this, the first one as by a proxy if it is so wanted.
    """
    attempts: list[tuple[float, str]] = []
    loop = QuickLoop()

    async def connect(url: str, **_: object) -> None:
        attempts.append((loop.time(), "websocket"))
        is_proxy = is_blocked_first and len(attempts) == 1
        headers = {} if retry_after_s is None or is_proxy else {"Retry-After": retry_after_s}
        raise InvalidStatus(Response(403 if is_proxy else status, "", Headers(headers)))

    async def stream(url: str, *_: object) -> AsyncGenerator[StreamEvent, None]:
        attempts.append((loop.time(), "sse"))
        raise RequestError(Failure("refused", status=403, is_blocked=True))
        yield StreamEvent(None, None)

    async def fetch(url: str, *_: object) -> Raw:
        if "wait_ms=25000" in url:
            attempts.append((loop.time(), "poll"))
            await asyncio.sleep(25)
        return json.loads('{"epoch":"e1","offset":5,"cursor":"e1:5","recovered":true,"messages":[]}')  # type: ignore[no-any-return]

    async def run() -> None:
        client = Client("http://localhost/", Options(random=lambda: 0.0))
        client.subscribe("AAPL")
        client.connect()
        await asyncio.sleep(600)
        await client.close()

    with (
        mock.patch("time.monotonic", loop.time), mock.patch("tickcast._websocket.connect", connect),
        mock.patch("tickcast._lines.read_stream", stream), mock.patch("tickcast._lines.fetch_json", fetch),
    ):
        try:
            loop.run_until_complete(run())
        finally:
            loop.close()
    return attempts


class Pace(unittest.TestCase):
    def check_pace(self, ends: Ends, minutes: int, what: object) -> None:
        for begun_s in range(0, int(minutes * _MINUTE_S), 5):
            count = sum(begun_s <= at_s < begun_s + _MINUTE_S for at_s, *_ in ends)
            self.assertLessEqual(count, _FIRST_MINUTE_MAX if begun_s < _MINUTE_S else _PER_MINUTE_MAX, f"{what} from {begun_s} s")

    def test_a_server_that_closes_at_once_is_not_asked_more_often_than_its_delays_allow(self) -> None:
        for failure, is_ready in (
            (Failure("closed", 1000), True), (Failure("closed", 1001, retry_after_ms=0), True), (Failure("closed", 1006), True),
            (Failure("unreachable", 1006, is_blocked=True), False), (Failure("closed", 4004, retry_after_ms=0), True),
            (Failure("silent"), True), (Failure("hole"), True), (Failure("garbage"), True),
        ):
            ends = attempts_of(1, 4 * _MINUTE_S, lambda rand, transport, failure=failure, is_ready=is_ready: (failure, is_ready))
            self.assertGreaterEqual(len(ends), 15, f"it goes on after {failure}")
            self.check_pace(ends, 4, failure)

    def test_whatever_servers_say_a_client_obeys_their_delays_and_codes(self) -> None:
        codes = [1000, 1001, 1006, 1011, 1013, 4000, 4001, 4002, 4003, 4004]
        for seed in range(60):
            more = [1002, 1009, 4501] if seed % 4 == 0 else []

            def failure_of(rand: random.Random, transport: Transport, more: list[int] = more) -> tuple[Failure, bool]:
                code, told_ms = rand.choice(codes + more), rand.choice([None, None, 0.0, 50.0, 840.0, 40_000.0])
                return Failure("closed", code, retry_after_ms=told_ms), rand.random() < 0.7

            ends = attempts_of(seed, 3 * _MINUTE_S, failure_of)
            self.check_pace(ends, 3, f"seed {seed}")
            for (at_s, _, failure, _), (next_s, *_) in zip(ends, ends[1:]):
                advice = advice_of(failure.code or 0)
                self.assertTrue(advice.reconnects, f"seed {seed}: an attempt after {failure}")
                least_s = max(advice.delay_ms, failure.retry_after_ms or 0) / 1_000
                self.assertGreaterEqual(next_s - at_s, least_s - 1e-6, f"seed {seed}: {failure}")
            if advice_of(ends[-1][2].code or 0).reconnects:
                self.assertGreater(len(ends), 3, f"seed {seed}: it goes on")

    def test_an_upgrade_that_is_refused_for_a_while_is_tried_again_and_no_other_transport_is(self) -> None:
        for status, retry_after_s, transport in (
            (429, "40", "websocket"), (503, "40", "websocket"), (429, None, "websocket"), (503, None, "sse"), (503, "Wed, 21 Oct 2026 07:28:00 GMT", "sse"),
            (403, None, "sse"), (403, "40", "sse"), (426, None, "sse"), (502, None, "sse"),
        ):
            attempts = refused_attempts(status, retry_after_s)
            self.assertGreater(len(attempts), 2)
            (begun_s, first), (next_s, second) = attempts[:2]
            self.assertEqual((first, second), ("websocket", transport), f"{status} {retry_after_s}")
            if transport == "websocket":
                self.assertEqual({each for _, each in attempts}, {"websocket"}, f"{status} {retry_after_s}")
                self.assertGreaterEqual(next_s - begun_s, float(retry_after_s or 0.25), f"{status} {retry_after_s}")

    def test_a_better_transport_that_is_refused_for_a_while_is_tried_again_after_it_and_no_other_one_is(self) -> None:
        for retry_after_s, least_s in (("200", 200.0), ("1", 45.0)):
            attempts = refused_attempts(503, retry_after_s, is_blocked_first=True)
            self.assertEqual([each for _, each in attempts[:3]], ["websocket", "sse", "poll"])
            later = [(at_s, each) for at_s, each in attempts[3:] if each != "poll"]
            self.assertEqual({each for _, each in later}, {"websocket"})
            self.assertGreaterEqual(later[1][0] - later[0][0], least_s)

    def test_clients_that_were_told_the_same_delay_come_back_at_different_moments(self) -> None:
        told = Failure("closed", 1001, retry_after_ms=10_000)
        moments = {attempts_of(seed, 12, lambda rand, transport: (told, True), ("websocket",))[1][0] for seed in range(20)}
        self.assertGreater(len(moments), 15)
        self.assertGreaterEqual(min(moments), 10.0)

    def test_a_client_that_is_closed_for_good_raises(self) -> None:
        async def read() -> None:
            async with Client("http://localhost/") as client:
                client._link_of = lambda transport: HostileLink(client, transport, [], Failure("closed", 1002), True)  # type: ignore[method-assign]
                async for _ in client:
                    pass

        with self.assertRaises(ClosedError):
            asyncio.run(read())

    def test_a_server_that_answers_long_polls_at_once_with_nothing_is_asked_twice_a_second(self) -> None:
        loop, polls = QuickLoop(), 0

        async def fetch(url: str, timeout_s: float, tls: object, token: str | None) -> Raw:
            nonlocal polls
            polls += 1
            return json.loads('{"epoch":"e1","offset":5,"cursor":"e1:5","recovered":true,"messages":[]}')  # type: ignore[no-any-return]

        async def run() -> None:
            client = Client("http://localhost/", Options(transports=("poll",)))
            client.subscribe("AAPL")
            client.connect()
            await asyncio.sleep(10)
            await client.close()

        with mock.patch("time.monotonic", loop.time), mock.patch("tickcast._lines.fetch_json", fetch):
            loop.run_until_complete(run())
            loop.close()
        self.assertTrue(10 < polls < 30, f"{polls} polls in 10 s")

    def test_a_transport_is_left_at_its_second_silence_in_a_row_and_tried_again_later_each_time(self) -> None:
        silences = Silences(60)
        delays = [(silences.note("websocket", at_s), silences.upgrade_delay(0.5)) for at_s in range(0, 700, 100)]
        self.assertEqual(delays, [(False, 60), (True, 60), (True, 120), (True, 240), (True, 480), (True, 480), (True, 480)])
        self.assertFalse(silences.note("sse", 600), "each transport counts for itself")
        self.assertFalse(silences.note("websocket", 1_300), "long ago")


if __name__ == "__main__":
    unittest.main()
