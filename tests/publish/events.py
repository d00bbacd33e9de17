"""The numbered events of the proof: every value of an event follows from its number, so that a reader can check each."""

from typing import Any

from server import SYMBOLS


def values(number: int) -> tuple[str, str, int]:
    """Returns type, symbol and price in cents of an event."""
    kind = "quote" if number % 3 == 2 else "trade"
    return kind, SYMBOLS[number % 7 % len(SYMBOLS)], 10_000 + number * number % 9_973


def written(number: int) -> str:
    """Returns the JSON object that is published."""
    kind, symbol, cents = values(number)
    price, above = f"{cents // 100}.{cents % 100:02d}", f"{cents // 100 + 1}"
    if kind == "quote":
        return f'{{"type":"quote","symbol":"{symbol}","bid":{price},"bid_size":{number + 1},"ask":{above},"ask_size":1}}'
    return f'{{"type":"trade","symbol":"{symbol}","price":{price},"size":{number + 1}}}'


def batch(first: int, end: int) -> bytes:
    """Returns the body of a request with these events."""
    return ("[" + ",".join(map(written, range(first, end))) + "]").encode()


def number_of(event: dict[str, Any]) -> int:
    """Returns the number of an event that was read."""
    return int(event["bid_size" if event["type"] == "quote" else "size"]) - 1


def is_whole(event: dict[str, Any], number: int) -> bool:
    """Returns whether an event that was read has the values of this number."""
    kind, symbol, cents = values(number)
    price = event.get("bid" if kind == "quote" else "price")
    return event["type"] == kind and event["symbol"] == symbol and price == cents / 100
