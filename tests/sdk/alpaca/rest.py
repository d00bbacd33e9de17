"""Reads bars, trades, newest values and snapshots with alpaca-py, unchanged. Usage: rest.py http://127.0.0.1:PORT"""

import sys
from datetime import datetime, timedelta, timezone

from alpaca.common.enums import Sort
from alpaca.common.exceptions import APIError
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.requests import (
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockQuotesRequest,
    StockSnapshotRequest,
    StockTradesRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

SYMBOLS = ["AAPL", "MSFT", "NVDA"]

client = StockHistoricalDataClient("tickcast", "tickcast", url_override=sys.argv[1])
now = datetime.now(timezone.utc)

# Four symbols of two days of minutes, and of the day so far, are more than a page of 10,000 at any time of the day.
SYMBOLS_OF_MINUTES = [*SYMBOLS, "TSLA"]
minutes = client.get_stock_bars(
    StockBarsRequest(
        symbol_or_symbols=SYMBOLS_OF_MINUTES, timeframe=TimeFrame.Minute, start=now - timedelta(hours=60), end=now
    )
)
count = sum(len(minutes.data[symbol]) for symbol in SYMBOLS_OF_MINUTES)
assert count > 10_000, count
for symbol in SYMBOLS_OF_MINUTES:
    times = [bar.timestamp for bar in minutes.data[symbol]]
    assert times == sorted(set(times)), symbol
    assert all(bar.low <= bar.open <= bar.high and bar.volume > 0 for bar in minutes.data[symbol])
assert len(minutes.df) == count

for timeframe, days in [
    (TimeFrame(7, TimeFrameUnit.Minute), 2),
    (TimeFrame.Hour, 20),
    (TimeFrame.Day, 200),
    (TimeFrame.Week, 200),
    (TimeFrame.Month, 200),
]:
    start = now - timedelta(days=days)
    request = {"symbol_or_symbols": "KO", "timeframe": timeframe, "start": start}
    ascending = client.get_stock_bars(StockBarsRequest(**request, limit=50)).data["KO"]
    assert 5 < len(ascending) <= 50, (timeframe, len(ascending))
    newest = client.get_stock_bars(StockBarsRequest(**request, limit=3, sort=Sort.DESC)).data["KO"]
    assert newest[0].timestamp > newest[1].timestamp > newest[2].timestamp

trades = client.get_stock_trades(StockTradesRequest(symbol_or_symbols=SYMBOLS, start=now - timedelta(minutes=5)))
assert trades.data["AAPL"][0].exchange and trades.data["AAPL"][0].id > 0
quotes = client.get_stock_quotes(StockQuotesRequest(symbol_or_symbols="AAPL", start=now - timedelta(minutes=5), limit=20))
assert 0 < len(quotes.data["AAPL"]) <= 20
assert all(quote.bid_price < quote.ask_price for quote in quotes.data["AAPL"])

trade = client.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols=SYMBOLS))
quote = client.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="AAPL"))
bar = client.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols=SYMBOLS))
assert sorted(trade) == sorted(bar) == SYMBOLS and list(quote) == ["AAPL"]
snapshots = client.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=SYMBOLS))
for symbol in SYMBOLS:
    snapshot = snapshots[symbol]
    assert snapshot.latest_trade.price > 0 and snapshot.latest_quote.bid_price > 0
    assert snapshot.minute_bar.symbol == symbol
    assert snapshot.previous_daily_bar.timestamp < snapshot.daily_bar.timestamp

try:
    client.get_stock_bars(StockBarsRequest(symbol_or_symbols="AAPL", timeframe=TimeFrame.Day, start=now, end=now - timedelta(1)))
    raise AssertionError("the end is before the start")
except APIError as err:
    assert err.status_code == 400 and "end should not be before start" in str(err), err
