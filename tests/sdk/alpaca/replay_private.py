"""Reads a file that is played for this client alone with alpaca-py, unchanged: every bar is compared with the file, and trades are counted.
Usage: replay_private.py ADDRESS FILE.csv.gz

ADDRESS is that of the stream, ws://HOST:PORT/v2/replay?file=…; it begins when the client has subscribed, and ends with the file."""

import csv
import gzip
import sys
from datetime import datetime
from zoneinfo import ZoneInfo

from alpaca.data.live import StockDataStream

ADDRESS, FILE = sys.argv[1:3]

with gzip.open(FILE, "rt") as file:
    expected = [
        (
            datetime.fromisoformat(row["date"]).replace(tzinfo=ZoneInfo("America/New_York")),
            *(float(row[key]) for key in ("open", "high", "low", "close", "volume")),
        )
        for row in csv.DictReader(file)
    ]
received = []
trades = []


async def keep_bar(bar) -> None:
    received.append((bar.timestamp, bar.open, bar.high, bar.low, bar.close, bar.volume))
    if len(received) == len(expected):
        await stream.stop_ws()


async def keep_trade(trade) -> None:
    trades.append(trade)


stream = StockDataStream("tickcast", "tickcast", url_override=ADDRESS)
stream.subscribe_bars(keep_bar, "SPY")
stream.subscribe_trades(keep_trade, "*")
stream.run()
for found, wanted in zip(received, expected, strict=True):
    assert found == wanted, (found, wanted)
assert len(trades) > 3 * len(expected) and {trade.symbol for trade in trades} == {"SPY"}, len(trades)
print(f"{len(received)} bars, each as in the file, and {len(trades)} trades")
