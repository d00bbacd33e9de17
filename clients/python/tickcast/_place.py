"""How far a client has got in the stream: its subscriptions, the run of the server, the cursor. It outlives connections."""

from collections.abc import Callable, Iterable
from typing import cast

from ._gate import Gate
from ._messages import Reset
from ._wishes import Wanted, Wishes, changes_of


class Place:
    """The cursor of a client."""

    def __init__(self, on_reset: Callable[[Reset], None]) -> None:
        self.wishes = Wishes()
        self.gate = Gate(self.wishes)
        #: The run of the server; empty before the first answer.
        self.epoch = ""
        # Up to these offsets every event has come; `_exact` also includes those that a rate holds back.
        self._exact: int | None = None
        self._newest = 0
        self._wanted: Wanted = {}
        self._on_reset = on_reset

    @property
    def cursor(self) -> tuple[str, int] | None:
        """Epoch and offset; None before the first snapshots."""
        return None if self._exact is None else (self.epoch, self._exact)

    def update(self) -> None:
        """Forgets the topics that are no longer wanted: should they be wanted again, they begin with a snapshot."""
        wanted = self.wishes.wanted
        for symbol, channels in changes_of(self._wanted, wanted)[0].items():
            self.gate.forget(symbol, channels if symbol in wanted else None)
        self._wanted = wanted

    def after_of(self, symbol: str, channels: Iterable[str], mode: str) -> int | None:
        """Returns the offset after which topics are resumed; None if they have no past."""
        if self._exact is None or not self.gate.has(symbol, channels):
            return None
        return int(min(self._newest if mode == "all" else self._exact, self.gate.floor_of(symbol)))

    def meet(self, epoch: str) -> None:
        """Notes which run of the server answers."""
        if epoch == self.epoch:
            return
        if self.epoch:
            self.restart()
        self.wishes.include()
        self.epoch = epoch

    def move_to(self, epoch: str, is_moved: bool, source: object, symbols: Iterable[str]) -> None:
        """The stream goes on under another name.

        If the market has moved to another time, what was before is lost, and `source` brings a snapshot of each of these symbols. The `seq`
        and what a `lag` has announced go on.
        """
        is_new, self.epoch = epoch != self.epoch, epoch
        if not is_moved:
            return
        self.gate.move(symbols, source)
        # Each line of a client without a WebSocket brings the message.
        if is_new:
            self._on_reset(cast(Reset, {"type": "reset", "symbols": ["*"], "reason": "moved"}))

    def restart(self) -> None:
        """Drops the cursor, because the server has another epoch, or will have."""
        self._exact = None
        if self.gate.clear():
            self._on_reset(cast(Reset, {"type": "reset", "symbols": ["*"], "reason": "restarted"}))

    def reached(self, offset: int, is_exact: bool) -> None:
        """Moves the cursor: every event up to the offset has come; if it is exact, also those that a rate holds back."""
        if self._exact is None:
            self._exact = self._newest = offset
        if is_exact:
            self._exact = max(self._exact, offset)
        self._newest = max(self._newest, offset)

    def start(self, offset: int) -> None:
        """Begins a cursor, if there is none."""
        if self._exact is None:
            self._exact = self._newest = offset

    def lose(self, symbols: Iterable[str], channels: Iterable[str]) -> None:
        """Reports topics whose events after the cursor are lost, and forgets them."""
        lost = [symbol for symbol in symbols if self.gate.knows(symbol, channels)]
        for symbol in symbols:
            self.gate.forget(symbol, channels)
        if lost:
            self._on_reset(cast(Reset, {"type": "reset", "symbols": lost, "reason": "evicted"}))
