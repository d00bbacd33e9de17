"""The subscriptions that the application wants, and the requests that change those of a connection into them."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ._messages import EVERY


class Way(NamedTuple):
    """How the events of a topic are delivered."""

    mode: str
    max_hz: float | None = None


class Group(NamedTuple):
    """Topics that one request can name."""

    symbols: tuple[str, ...]
    channels: tuple[str, ...]
    way: Way


#: By symbol and channel.
Wanted = dict[str, dict[str, Way]]


class Wishes:
    """What the application wants. Symbols that the server does not trade are left out until its next run."""

    def __init__(self) -> None:
        self._wanted: Wanted = {}
        self._unknown: set[str] = set()

    def add(self, symbols: Iterable[str], channels: Iterable[str], way: Way) -> None:
        """Adds topics, or changes their way."""
        topics = dict.fromkeys(channels, way)
        for symbol in symbols:
            self._wanted[symbol] = {**self._wanted.get(symbol, {}), **topics}

    def remove(self, symbols: Iterable[str], channels: Iterable[str] | None = None) -> None:
        """Removes topics; all channels if none is named."""
        named = None if channels is None else set(channels)
        for symbol in symbols:
            ways = self._wanted.pop(symbol, {})
            left = {channel: way for channel, way in ways.items() if named is not None and channel not in named}
            if left:
                self._wanted[symbol] = left

    def exclude(self, symbols: Iterable[str]) -> None:
        """Leaves out symbols that the server does not trade."""
        self._unknown.update(symbols)

    def include(self) -> None:
        """Includes all symbols again."""
        self._unknown.clear()

    def channels_of(self, symbol: str) -> set[str]:
        """Returns the channels that are wanted of a symbol by its name."""
        return set(self._wanted.get(symbol, ()))

    def is_whole(self, symbol: str, channel: str) -> bool:
        """Returns whether every event of a topic is wanted."""
        way = self._wanted.get(symbol, {}).get(channel) or self._wanted.get(EVERY, {}).get(channel)
        return way is not None and way.mode == "all"

    @property
    def wanted(self) -> Wanted:
        """What is wanted of the server's present run; never changed afterwards."""
        return {symbol: ways for symbol, ways in self._wanted.items() if symbol not in self._unknown}


def groups_of(wanted: Wanted, apart: Callable[[str, str, Way], object] = lambda *_: None) -> list[Group]:
    """Returns topics as groups with the same channels and way. ``"*"`` is apart, and topics with another value of ``apart``."""
    groups: dict[object, list[str]] = {}
    parts: dict[object, tuple[tuple[str, ...], Way]] = {}
    for symbol, ways in wanted.items():
        alike: dict[tuple[Way, object], list[str]] = {}
        for channel, way in ways.items():
            alike.setdefault((way, apart(symbol, channel, way)), []).append(channel)
        for (way, value), channels in alike.items():
            key = (way, value, tuple(sorted(channels)), symbol == EVERY)
            groups.setdefault(key, []).append(symbol)
            parts[key] = (key[2], way)
    return [Group(tuple(symbols), *parts[key]) for key, symbols in groups.items()]


def changes_of(asked: Wanted, wanted: Wanted) -> tuple[dict[str, list[str]], Wanted]:
    """Returns the topics to remove from ``asked``, and those to add, so that they become ``wanted``."""
    removed: dict[str, list[str]] = {}
    for symbol, ways in asked.items():
        gone = [channel for channel in ways if channel not in wanted.get(symbol, {})]
        if gone:
            removed[symbol] = gone
    added: Wanted = {}
    for symbol, ways in wanted.items():
        fresh = {channel: way for channel, way in ways.items() if asked.get(symbol, {}).get(channel) != way}
        if fresh:
            added[symbol] = fresh
    return removed, added


def among(asked: Wanted, group: Group) -> Wanted:
    """Returns those of the subscriptions that a group names, in its way."""
    named = {symbol: asked.get(symbol, {}) for symbol in group.symbols}
    left = {symbol: {channel: group.way for channel in group.channels if ways.get(channel) == group.way} for symbol, ways in named.items()}
    return {symbol: ways for symbol, ways in left.items() if ways}


def without(asked: Wanted, symbols: Iterable[str], channels: Iterable[str] | None = None) -> Wanted:
    """Returns subscriptions without these topics; without all channels of the symbols if none is named."""
    left = Wishes()
    for symbol, ways in asked.items():
        for channel, way in ways.items():
            left.add([symbol], [channel], way)
    left.remove(symbols, channels)
    return left.wanted
