"""Reads the stock stream with the client library of Massive, and fails if it logs a warning, or if an event is missing.

    stream.py HOST:PORT SECONDS TOPIC=LEAST…

Each TOPIC (T, Q, A, AM) must bring at least LEAST events within SECONDS. Then a wrong key must be refused.
"""

import asyncio
import collections
import json
import logging
import sys

from massive import WebSocketClient
from massive.exceptions import AuthError
from massive.websocket.models import EquityAgg, EquityQuote, EquityTrade

complaints = []


class Complaints(logging.Handler):
    """Collects what the client logs."""

    def emit(self, record):
        complaints.append(self.format(record))


logging.getLogger("WebSocketClient").addHandler(Complaints(level=logging.WARNING))
logging.getLogger().addHandler(Complaints(level=logging.WARNING))

address, seconds = sys.argv[1], float(sys.argv[2])
least = {topic: int(count) for topic, count in (argument.split("=") for argument in sys.argv[3:])}
counts = collections.Counter()
newest_id, newest_sequence = {}, {}


def trade(event):
    """The id of a trade is one more than that of the ticker's last one: nothing was lost."""
    before = newest_id.get(event.symbol)
    newest_id[event.symbol] = int(event.id)
    follows = before is None or int(event.id) == before + 1
    return follows and event.price > 0 and event.size > 0 and event.tape in (1, 2, 3) and isinstance(event.conditions, list)


def increases(event):
    before = newest_sequence.get(event.symbol, 0)
    newest_sequence[event.symbol] = event.sequence_number
    return before < event.sequence_number


def bar(event):
    prices = event.low <= event.vwap <= event.high and event.low <= event.open <= event.high
    return prices and event.volume > 0 and event.accumulated_volume > 0 and event.official_open_price > 0


CHECKS = {
    "T": (EquityTrade, lambda event: trade(event) and increases(event)),
    "Q": (EquityQuote, lambda event: event.bid_price < event.ask_price and increases(event)),
    "A": (EquityAgg, lambda event: bar(event) and event.end_timestamp - event.start_timestamp == 1_000),
    "AM": (EquityAgg, lambda event: bar(event) and event.end_timestamp - event.start_timestamp == 60_000),
}


async def handle(messages):
    for event in messages:
        topic = event.event_type
        counts[topic] += 1
        model, check = CHECKS[topic]
        if not isinstance(event, model) or not check(event):
            complaints.append(f"{topic}: {event}")


def client(key, subscriptions):
    return WebSocketClient(
        api_key=key, feed=address, market="stocks", secure=False, subscriptions=subscriptions, max_reconnects=0
    )


async def main():
    stream = client("tickcast", ["T.*", "T.AAPL", "Q.*", "A.*", "AM.*"])
    try:
        await asyncio.wait_for(stream.connect(handle), seconds)
    except asyncio.TimeoutError:
        await stream.close()
    try:
        await client("", ["T.*"]).connect(handle)
        complaints.append("an empty key was accepted")
    except AuthError:
        pass


asyncio.run(main())
print(json.dumps(counts))
missing = [f"{topic}: {counts[topic]} events, not {count}" for topic, count in least.items() if counts[topic] < count]
for line in missing + complaints[:20]:
    print(line, file=sys.stderr)
sys.exit(bool(missing or complaints))
