"""Lets each message through once, in the order of its topic, and detects missing ones.

The ``seq`` of a topic grows by one, or by one more than ``skipped``, or by as many as a ``lag`` has announced. A topic counts from
the snapshot that its own request has brought: that of another one may be older than the subscription. A symbol that the server has met
since the snapshots of ``"*"`` came has none, and counts from 1.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, cast

from ._messages import EVERY, Hole, Raw, topic_of
from ._wishes import Wishes

#: How often the same hole is fetched again before it is announced, and how often any hole within a minute.
_REPAIRS_MAX = 3
_REPAIRS_PER_MINUTE_MAX = 10
_MINUTE_S = 60.0
#: The seq before the first `day` or `gap` of a symbol: its number is not in a snapshot.
_UNKNOWN = -1
#: The topics that come with any channel.
_OF_SYMBOL = {"day", "gap"}

Verdict = Literal["pass", "drop", "hole"] | Hole


@dataclass
class _Last:
    seq: int
    offset: int


@dataclass
class _Repair:
    symbol: str
    offset: int
    attempts: int


@dataclass(eq=False)
class _Awaited:
    """A request whose snapshots have not all come."""

    #: What brings them: a WebSocket, or a line.
    source: object
    #: Without a snapshot so far; None for ``"*"``.
    symbols: set[str] | None
    #: Of the request: its snapshots begin these topics only.
    channels: set[str]
    #: Of ``"*"``: the symbols whose snapshot has come.
    seen: set[str] = field(default_factory=set)

    def brings(self, symbol: str) -> bool:
        return symbol not in self.seen if self.symbols is None else symbol in self.symbols


class Gate:
    """The last number of each topic."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._last: dict[str, dict[str, _Last]] = {}
        # The newest request first, as answers and their snapshots come in order. Of "*" there is one of each source.
        self._awaited: list[_Awaited] = []
        # The symbols that are still to be shown as they are at another time, by what brings that.
        self._moved: dict[object, set[str]] = {}
        # The channels of "*" of which every snapshot has come, so that they can be resumed.
        self._whole: set[str] = set()
        # Events announced by `lag` whose hole has not come yet.
        self._excused = 0
        self._lag: Raw | None = None
        self._repairs: dict[tuple[str, str], _Repair] = {}
        self._repaired_s: list[float] = []

    def has(self, symbol: str, channels: Iterable[str]) -> bool:
        """Returns whether these topics continue a stream: their last events are known."""
        known = self._whole if symbol == EVERY else self._last.get(symbol, {}).keys()
        return known >= set(channels)

    def knows(self, symbol: str, channels: Iterable[str]) -> bool:
        """Returns whether the last event of any topic is known; of ``"*"``, of any symbol whose channel is not subscribed by name."""
        if symbol != EVERY:
            return not set(channels).isdisjoint(self._last.get(symbol, ()))
        return any(set(channels) & last.keys() - self._wishes.channels_of(other) for other, last in self._last.items())

    def floor_of(self, symbol: str) -> float:
        """Returns the offset from which a symbol must be fetched again to fill its hole."""
        repairs = [repair.offset for repair in self._repairs.values() if symbol in (EVERY, repair.symbol)]
        return min(repairs, default=float("inf"))

    def expect(self, symbols: Iterable[str], channels: Iterable[str], source: object = None) -> None:
        """Expects a snapshot of each of these symbols, which begins these channels, from this source."""
        named = set(symbols)
        is_every = EVERY in named
        if source in self._moved:
            self._moved[source] -= self._last.keys() if is_every else named
        if is_every:
            self._awaited = [each for each in self._awaited if each.symbols is not None or each.source is not source]
        self._awaited.insert(0, _Awaited(source, None if is_every else named, set(channels)))

    def extend(self, source: object = None) -> None:
        """Expects snapshots of symbols that ``"*"`` has not included so far."""
        present = next((each for each in self._of_every() if each.source is source), None)
        self.expect([EVERY], self._whole | (present.channels if present else set()), source)
        if present:
            self._awaited[0].seen = present.seen

    def _of_every(self) -> list[_Awaited]:
        return [each for each in self._awaited if each.symbols is None]

    def move(self, symbols: Iterable[str], source: object) -> None:
        """Expects another snapshot of each of these symbols (``"*"``: of all that are known), which begins no topic.

        The market has moved to another time.
        """
        named = set(symbols)
        self._moved[source] = set(self._last) if EVERY in named else named & self._last.keys()

    def disconnect(self) -> None:
        """Expects nothing that an ended connection has not sent.

        A symbol that was not shown after a move is not resumed: it begins with a snapshot.
        """
        unseen = set[str]().union(*self._moved.values())
        for symbol in unseen:
            self.forget(symbol)
        if unseen:
            self._whole.clear()
        self._moved.clear()
        self._awaited.clear()

    def settle(self, source: object = None) -> None:
        """Notes that every snapshot of ``"*"`` has come from this source."""
        for each in self._of_every():
            if each.source is source:
                self._whole |= each.channels

    def forget(self, symbol: str, channels: Iterable[str] | None = None) -> None:
        """Forgets a symbol (``"*"``: every one that is not subscribed by name), or some of its channels."""
        gone = None if channels is None else set(channels)
        if symbol == EVERY:
            for known in [self._whole, *(each.channels for each in self._of_every())]:
                known -= known if gone is None else gone
            for other in list(self._last):
                self._drop(other, (set(self._last[other]) if gone is None else gone) - self._wishes.channels_of(other) - _OF_SYMBOL)
        else:
            self._drop(symbol, set(self._last.get(symbol, ())) if gone is None else gone)

    def _drop(self, symbol: str, channels: set[str]) -> None:
        last = self._last.get(symbol, {})
        if not set(last) - channels - _OF_SYMBOL:
            channels = channels | _OF_SYMBOL
            self._last.pop(symbol, None)
        for channel in channels:
            last.pop(channel, None)
            self._repairs.pop((symbol, channel), None)

    def clear(self) -> bool:
        """Forgets everything, as after a restart of the server. Returns whether a stream was interrupted."""
        had_any = bool(self._last)
        self._last.clear()
        self._repairs.clear()
        self._whole.clear()
        self._excused = 0
        self._lag = None
        return had_any

    def judge(self, message: Raw, source: object = None) -> Verdict:
        """Judges a message of this source.

        ``pass``; ``drop``: a repeat, or not subscribed; ``hole``: events before it are missing. A `Hole` is to be announced
        before the message, which passes.
        """
        topic = topic_of(message)
        if topic is not None:
            return self._judge_numbered(message, topic, source)
        if message["type"] == "snapshot":
            return self._judge_snapshot(message, source)
        if message["type"] == "lag":
            if message == self._lag:
                return "drop"
            self._lag = message
            self._excused += message["skipped"]
        return "pass"

    def _judge_snapshot(self, snapshot: Raw, source: object) -> Verdict:
        symbol, offset = snapshot["symbol"], snapshot["offset"]
        if symbol in self._last and symbol in (moved := self._moved.get(source, set())):
            moved.remove(symbol)
            return "pass"
        asked = next((each for each in self._awaited if each.source is source and each.brings(symbol)), None)
        if asked is None:
            return "drop"
        asked.seen.add(symbol)
        if asked.symbols is not None:
            asked.symbols.remove(symbol)
            if not asked.symbols:
                self._awaited.remove(asked)
        last = self._last.get(symbol, {})
        for channel in asked.channels & (self._wishes.channels_of(symbol) | self._wishes.channels_of(EVERY)):
            if channel in snapshot["seq"]:
                last.setdefault(channel, _Last(snapshot["seq"][channel], offset))
        # Without a channel the application has unsubscribed meanwhile.
        if last:
            for topic in _OF_SYMBOL:
                last.setdefault(topic, _Last(_UNKNOWN, offset))
            self._last[symbol] = last
        return "pass"

    def _begin_new(self, event: Raw, topic: str, source: object) -> _Last | None:
        """Returns what is before the first event of a topic if the server has met its symbol since the snapshots of ``"*"`` came."""
        # The snapshots come before the events, so a symbol without one is new, unless its topic has been forgotten.
        is_first = event["seq"] - event.get("skipped", 0) - 1 <= self._excused
        is_awaited = any(each.source is source and topic in each.channels for each in self._of_every())
        if not is_first or not (is_awaited or topic in self._whole):
            return None
        last = self._last.setdefault(event["symbol"], {})
        for other in _OF_SYMBOL:
            last.setdefault(other, _Last(_UNKNOWN, event["offset"] - 1))
        return last.setdefault(topic, _Last(0, event["offset"] - 1))

    def _judge_numbered(self, event: Raw, topic: str, source: object) -> Verdict:
        symbol, seq, offset, skipped = event["symbol"], event["seq"], event["offset"], event.get("skipped", 0)
        last = self._last.get(symbol, {}).get(topic) or self._begin_new(event, topic, source)
        if last is None or seq <= last.seq or offset <= last.offset:
            return "drop"
        missing = 0 if last.seq == _UNKNOWN else seq - last.seq - 1 - skipped
        verdict: Verdict = "pass"
        if missing > self._excused:
            if self._may_repair(symbol, topic, last.offset):
                return "hole"
            hole = {"type": "hole", "symbol": symbol, "channel": topic, "from": last.seq + 1, "to": seq - 1 - skipped}
            verdict = cast(Hole, hole)
        elif missing > 0:
            self._excused -= missing
        last.seq, last.offset = seq, offset
        self._repairs.pop((symbol, topic), None)
        return verdict

    def behind(self, snapshots: Iterable[Raw], has: Callable[[str, str], bool] = lambda symbol, topic: True) -> bool:
        """Returns whether events up to these snapshots have not come, and lets them be fetched from where they stopped.

        ``has`` tells the topics in question. Topics in mode ``latest`` are left out, as a rate may hold their events back.
        """
        found = False
        for snapshot in snapshots:
            symbol = snapshot["symbol"]
            for topic, last in self._last.get(symbol, {}).items():
                if snapshot["seq"].get(topic, 0) > last.seq and has(symbol, topic) and self._wishes.is_whole(symbol, topic):
                    self._repairs.setdefault((symbol, topic), _Repair(symbol, last.offset, 0))
                    found = True
        return found

    def _may_repair(self, symbol: str, topic: str, offset: int) -> bool:
        """Notes another attempt to fetch a hole. Returns False if there were too many."""
        now_s = time.monotonic()
        self._repaired_s = [at_s for at_s in self._repaired_s if now_s - at_s < _MINUTE_S]
        repair = self._repairs.setdefault((symbol, topic), _Repair(symbol, offset, 0))
        if repair.attempts >= _REPAIRS_MAX or len(self._repaired_s) >= _REPAIRS_PER_MINUTE_MAX:
            return False
        repair.attempts += 1
        self._repaired_s.append(now_s)
        return True
