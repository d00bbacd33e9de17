"""The client: which transport is used and when it is tried again, the watchdog, and the messages for the application."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Literal, Self, cast
from urllib.parse import quote, urlsplit, urlunsplit

from ._closing import ABNORMAL, Backoff, ClosedError, Ended, Failure, advice_of
from ._core import Link
from ._inbox import Inbox
from ._lines import LineLink
from ._messages import Channel, Message, Raw, Reset, Transport, suspicion_of, topic_of
from ._options import Options, Status
from ._place import Place
from ._silences import Silences
from ._websocket import WebSocketLink
from ._wishes import Way

_CHECK_S = 0.25
#: A check that is so late means that the machine, or the application, stood still.
_LATE_S = 1.5
#: After a connection that lived this long the delays start from the shortest.
_HELD_S = 5.0
_HEARTBEAT_MS = 15_000


@dataclass
class _Attempt:
    link: Link
    task: asyncio.Task[None]
    begun_s: float = field(default_factory=time.monotonic)


class Client:
    """A client of one server. It is an asynchronous context manager, and iterates over the messages."""

    def __init__(self, url: str, options: Options | None = None, on_status: Callable[[Status], None] = lambda _: None) -> None:
        """Takes the address of the server, with its base path. Connects when the context is entered."""
        parts = urlsplit(url)
        path = parts.path if parts.path.endswith("/") else parts.path + "/"
        self._base = urlunsplit((parts.scheme.replace("ws", "http"), parts.netloc, path, "", ""))
        self._options = options or Options()
        self._on_status = on_status
        self.status = Status()
        self.place = Place(self._on_reset)
        self.lag_option = {"on_lag": "close"} if self._options.on_lag == "close" else {}
        self.account = self._options.account
        self._inbox = Inbox(self._options.queue_max)
        # Messages of this client, which are passed on before the next ones of the server.
        self._own: list[Message] = []
        self._backoff = Backoff(self._options.random)
        self._silences = Silences(self._options.upgrade_s)
        self._link: _Attempt | None = None
        # A better transport that is being tried while the link works.
        self._candidate: _Attempt | None = None
        self._heartbeat_ms: float = _HEARTBEAT_MS
        self._pinged_s = 0.0
        # When the application last read too slowly: until then the silence is its own.
        self._waited_s = 0.0
        self._first = 0
        self._upgrade_at_s = 0.0
        self._is_update_due = False
        self._is_asked = False
        self._is_closing = False
        # The token of the present connection, once the application has been asked for it.
        self._token: asyncio.Future[str | None] | None = None
        self._wake = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None

    # For the application.

    @property
    def epoch(self) -> str:
        """The run of the server that the last connection had; empty before the first."""
        return self.place.epoch

    @property
    def cursor(self) -> tuple[str, int] | None:
        """Epoch and offset: every event up to it has come. None before the first snapshots."""
        return self.place.cursor

    async def __aenter__(self) -> Self:
        self.connect()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def connect(self) -> None:
        """Connects."""
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())

    def subscribe(
        self, symbols: str | Iterable[str], channels: Iterable[Channel] = ("trades",), *,
        mode: Literal["all", "latest"] | None = None, max_hz: float | None = None,
    ) -> None:
        """Subscribes, now and on every later connection; ``"*"``: to all symbols. With ``max_hz`` the mode is ``latest``."""
        self.place.wishes.add(_names_of(symbols), channels, Way(mode or ("all" if max_hz is None else "latest"), max_hz))
        self._update_soon()

    def unsubscribe(self, symbols: str | Iterable[str], channels: Iterable[Channel] | None = None) -> None:
        """Ends subscriptions; of all channels if none is named."""
        self.place.wishes.remove(_names_of(symbols), channels)
        self._update_soon()

    def refresh(self) -> None:
        """Requests a snapshot of every subscribed symbol."""
        if self._link:
            self._link.link.refresh()

    def reconnect(self) -> None:
        """Abandons the connection and opens another one at once, which resumes where this one was."""
        self._is_asked = True
        self._wake.set()

    def __aiter__(self) -> AsyncIterator[Message]:
        """Iterates over the messages until the client is closed.

        Raises ClosedError if the server has closed the connection for good, and an error of ``on_status``, which closes the client, too.
        """
        return self._inbox.read()

    async def close(self) -> None:
        """Ends the subscriptions and the connection. Waits for the server's answer for up to two seconds."""
        if self._is_closing:
            return
        self._is_closing = True
        try:
            if self._link and self._link.link.is_ready:
                await self._link.link.close()
            if self._runner:
                self._runner.cancel()
                await asyncio.gather(self._runner, return_exceptions=True)
            self._set_status(state="closed", transport=None, retry_in_s=None, failure=None)
        finally:
            self._inbox.end(None)

    # Connections.

    async def _run(self) -> None:
        try:
            failure = await self._reconnect()
            if not self._is_closing:
                self._set_status(state="closed", transport=None, retry_in_s=None, failure=failure)
                self._inbox.end(ClosedError(failure))
        except Exception as err:
            # Of `on_status`, or of this package. Nobody awaits this task, so it goes to the reader, who would wait for ever.
            self._inbox.end(err)
            with suppress(Exception):
                self._set_status(state="closed", transport=None, retry_in_s=None, failure=None)
        finally:
            self._drop()

    async def _reconnect(self) -> Failure:
        """Serves one connection after another. Returns why no other one follows."""
        index, failure = 0, None
        while True:
            failure = await self._connect(index, failure)
            advice = advice_of(failure.code or ABNORMAL)
            attempt = cast(_Attempt, self._link)
            if self._is_closing or not advice.reconnects:
                return failure
            if not advice.keeps_cursor:
                self.place.restart()
            at = self._options.transports.index(attempt.link.transport)
            is_blocked = failure.is_blocked
            if attempt.link.is_ready and failure.cause in ("silent", "late"):
                is_blocked = self._silences.note(attempt.link.transport, time.monotonic())
            if is_blocked and at + 1 < len(self._options.transports):
                index = at + 1
                continue
            if attempt.link.is_ready and time.monotonic() - attempt.begun_s > _HELD_S:
                self._backoff.reset()
            if failure.retry_after_ms is not None:
                self._backoff.tell(failure.retry_after_ms)
            if failure.cause != "asked":
                await self._pause(failure, advice.delay_ms)
            index = 0 if time.monotonic() >= self._upgrade_at_s else self._first

    async def _pause(self, failure: Failure, least_ms: float) -> None:
        # A wait for an answer was delay enough, and a hole is no fault of the connection.
        delay_s = self._backoff.next(0 if failure.cause in ("silent", "late", "hole") else least_ms) / 1_000
        self._set_status(state="reconnecting", retry_in_s=delay_s, failure=failure)
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), delay_s)
        except TimeoutError:
            pass

    def _open(self, index: int) -> _Attempt:
        self._token = None
        link = self._link_of(self._options.transports[index])
        return _Attempt(link, asyncio.create_task(link.run()))

    def _link_of(self, transport: Transport) -> Link:
        if transport == "websocket":
            return WebSocketLink(self, self._options.connect_timeout_s, self._options.tls)
        return LineLink(self, transport, self._options.tls)

    def _drop(self) -> None:
        for attempt in (self._link, self._candidate):
            if attempt:
                attempt.task.cancel()
        self._candidate = None
        self.place.gate.disconnect()

    async def _connect(self, index: int, failure: Failure | None) -> Failure:
        """Serves a connection. Returns why it has ended."""
        state: Literal["connecting", "reconnecting"] = "connecting" if self.status.state in ("idle", "connecting") else "reconnecting"
        self._set_status(state=state, transport=self._options.transports[index], retry_in_s=None, failure=failure)
        self._is_asked = False
        self._link = self._open(index)
        checked_s = time.monotonic()
        try:
            while True:
                tasks = [attempt.task for attempt in (self._link, self._candidate) if attempt]
                self._wake.clear()
                waker = asyncio.create_task(self._wake.wait())
                try:
                    await asyncio.wait([waker, *tasks], timeout=_CHECK_S, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waker.cancel()
                if self._link.task.done():
                    return _failure_of(self._link.task)
                now_s = time.monotonic()
                is_late = now_s - checked_s > _CHECK_S + _LATE_S
                checked_s = now_s
                ended = self._check(now_s, is_late)
                if ended:
                    return ended
        finally:
            self._drop()

    def _check(self, now_s: float, is_late: bool) -> Failure | None:
        """Returns why the connection is to be given up; None if it is not."""
        attempt = cast(_Attempt, self._link)
        link, options = attempt.link, self._options
        if self._is_asked:
            return Failure("asked")
        silence_s = options.silence_heartbeats * self._heartbeat_ms / 1_000
        if not link.is_ready:
            return Failure("silent", is_blocked=True) if now_s - attempt.begun_s > options.connect_timeout_s else None
        if self._inbox.is_full:
            self._waited_s = now_s
        # If the process stood still, or the application, messages may be waiting to be read.
        elif not is_late:
            if min(link.silent_for(now_s), now_s - self._waited_s) > silence_s:
                return Failure("silent")
            if link.owed_for(now_s) > max(silence_s, options.connect_timeout_s):
                return Failure("late")
        if link.is_behind(now_s, silence_s):
            return Failure("silent")
        if now_s - self._pinged_s >= options.ping_s:
            self._pinged_s = now_s
            link.ping()
        if self._first > 0:
            self._check_candidate(now_s)
        return None

    def _check_candidate(self, now_s: float) -> None:
        candidate, options = self._candidate, self._options
        if candidate is None:
            if now_s >= self._upgrade_at_s:
                self._candidate = self._open(0)
        elif candidate.task.done() or now_s - candidate.begun_s > options.connect_timeout_s:
            failure = _failure_of(candidate.task) if candidate.task.done() else Failure("silent", is_blocked=True)
            candidate.task.cancel()
            told_s = 0 if failure.is_blocked else min(failure.retry_after_ms or 0, Backoff.TOLD_MOST_MS) / 1_000
            following = options.transports.index(candidate.link.transport) + 1
            self._candidate = self._open(following) if following < self._first and told_s == 0 else None
            if self._candidate is None:
                self._upgrade_at_s = now_s + max(told_s, self._silences.upgrade_delay(self._options.random()))

    # For the connections.

    async def token(self, is_fresh: bool = False) -> str | None:
        """Returns the token of this connection, a new one if it must be fresh; None if there is none. Raises Ended."""
        if self._options.token is None:
            return None
        if self._token is None or is_fresh:
            self._token = asyncio.ensure_future(self._options.token())
        try:
            return await asyncio.shield(self._token)
        except Exception as err:
            raise Ended(Failure("token")) from err

    def url_of(self, path: str, is_socket: bool = False) -> str:
        """Returns the address of a path of the server."""
        url = self._base + path
        if is_socket:
            url = url.replace("http", "ws", 1) + (f"?client={quote(self.account)}" if self.account else "")
        return url

    def enter(self, link: Link, welcome: Raw | None = None) -> None:
        """The connection is ready."""
        self._heartbeat_ms = (welcome or {}).get("heartbeat_ms") or self._heartbeat_ms
        if link.is_ready:
            return
        now_s = time.monotonic()
        if self._candidate and link is self._candidate.link:
            cast(_Attempt, self._link).task.cancel()
            self._link, self._candidate = self._candidate, None
            self._link.begun_s = now_s
            self.place.gate.disconnect()
        elif not self._link or link is not self._link.link:
            return
        link.is_ready = True
        self._pinged_s = now_s
        self._first = self._options.transports.index(link.transport)
        if self._first > 0:
            self._upgrade_at_s = now_s + self._silences.upgrade_delay(self._options.random())
        self._set_status(state="live", transport=link.transport, retry_in_s=None, failure=None)
        self._own.append({"type": "open", "transport": link.transport, "epoch": self.place.epoch})
        link.update()

    async def take(self, link: Link, messages: list[Raw], source: object = None) -> bool:
        """Checks messages and passes them on. Returns False if the connection was given up; raises Ended if a message is missing."""
        for message in messages:
            # An application that reads slowly lets this wait, and the connection may be given up meanwhile.
            if not self._has(link):
                return False
            is_shown = link.control(message)
            verdict = self.place.gate.judge(message, source or link)
            if verdict == "hole":
                raise Ended(Failure("hole"))
            if verdict == "drop" or not is_shown:
                continue
            link.passed(message)
            if verdict != "pass":
                self._own.append(verdict)
            topic = topic_of(message)
            if topic is not None and (suspicion := suspicion_of(message, topic)) is not None:
                self._own.append(suspicion)
            await self._pass(cast(Message, message))
        return self._has(link)

    def _has(self, link: Link) -> bool:
        return any(attempt and attempt.link is link for attempt in (self._link, self._candidate))

    async def refuse(self, error: Raw) -> None:
        """A request over HTTP was refused."""
        if error["code"] == "unknown_symbol":
            self.place.wishes.exclude(error.get("symbols", []))
        await self._pass(cast(Message, error))

    async def _pass(self, message: Message) -> None:
        own, self._own = self._own, []
        self._inbox.add([*own, message])
        if self._inbox.is_full:
            await self._inbox.room()
            self._waited_s = time.monotonic()

    def _on_reset(self, reset: Reset) -> None:
        self._own.append(reset)

    def _update_soon(self) -> None:
        """Sends the changes of one turn of the application together."""
        if not self._is_update_due:
            self._is_update_due = True
            asyncio.get_running_loop().call_soon(self._update)

    def _update(self) -> None:
        self._is_update_due = False
        self.place.update()
        if self._link:
            self._link.link.update()

    def _set_status(self, **changes: object) -> None:
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]
        self._on_status(self.status)


def _failure_of(task: asyncio.Task[None]) -> Failure:
    """Returns why a connection has ended; raises any other error, which is one of this package."""
    error = task.exception()
    if isinstance(error, Ended):
        return error.failure
    raise error or AssertionError("a connection ends with a reason")


def _names_of(symbols: str | Iterable[str]) -> list[str]:
    names = [symbols] if isinstance(symbols, str) else symbols
    return [name.strip().upper() for name in names]
