"""The messages of the protocol ``tickcast.v1`` as types, those that this client adds, and the check of a received message.

Times are whole microseconds since 1970-01-01 UTC; prices are US dollars; sizes and volumes are shares.
"""

import json
from typing import Any, Literal, NotRequired, TypedDict

Channel = Literal[
    "trades", "quotes", "corrections", "cancels",
    "bars.1s", "bars.1m", "bars.5m", "bars.15m", "bars.1h", "bars.1d", "bars.1m.updated", "bars.1d.ny",
]
Transport = Literal["websocket", "sse", "poll"]

#: The "symbol" of a subscription to every symbol.
EVERY = "*"
#: ``1m.updated``: a minute whose trades have changed after its end; ``1d.ny``: the day of New York so far.
INTERVALS = ("1s", "1m", "5m", "15m", "1h", "1d", "1m.updated", "1d.ny")


class _Numbered(TypedDict):
    symbol: str
    seq: int
    offset: int
    ts: int


class _Skipping(_Numbered, total=False):
    #: In mode ``latest``: how many older events of the topic this one replaces.
    skipped: int


class Trade(_Skipping):
    type: Literal["trade"]
    price: float
    size: int | float


class Quote(_Skipping):
    type: Literal["quote"]
    bid: float
    bid_size: int | float
    ask: float
    ask_size: int | float


class Bar(_Skipping):
    """An interval that has ended; ``ts`` is its start."""

    type: Literal["bar"]
    interval: str
    open: float
    high: float
    low: float
    close: float
    volume: int | float
    trades: int
    vwap: float
    final: bool


class _Amendment(_Numbered):
    #: The ``seq`` of the trade, which the other keys repeat.
    trade_seq: int
    trade_ts: int
    trade_price: float
    trade_size: int | float


class Correction(_Amendment):
    """A trade was reported wrongly; ``price`` and ``size`` are the right ones."""

    type: Literal["correction"]
    price: float
    size: int | float


class Cancel(_Amendment):
    """A trade does not count any more: it was taken back, or published by mistake (``error``)."""

    type: Literal["cancel"]
    kind: Literal["cancel", "error"]


class Day(_Numbered):
    """A day of UTC has begun."""

    type: Literal["day"]
    prev_close: float


class Gap(_Numbered):
    """The market's time has jumped; no event is missing."""

    type: Literal["gap"]
    since: int


class Snapshot(TypedDict):
    """The state of a symbol directly after the event ``offset``. It replaces what is known of the symbol.

    A value that the symbol does not have yet, or that the client's key does not include, is absent.
    """

    type: Literal["snapshot"]
    symbol: str
    offset: int
    ts: NotRequired[int]
    price: NotRequired[float]
    size: NotRequired[int | float]
    bid: NotRequired[float]
    bid_size: NotRequired[int | float]
    ask: NotRequired[float]
    ask_size: NotRequired[int | float]
    open: NotRequired[float]
    high: NotRequired[float]
    low: NotRequired[float]
    prev_close: NotRequired[float]
    volume: NotRequired[int | float]
    seq: dict[str, int]


class Welcome(TypedDict, total=False):
    type: Literal["welcome"]
    epoch: str
    offset: int
    heartbeat_ms: int
    limits: dict[str, int]
    server_ts: int
    market_ts: int
    speed: float


class Subscribed(TypedDict, total=False):
    type: Literal["subscribed"]
    id: int
    subscriptions: list[dict[str, Any]]
    recovered: bool


class Lag(TypedDict):
    """The client was too slow, and the server has skipped events."""

    type: Literal["lag"]
    skipped: int
    since_offset: int


class Heartbeat(TypedDict):
    type: Literal["heartbeat"]
    ts: int
    offset: int


class Pong(TypedDict, total=False):
    type: Literal["pong"]
    ts: int
    server_ts: int
    market_ts: int
    offset: int


class Error(TypedDict, total=False):
    """A mistake in a request. Its topics are given up, an unknown symbol until the server's next run; after ``rate_limited`` they are
    asked for again in ``retry_after_ms``.
    """

    type: Literal["error"]
    id: int
    code: str
    message: str
    symbols: list[str]
    retry_after_ms: int


class AuthExpiring(TypedDict):
    """The client's key ends soon."""

    type: Literal["auth_expiring"]
    expires_at: int


class Auth(TypedDict, total=False):
    """The key has been renewed."""

    type: Literal["auth"]
    id: int
    name: str
    expires_at: int


class Goodbye(TypedDict, total=False):
    type: Literal["goodbye"]
    reason: str
    retry_after_ms: int


class Epoch(TypedDict):
    """The stream goes on under another name; if it has ``moved``, from another time, and a snapshot of each symbol follows."""

    type: Literal["epoch"]
    epoch: str
    offset: int
    moved: NotRequired[bool]


class Open(TypedDict):
    """Of this client: a connection is ready."""

    type: Literal["open"]
    transport: Transport
    epoch: str


class Reset(TypedDict):
    """Of this client: the events of these symbols (``"*"``: of all) since the last ones are lost. A snapshot of each follows."""

    type: Literal["reset"]
    symbols: list[str]
    reason: Literal["restarted", "evicted", "moved"]


class Hole(TypedDict):
    """Of this client: the events with the ``seq`` ``from`` to ``to`` are lost, although the server has not announced it."""

    type: Literal["hole"]
    symbol: str
    channel: str
    # `from` is a keyword of Python: message["from"].


class Suspect(TypedDict):
    """Of this client: the next event has values that cannot be right: a bid above its ask, or a price that is not above zero."""

    type: Literal["suspect"]
    symbol: str
    channel: str
    seq: int
    reason: Literal["crossed", "zero"]


class FeedState(TypedDict, total=False):
    """The state of a replay. Of a silence that was left out, ``feed`` is "gap", and ``from`` and ``to`` are its beginning and end."""

    type: Literal["status"]
    feed: Literal["running", "paused", "seeking", "gap", "ended", "failed"]
    epoch: str
    offset: int
    file_ts: int
    to: int
    speed: float
    id: int | str
    sought: bool
    complaint: str


Message = (
    Trade | Quote | Bar | Correction | Cancel | Day | Gap | Snapshot | Welcome | Subscribed | Lag | Heartbeat | Pong | Error | AuthExpiring
    | Auth | Epoch | Goodbye | FeedState | Open | Reset | Hole | Suspect
)
#: A message before it is known which one it is.
Raw = dict[str, Any]

_OF_TRADE = ("seq", "offset", "ts", "trade_seq", "trade_ts", "trade_price", "trade_size")
_NUMBERS = {
    "trade": ("seq", "offset", "ts", "price", "size"),
    "quote": ("seq", "offset", "ts", "bid", "bid_size", "ask", "ask_size"),
    "bar": ("seq", "offset", "ts", "open", "high", "low", "close", "volume"),
    "correction": (*_OF_TRADE, "price", "size"),
    "cancel": _OF_TRADE,
    "day": ("seq", "offset", "ts", "prev_close"),
    "gap": ("seq", "offset", "ts", "since"),
    "snapshot": ("offset",),
    "welcome": ("offset",),
    "lag": ("skipped", "since_offset"),
    "heartbeat": ("offset",),
    "pong": ("offset",),
    "auth_expiring": ("expires_at",),
    "status": ("offset", "file_ts", "from", "to"),
    "epoch": ("offset",),
}
#: Numbers that a message may lack; a snapshot those that its symbol does not have yet, or that the client's key does not include.
_OPTIONAL = (
    "ts", "price", "size", "bid", "bid_size", "ask", "ask_size", "open", "high", "low", "prev_close", "volume",
    "id", "skipped", "heartbeat_ms", "retry_after_ms", "expires_at",
)
_ANSWER_KINDS = {"epoch": str, "offset": int, "cursor": str, "recovered": bool, "messages": list}
#: Greater ones are no numbers of a server, and not every operation can do with them.
_NUMBER_MAX = 1 << 63
_TOPICS = {"trade": "trades", "quote": "quotes", "correction": "corrections", "cancel": "cancels", "day": "day", "gap": "gap"}


class GarbledError(Exception):
    """A message cannot be read."""


def topic_of(message: Raw) -> str | None:
    """Returns the topic of a numbered message, without its symbol; None if the message has no number."""
    return f"bars.{message['interval']}" if message["type"] == "bar" else _TOPICS.get(message["type"])


def suspicion_of(event: Raw, channel: str) -> Suspect | None:
    """Returns a warning of a numbered message with values that cannot be right."""
    prices = [event[key] for key in ("price", "bid", "ask", "low") if key in event]
    is_crossed = event["type"] == "quote" and event["bid"] > event["ask"]
    if min(prices, default=1) > 0 and not is_crossed:
        return None
    reason: Literal["crossed", "zero"] = "crossed" if min(prices, default=1) > 0 else "zero"
    return {"type": "suspect", "symbol": event["symbol"], "channel": channel, "seq": event["seq"], "reason": reason}


def check(message: object) -> Raw:
    """Returns a message that has every key that this client reads.

    Raises GarbledError if it has not.
    """
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise GarbledError("a message is an object with a type")
    kind = message["type"]
    numbers = _NUMBERS.get(kind, ())
    if not all(_is_number(message.get(key)) for key in numbers) or not all(_is_number(message[key]) for key in _OPTIONAL if key in message):
        raise GarbledError(f"a {kind} lacks a number")
    if ("ts" in numbers or kind == "snapshot") and not isinstance(message.get("symbol"), str):
        raise GarbledError(f"a {kind} lacks its symbol")
    if kind == "bar" and message.get("interval") not in INTERVALS:
        raise GarbledError("a bar lacks its interval")
    if kind == "snapshot" and not (isinstance(seq := message.get("seq"), dict) and all(map(_is_number, seq.values()))):
        raise GarbledError("a snapshot lacks its numbers")
    word = {"welcome": "epoch", "epoch": "epoch", "goodbye": "reason", "error": "code", "auth": "name"}.get(kind)
    if word is not None and not isinstance(message.get(word), str):
        raise GarbledError(f"a {kind} lacks its {word}")
    symbols = message.get("symbols", []) if kind == "error" else []
    if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
        raise GarbledError("an error has a symbol that is none")
    return message


def check_answer(answer: object, *keys: str) -> Raw:
    """Returns an answer over HTTP that has these keys.

    Raises GarbledError if it has not.
    """
    if not isinstance(answer, dict) or not all(isinstance(answer.get(key), _ANSWER_KINDS[key]) for key in keys):
        raise GarbledError("an answer lacks a key")
    return answer


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _NUMBER_MAX


def read_json(text: str | bytes) -> Any:
    """Reads JSON; raises GarbledError if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as err:
        raise GarbledError(str(err)) from err


def read_frame(text: str | bytes) -> list[Raw]:
    """Reads a frame, an array of messages; raises GarbledError if it is none."""
    frame = read_json(text)
    if not isinstance(frame, list):
        raise GarbledError("a frame is an array")
    return [check(message) for message in frame]
