"""Reads the stock stream with alpaca-py, and fails if the client logs a warning or an error, or if an event is missing.

    stream.py ADDRESS SECONDS CHANNEL=LEAST…

ADDRESS is that of the WebSocket, with its path. Each CHANNEL (trades, quotes, bars, updatedBars, dailyBars, corrections, cancelErrors)
must bring at least LEAST events within SECONDS.
"""

import collections
import json
import logging
import sys
import threading
import time

from alpaca.data.live import StockDataStream
from alpaca.data.models import Bar, Quote, Trade, TradeCancel, TradeCorrection

complaints = []


class Complaints(logging.Handler):
    """Collects what the client logs."""

    def emit(self, record):
        complaints.append(self.format(record))


logging.getLogger().addHandler(Complaints(level=logging.WARNING))

address, seconds = sys.argv[1], float(sys.argv[2])
least = {name: int(count) for name, count in (argument.split("=") for argument in sys.argv[3:])}
counts = collections.Counter()
newest_trade = {}


def handler(channel, model, check=lambda event: True):
    async def handle(event):
        counts[channel] += 1
        if not isinstance(event, model) or not check(event):
            complaints.append(f"{channel}: {event}")

    return handle


def follows(trade):
    """The id of a trade is one more than that of the symbol's last one: nothing was lost."""
    before = newest_trade.get(trade.symbol)
    newest_trade[trade.symbol] = trade.id
    return before is None or trade.id == before + 1


stream = StockDataStream("tickcast", "tickcast", url_override=address)
stream.subscribe_trades(
    handler("trades", Trade, lambda trade: trade.price > 0 and trade.size > 0 and trade.conditions and follows(trade)), "*"
)
stream.subscribe_quotes(handler("quotes", Quote, lambda quote: 0 < quote.bid_price < quote.ask_price), "*")
for channel, subscribe in [
    ("bars", stream.subscribe_bars),
    ("updatedBars", stream.subscribe_updated_bars),
    ("dailyBars", stream.subscribe_daily_bars),
]:
    subscribe(handler(channel, Bar, lambda bar: bar.low <= bar.vwap <= bar.high and bar.trade_count > 0), "*")
stream.register_trade_corrections(handler("corrections", TradeCorrection))
stream.register_trade_cancels(handler("cancelErrors", TradeCancel))

client = threading.Thread(target=stream.run, daemon=True)
client.start()
time.sleep(seconds)
stream.stop()
client.join(10)

print(json.dumps(counts))
missing = [f"{channel}: {counts[channel]} events, not {count}" for channel, count in least.items() if counts[channel] < count]
for line in missing + complaints[:20]:
    print(line, file=sys.stderr)
sys.exit(bool(missing or complaints))
