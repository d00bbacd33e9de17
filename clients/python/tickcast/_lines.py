"""Subscriptions over HTTP, as server-sent events or long polls: one line for each group of topics that one request can name.

A line cannot change its topics. So when subscriptions change, a short poll fetches the snapshots of new topics, and the lines that
changed begin anew at the oldest cursor; the gate drops repeated events.
"""

import asyncio
import re
import ssl
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from ._audit import Audit, Scope
from ._closing import Ended, Failure, code_of
from ._core import Core
from ._http import RequestError, fetch_json, read_stream
from ._messages import EVERY, GarbledError, Raw, Transport, check, check_answer, read_frame, topic_of
from ._wishes import Group, groups_of

#: How long the head of an answer, or the first event of a stream, may take; in addition to the wait that a poll asks for.
_ANSWER_S = 5.0
#: How long the server may hold a long poll.
_WAIT_MS = 25_000
#: The time between two polls that bring nothing, should an answer come at once although the server was asked to wait.
_POLL_S_MIN = 0.5
#: Errors of the request itself (docs/PROTOCOL.md).
_REFUSALS = ("unknown_symbol", "unknown_channel", "limit_exceeded", "bad_request")


@dataclass(eq=False)
class _Line:
    group: Group
    #: Epoch and offset; None before the snapshots.
    cursor: tuple[str, int] | None
    audit: Audit
    task: asyncio.Task[None] = field(init=False, repr=False)
    heard_s: float = field(default_factory=time.monotonic)


class LineLink:
    def __init__(self, core: Core, transport: Transport, tls: ssl.SSLContext | None) -> None:
        self.transport = transport
        self.is_ready = False
        self._core = core
        self._tls = tls
        self._lines: dict[Group, _Line] = {}
        self._due = asyncio.Event()
        self._due.set()
        self._is_refresh_due = False
        self._is_updating = False

    async def run(self) -> None:
        """Serves the lines; raises Ended when one has ended."""
        try:
            while True:
                tasks = [line.task for line in self._lines.values()]
                waiter = asyncio.create_task(self._due.wait())
                try:
                    done, _ = await asyncio.wait([waiter, *tasks], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waiter.cancel()
                for group, line in list(self._lines.items()):
                    if line.task in done:
                        # Without an exception, its group was refused, and another one may follow.
                        del self._lines[group]
                        await line.task
                if self._due.is_set():
                    self._is_updating = True
                    await self._update()
                    self._is_updating = False
        finally:
            for line in self._lines.values():
                line.task.cancel()
                line.audit.stop()

    async def _update(self) -> None:
        self._due.clear()
        wishes = self._core.place.wishes
        if self._is_refresh_due:
            self._is_refresh_due = False
            for group in groups_of(wishes.wanted):
                await self._begin(group)
        if not self.is_ready and not wishes.wanted:
            answer = await self._fetch("api/v1/snapshot", _ANSWER_S, "epoch")
            self._core.place.meet(answer["epoch"])
            self._core.enter(self)
        groups = groups_of(wishes.wanted)
        for group in set(self._lines) - set(groups):
            line = self._lines.pop(group)
            line.task.cancel()
            line.audit.stop()
        for group in groups:
            if group in self._lines:
                continue
            fresh = tuple(symbol for symbol in group.symbols if self._after_of(symbol, group) is None)
            if fresh and not await self._begin(group._replace(symbols=fresh)):
                return
            self._open(group)

    async def _begin(self, group: Group) -> bool:
        """Fetches the snapshots of topics without a past. Returns False if the server refuses the group, or the connection was given up."""
        try:
            answer = await self._poll(group, None, 0)
        except RequestError as err:
            await self._refused(err, group)
            return False
        self._core.place.meet(answer["epoch"])
        if self.transport == "poll":
            # A stream is ready when it has shown that it gets through.
            self._core.enter(self)
        self._core.place.gate.expect(group.symbols, group.channels, self)
        if not await self._core.take(self, answer["messages"]):
            return False
        if EVERY in group.symbols:
            self._core.place.gate.settle(self)
        self._core.place.start(answer["offset"])
        return True

    def _after_of(self, symbol: str, group: Group) -> int | None:
        # The cursor of a stream and of a poll includes the events that a rate holds back.
        return self._core.place.after_of(symbol, group.channels, "latest")

    def _open(self, group: Group) -> None:
        offsets = [self._after_of(symbol, group) or 0 for symbol in group.symbols]
        line = _Line(group, (self._core.place.epoch, min(offsets)), Audit(self._core, self._tls, lambda: self._scope_of(group)))
        self._lines[group] = line
        line.task = asyncio.create_task(self._serve(line))

    async def _serve(self, line: _Line) -> None:
        try:
            await (self._follow(line) if self.transport == "sse" else self._repeat(line))
        except RequestError as err:
            await self._refused(err, line.group)
        except GarbledError as err:
            raise Ended(Failure("garbage")) from err

    async def _follow(self, line: _Line) -> None:
        """Reads a stream until it ends."""
        way = line.group.way
        query = self._query_of(line.group, line.cursor) | self._core.lag_option
        if way.max_hz is not None:
            query["max_hz"] = way.max_hz
        failure = Failure("closed", code_of(""))
        url = self._core.url_of(f"api/v1/stream?{urlencode(query)}")
        # A proxy that gathers an answer before it passes it on is found by the first event, which the server sends at once.
        timeout_s: float | None = _ANSWER_S
        async with aclosing(read_stream(url, _ANSWER_S, self._tls, await self._core.token())) as stream:
            while True:
                try:
                    async with asyncio.timeout(timeout_s):
                        event = await anext(stream, None)
                except TimeoutError as err:
                    raise Ended(Failure("buffered", is_blocked=True)) from err
                if event is None:
                    raise Ended(failure)
                timeout_s = None
                line.heard_s = time.monotonic()
                messages = [] if event.data is None else read_frame(event.data)
                for message in messages:
                    if message["type"] == "goodbye":
                        reason = message["reason"]
                        failure = Failure("closed", code_of(reason), reason, retry_after_ms=message.get("retry_after_ms"))
                if any(topic_of(message) for message in messages):
                    line.audit.hear()
                await self._deliver(line, messages, line.cursor if event.id is None else _cursor_of(event.id))

    async def _repeat(self, line: _Line) -> None:
        """Polls until an answer fails."""
        # The first answer comes at once, as it tells whether the cursor is valid.
        wait_ms = 0
        while True:
            begun_s, before = time.monotonic(), line.cursor
            answer = await self._poll(line.group, before, wait_ms)
            if not answer["recovered"]:
                self._on_void(line, answer["epoch"])
            self._core.enter(self)
            await self._deliver(line, answer["messages"], _cursor_of(answer["cursor"]))
            # The rate of a poll is its client's own.
            pause_s = 0.0 if line.group.way.max_hz is None else 1 / line.group.way.max_hz
            if wait_ms > 0 and line.cursor == before:
                pause_s = max(pause_s, _POLL_S_MIN - (time.monotonic() - begun_s))
            await asyncio.sleep(pause_s)
            wait_ms = _WAIT_MS

    async def _deliver(self, line: _Line, messages: list[Raw], cursor: tuple[str, int] | None) -> None:
        place = self._core.place
        for message in messages:
            if message["type"] == "welcome":
                place.meet(message["epoch"])
                self._core.enter(self, message)
            elif message["type"] == "subscribed" and message.get("recovered") is not True:
                self._on_void(line, place.epoch)
        if EVERY in line.group.symbols:
            messages = [message for message in messages if topic_of(message) not in place.wishes.channels_of(message.get("symbol", ""))]
        begun = 0
        for index, message in enumerate(messages):
            if message["type"] != "epoch":
                continue
            if not await self._core.take(self, messages[begun:index], line):
                return
            place.move_to(message["epoch"], message.get("moved", False), line, line.group.symbols)
            begun = index
        if not await self._core.take(self, messages[begun:], line):
            return
        line.cursor = cursor
        cursors = [each.cursor for each in self._lines.values()]
        # While lines are replaced, some are missing here.
        if not self._is_updating and all(each is not None and each[0] == place.epoch for each in cursors):
            place.reached(min(each[1] for each in cursors if each), is_exact=True)
            place.gate.settle(line)

    def _on_void(self, line: _Line, epoch: str) -> None:
        """The cursor of a line was void: snapshots follow."""
        self._core.place.meet(epoch)
        self._core.place.lose(line.group.symbols, line.group.channels)
        self._core.place.gate.expect(line.group.symbols, line.group.channels, line)

    async def _poll(self, group: Group, after: tuple[str, int] | None, wait_ms: int) -> Raw:
        query = self._query_of(group, after) | {"wait_ms": wait_ms}
        keys = ("epoch", "offset", "cursor", "recovered", "messages")
        return await self._fetch(f"api/v1/poll?{urlencode(query)}", wait_ms / 1_000 + _ANSWER_S, *keys)

    async def _fetch(self, path: str, timeout_s: float, *keys: str) -> Raw:
        """Fetches an answer with these keys."""
        try:
            token = await self._core.token()
            answer = check_answer(await fetch_json(self._core.url_of(path), timeout_s, self._tls, token), *keys)
            for message in answer["messages"] if "messages" in keys else []:
                check(message)
        except GarbledError as err:
            raise RequestError(Failure("garbage")) from err
        return answer

    def _query_of(self, group: Group, after: tuple[str, int] | None) -> dict[str, Any]:
        symbols, channels, way = group
        query: dict[str, Any] = {"symbols": ",".join(symbols), "channels": ",".join(channels), "mode": way.mode}
        if after is not None:
            query["after"] = "{}:{}".format(*after)
        if self._core.account is not None:
            query["client"] = self._core.account
        return query

    async def _refused(self, err: RequestError, group: Group) -> None:
        """Gives up the topics that the server refuses, as it would refuse them again, and raises any other error."""
        code = (err.problem or {}).get("code")
        if err.problem is None or code not in _REFUSALS:
            raise err
        if code != "unknown_symbol":
            self._core.place.wishes.remove(group.symbols, group.channels)
        error = {"type": "error", "code": code, "message": err.problem.get("detail", "")}
        await self._core.refuse(error | ({"symbols": err.problem["symbols"]} if "symbols" in err.problem else {}))
        self.update()

    def update(self) -> None:
        """Makes the lines those of the wanted subscriptions."""
        self._due.set()

    def refresh(self) -> None:
        """Fetches a snapshot of each symbol."""
        self._is_refresh_due = True
        self._due.set()

    def control(self, message: Raw) -> bool:
        """Takes a message that concerns the connection. Returns whether the application is to see it."""
        return bool(message["type"] != "subscribed")

    def passed(self, message: Raw) -> None:
        """Notes a message that has passed the gate."""

    def ping(self) -> None:
        """Streams and polls have no ping."""

    def owed_for(self, now_s: float) -> float:
        """A request has a timeout of its own."""
        return 0.0

    def silent_for(self, now_s: float) -> float:
        """Returns the silence of the most silent stream; a poll has no heartbeats."""
        heard_s = [line.heard_s for line in self._lines.values()] if self.transport == "sse" else []
        return now_s - min(heard_s, default=now_s)

    def is_behind(self, now_s: float, quiet_s: float) -> bool:
        """Returns whether no events come although there are some."""
        audits = [line.audit for line in self._lines.values()] if self.transport == "sse" else []
        return any([audit.is_behind(now_s, quiet_s) for audit in audits])

    def _scope_of(self, group: Group) -> Scope:
        def has(symbol: str, topic: str) -> bool:
            named = self._core.place.wishes.channels_of(symbol)
            return topic in group.channels and (symbol in group.symbols or (EVERY in group.symbols and topic not in named))

        return Scope(list(group.symbols), has)

    async def close(self) -> None:
        """Lines end with their task."""


def _cursor_of(text: str) -> tuple[str, int] | None:
    epoch, _, offset = text.partition(":")
    return (epoch, int(offset)) if epoch and re.fullmatch("[0-9]{1,20}", offset) else None
