"""Lets each message through once, in the order of its topic, and detects missing ones.

The ``seq`` of a topic grows by one, or by one more than ``skipped``, or by as many as a ``lag`` has announced. A topic counts from
the first snapshot of its symbol after the subscription.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, cast

from ._messages import EVERY, Hole, Raw, topic_of
from ._wishes import Wishes

#: How often the same hole is fetched again before it is announced, and how often any hole within a minute.
_REPAIRS_MAX = 3
_REPAIRS_PER_MINUTE_MAX = 10
_MINUTE_S = 60.0
#: The seq before the first `day` or `gap` of a symbol: its number is not in a snapshot.
_UNKNOWN = -1

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


class Gate:
    """The last number of each topic."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._last: dict[str, dict[str, _Last]] = {}
        # Snapshots that have been requested, by symbol; those of "*" are limited to one of each symbol.
        self._awaited: dict[str, int] = {}
        self._every_seen: set[str] | None = None
        self._is_every_whole = False
        # Events announced by `lag` whose hole has not come yet.
        self._excused = 0
        self._lag: Raw | None = None
        self._repairs: dict[tuple[str, str], _Repair] = {}
        self._repaired_s: list[float] = []

    def has(self, symbol: str, channels: Iterable[str]) -> bool:
        """Returns whether these topics continue a stream: their last events are known."""
        if symbol == EVERY:
            return self._is_every_whole
        last = self._last.get(symbol)
        return last is not None and all(channel in last for channel in channels)

    def knows(self, symbol: str, channels: Iterable[str]) -> bool:
        """Returns whether the last event of any topic is known; of ``"*"``, of any symbol whose channel is not subscribed by name."""
        if symbol != EVERY:
            return not set(channels).isdisjoint(self._last.get(symbol, ()))
        return any(set(channels) & last.keys() - self._wishes.channels_of(other) for other, last in self._last.items())

    def floor_of(self, symbol: str) -> float:
        """Returns the offset from which a symbol must be fetched again to fill its hole."""
        repairs = [repair.offset for repair in self._repairs.values() if symbol in (EVERY, repair.symbol)]
        return min(repairs, default=float("inf"))

    def expect(self, symbols: Iterable[str]) -> None:
        """Expects a snapshot of each of these symbols."""
        for symbol in symbols:
            if symbol == EVERY:
                self._every_seen = set()
            else:
                self._awaited[symbol] = self._awaited.get(symbol, 0) + 1

    def extend(self) -> None:
        """Expects snapshots of symbols that ``"*"`` has not included so far."""
        if self._every_seen is None:
            self._every_seen = set()

    def disconnect(self) -> None:
        """Expects nothing that an ended connection has not sent."""
        self._awaited.clear()
        self._every_seen = None

    def settle(self) -> None:
        """Notes that every snapshot of ``"*"`` has come."""
        self._is_every_whole = self._is_every_whole or self._every_seen is not None

    def forget(self, symbol: str, channels: Iterable[str] | None = None) -> None:
        """Forgets a symbol (``"*"``: every one that is not subscribed by name), or some of its channels."""
        if symbol == EVERY:
            self._is_every_whole = False
            for other in list(self._last):
                self._drop(other, set(self._last[other]) - self._wishes.channels_of(other))
        else:
            self._drop(symbol, set(self._last.get(symbol, ())) if channels is None else set(channels))

    def _drop(self, symbol: str, channels: set[str]) -> None:
        last = self._last.get(symbol, {})
        for channel in channels:
            last.pop(channel, None)
            self._repairs.pop((symbol, channel), None)
        # `day` and `gap` come with any channel.
        if not set(last) - {"day", "gap"}:
            self._last.pop(symbol, None)

    def clear(self) -> bool:
        """Forgets everything, as after a restart of the server. Returns whether a stream was interrupted."""
        had_any = bool(self._last)
        self._last.clear()
        self._repairs.clear()
        self._is_every_whole = False
        self._excused = 0
        self._lag = None
        return had_any

    def judge(self, message: Raw) -> Verdict:
        """Judges a message.

        ``pass``; ``drop``: a repeat, or not subscribed; ``hole``: events before it are missing. A `Hole` is to be announced
        before the message, which passes.
        """
        topic = topic_of(message)
        if topic is not None:
            return self._judge_numbered(message, topic)
        if message["type"] == "snapshot":
            return self._judge_snapshot(message)
        if message["type"] == "lag":
            if message == self._lag:
                return "drop"
            self._lag = message
            self._excused += message["skipped"]
        return "pass"

    def _judge_snapshot(self, snapshot: Raw) -> Verdict:
        symbol, offset = snapshot["symbol"], snapshot["offset"]
        awaited = self._awaited.get(symbol, 0)
        if awaited > 0:
            self._awaited[symbol] = awaited - 1
        elif self._every_seen is None or symbol in self._every_seen:
            return "drop"
        else:
            self._every_seen.add(symbol)
        last = self._last.setdefault(symbol, {})
        for channel in self._wishes.channels_of(symbol) | self._wishes.channels_of(EVERY):
            if channel in snapshot["seq"]:
                last.setdefault(channel, _Last(snapshot["seq"][channel], offset))
        for topic in ("day", "gap"):
            last.setdefault(topic, _Last(_UNKNOWN, offset))
        return "pass"

    def _judge_numbered(self, event: Raw, topic: str) -> Verdict:
        symbol, seq, offset, skipped = event["symbol"], event["seq"], event["offset"], event.get("skipped", 0)
        last = self._last.get(symbol, {}).get(topic)
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
