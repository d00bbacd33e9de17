"""One WebSocket: sends the requests that make its subscriptions the wanted ones, resumes with the cursor, and computes the cursor."""

import asyncio
import json
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.http11 import Response
from websockets.typing import Subprotocol

from ._audit import Audit, Scope
from ._closing import ABNORMAL, Ended, Failure
from ._core import Core
from ._http import PASSING, retry_after_ms_of
from ._messages import GarbledError, Raw, Transport, read_frame, topic_of
from ._wishes import Group, Wanted, Way, among, changes_of, groups_of, without

_SUBPROTOCOL = Subprotocol("tickcast.v1.json")
_CLOSE_TIMEOUT_S = 2.0
#: The wait after a refusal for too much work that names none.
_WAIT_MS = 1_000
#: After this time another renewal is tried. The server permits one in ten seconds.
_RENEW_S = 10.5


@dataclass
class _Asked:
    """A request without an answer."""

    group: Group
    is_resumed: bool
    sent_s: float


class WebSocketLink:
    transport: Transport = "websocket"

    def __init__(self, core: Core, timeout_s: float, tls: ssl.SSLContext | None) -> None:
        self.is_ready = False
        self._core = core
        self._timeout_s = timeout_s
        self._tls = tls
        self._socket: ClientConnection | None = None
        self._requests: asyncio.Queue[Raw] = asyncio.Queue()
        self._asked: Wanted = {}
        self._pending: dict[int, _Asked] = {}
        # Timers of subscriptions that the server has put off.
        self._timers: list[asyncio.TimerHandle] = []
        self._next_id = 1
        self._is_first = True
        # Whether events come in the order of the stream, because no recovery is running: then the newest one is the cursor.
        self._is_settled = False
        self._newest_offset = -1
        # The offset of the `welcome`: no topic of this connection begins before it.
        self._begun_offset = 0
        self._pinged_s: float | None = None
        self._retry_after_ms: float | None = None
        # Renews the key, and the id of the request without an answer.
        self._renewing: asyncio.Task[None] | None = None
        self._renewal: int | None = None
        self._heard_s = time.monotonic()
        self._audit = Audit(core, tls, lambda: Scope(list(core.place.wishes.wanted), lambda symbol, topic: True))

    async def run(self) -> None:
        """Serves the connection; raises Ended when it has ended."""
        url = self._core.url_of("ws", is_socket=True)
        token = await self._core.token()
        try:
            # Pings of this library would not bring a cursor; those of this client do.
            self._socket = await connect(
                url, subprotocols=[_SUBPROTOCOL], compression=None, open_timeout=self._timeout_s, ping_interval=None,
                close_timeout=_CLOSE_TIMEOUT_S, max_size=None,
                ssl=(self._tls or True) if url.startswith("wss") else None,
                additional_headers={} if token is None else {"Authorization": f"Bearer {token}"},
            )
        except InvalidStatus as err:
            raise Ended(_refusal(err.response)) from err
        except (OSError, TimeoutError, WebSocketException) as err:
            raise Ended(Failure("unreachable", ABNORMAL, is_blocked=True)) from err
        sender = asyncio.create_task(self._send_requests(self._socket))
        try:
            async for text in self._socket:
                self._heard_s = time.monotonic()
                if not isinstance(text, str):
                    raise GarbledError("not a text message")
                await self._core.take(self, read_frame(text))
        except GarbledError as err:
            raise Ended(Failure("garbage")) from err
        except ConnectionClosed:
            pass
        finally:
            sender.cancel()
            for timer in self._timers:
                timer.cancel()
            if self._renewing is not None:
                self._renewing.cancel()
            self._audit.stop()
            self._socket.transport.abort()
        code, reason = self._socket.close_code or ABNORMAL, self._socket.close_reason or ""
        raise Ended(Failure("closed", code, reason, retry_after_ms=self._retry_after_ms, is_blocked=not self.is_ready and code == ABNORMAL))

    async def _send_requests(self, socket: ClientConnection) -> None:
        while True:
            request = await self._requests.get()
            try:
                await socket.send(json.dumps(request))
            except ConnectionClosed:
                return

    def control(self, message: Raw) -> bool:
        """Takes a message that concerns the connection. Returns whether the application is to see it."""
        match message["type"]:
            case "welcome":
                self._core.place.meet(message["epoch"])
                self._begun_offset = message["offset"]
                self._core.enter(self, message)
            case "subscribed":
                return self._on_answer(message)
            case "error":
                if self._renewal is not None and message.get("id") == self._renewal:
                    self._renew(_RENEW_S)
                else:
                    self._on_error(message)
            case "auth_expiring":
                self._renew(0.0)
            case "auth":
                self._renewal = None
            case "pong":
                self._pinged_s = None
                self._settle(message["offset"])
            case "heartbeat":
                self._settle(message["offset"])
            case "epoch":
                self._on_epoch(message)
            case "goodbye":
                self._retry_after_ms = message.get("retry_after_ms")
        return True

    def passed(self, message: Raw) -> None:
        """Notes a message that has passed the gate."""
        if message["type"] == "snapshot":
            # Until the first answer to a ping, so that a connection that is lost before it is resumed all the same.
            self._core.place.start(self._begun_offset)
        if topic_of(message) is not None:
            self._audit.hear()
            self._newest_offset = max(self._newest_offset, message["offset"])
            if self._is_settled:
                self._core.place.reached(message["offset"], is_exact=False)

    def _on_epoch(self, message: Raw) -> None:
        place, moved = self._core.place, message.get("moved", False)
        if moved:
            # What is to be resumed is of the time before; the answer to the request brings snapshots.
            for group in [asked.group for asked in self._pending.values() if asked.is_resumed]:
                for symbol in group.symbols:
                    place.gate.forget(symbol, group.channels)
        place.move_to(message["epoch"], moved, self, place.wishes.wanted)
        if place.cursor is not None:
            place.reached(message["offset"], is_exact=True)
        self._begun_offset = message["offset"]

    def _on_answer(self, answer: Raw) -> bool:
        if "id" not in answer:
            # After a renewal; `"*"` may mean more symbols now, whose snapshots follow.
            self._core.place.gate.extend(self)
            return False
        # An unsubscription is answered, too; and a repeated answer must not have an effect.
        asked = self._pending.pop(answer["id"], None)
        if asked is None:
            return False
        gate = self._core.place.gate
        # Answers come in order, so the snapshots of an earlier request for every symbol have come.
        gate.settle(self)
        if not asked.is_resumed or answer.get("recovered") is not True:
            if asked.is_resumed:
                self._core.place.lose(asked.group.symbols, asked.group.channels)
            gate.expect(asked.group.symbols, asked.group.channels, self)
        if not self._pending:
            # The answer to this ping is a cursor that covers the subscription.
            self.ping()
        return True

    def _postpone(self, number: int, asked: _Asked, wait_s: float) -> None:
        """Asks again when the server permits it."""
        # It stays pending, so that the cursor does not pass what is not subscribed yet.
        self._pending[number] = replace(asked, sent_s=time.monotonic() + wait_s)

        def ask() -> None:
            if self._pending.pop(number, None) is None:
                return
            # The application may want something else by now.
            self._subscribe(among(self._asked, asked.group), asked.is_resumed)
            if not self._pending:
                self.ping()

        self._timers.append(asyncio.get_running_loop().call_later(wait_s, ask))

    def _renew(self, delay_s: float) -> None:
        """Renews the key on this connection, with a new token of the application."""
        if self._renewing is not None:
            self._renewing.cancel()
        self._renewal = None
        self._renewing = asyncio.create_task(self._send_token(delay_s))

    async def _send_token(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        # The server goes on for some time after the end of the key.
        while True:
            try:
                token = await self._core.token(is_fresh=True)
            except Ended:
                await asyncio.sleep(_RENEW_S)
                continue
            if token is not None:
                self._renewal = self._send({"action": "auth", "token": token})
            return

    def _on_error(self, error: Raw) -> None:
        if error.get("code") == "unknown_symbol":
            self._core.place.wishes.exclude(error.get("symbols", []))
            self._asked = without(self._asked, error.get("symbols", []))
            return
        number = error.get("id", 0)
        if error.get("code") == "rate_limited" and number in self._pending:
            self._postpone(number, self._pending[number], error.get("retry_after_ms", _WAIT_MS) / 1_000)
            return
        # Nothing of the request is subscribed, and it would be refused again.
        asked = self._pending.pop(number, None)
        if asked is not None:
            self._core.place.wishes.remove(asked.group.symbols, asked.group.channels)
            self._asked = without(self._asked, asked.group.symbols, asked.group.channels)

    def _settle(self, offset: int) -> None:
        if self._pending:
            return
        self._core.place.reached(offset, is_exact=True)
        if offset >= self._newest_offset:
            self._is_settled = True
            self._core.place.gate.settle(self)

    def update(self) -> None:
        """Makes the subscriptions the wanted ones."""
        if not self.is_ready:
            return
        wanted = self._core.place.wishes.wanted
        removed, added = changes_of(self._asked, wanted)
        self._asked = wanted
        # Unsubscribing first makes room within the server's limit. Without channels, a request ends all of a symbol.
        alike: dict[tuple[str, ...], list[str]] = {}
        for symbol, channels in removed.items():
            alike.setdefault(tuple(sorted(channels)) if symbol in wanted else (), []).append(symbol)
        for key, symbols in alike.items():
            self._send({"action": "unsubscribe", "symbols": symbols, **({"channels": list(key)} if key else {})})
        # Later requests add topics without a past, or change the mode in place: their snapshots are wanted.
        self._subscribe(added, self._is_first)
        self._is_first = False

    def refresh(self) -> None:
        """Subscribes to everything again, without the cursor: a snapshot of each symbol comes."""
        if self.is_ready:
            self._subscribe(self._asked, False)

    def _subscribe(self, wanted: Wanted, may_resume: bool) -> None:
        place = self._core.place

        def after_of(symbol: str, channels: Iterable[str], way: Way) -> int | None:
            return place.after_of(symbol, channels, way.mode) if may_resume else None

        groups = groups_of(wanted, lambda symbol, channel, way: after_of(symbol, [channel], way))
        afters = [(group, after_of(group.symbols[0], group.channels, group.way)) for group in groups]
        # Topics that are resumed first: others would begin behind the cursor, and the server recovers only what goes back to it.
        for group, after in sorted(afters, key=lambda each: each[1] is None):
            symbols, channels, way = group
            if may_resume and after is None:
                place.lose(symbols, channels)
            request: dict[str, Any] = {"action": "subscribe", "symbols": symbols, "channels": channels, **self._core.lag_option}
            if way.mode != "all":
                request |= {"mode": way.mode, "max_hz": way.max_hz}
            if after is not None:
                request["after"] = {"epoch": place.epoch, "offset": after}
            self._pending[self._send(request)] = _Asked(group, after is not None, time.monotonic())
            # Missed events of a recovery, and events held back by a rate, come out of order.
            self._is_settled = False

    def ping(self) -> None:
        """Sends a ping."""
        self._pinged_s = self._pinged_s or time.monotonic()
        self._send({"action": "ping", "ts": time.time_ns() // 1_000})

    def _send(self, request: Raw) -> int:
        number = self._next_id
        self._next_id += 1
        self._requests.put_nowait({**request, "id": number})
        return number

    def owed_for(self, now_s: float) -> float:
        """Returns how long the server owes an answer, in seconds."""
        since = [asked.sent_s for asked in self._pending.values()]
        return now_s - min([self._pinged_s or now_s, *since])

    def silent_for(self, now_s: float) -> float:
        """Returns for how many seconds nothing has come."""
        return now_s - self._heard_s

    def is_behind(self, now_s: float, quiet_s: float) -> bool:
        """Returns whether no events come although there are some."""
        return self._audit.is_behind(now_s, quiet_s)

    async def close(self) -> None:
        """Closes the socket, and waits for the closing handshake."""
        if self._socket is not None:
            await self._socket.close()


def _refusal(answer: Response) -> Failure:
    status = answer.status_code
    retry_after_ms = retry_after_ms_of(next(iter(answer.headers.get_all("Retry-After")), ""))
    # A server that is full says when to come back. A proxy that blocks upgrades may answer with any other status, even 503, and says nothing.
    is_busy = status == 429 or (status in PASSING and retry_after_ms is not None)
    return Failure("refused", status=status, retry_after_ms=retry_after_ms, is_blocked=not is_busy)
