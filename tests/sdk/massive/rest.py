"""Reads aggregates, newest values, snapshots and tickers with the client of Massive, unchanged.

Usage: rest.py http://127.0.0.1:PORT
"""

import sys
from datetime import datetime, timedelta, timezone

from massive import RESTClient
from massive.exceptions import BadResponse

client = RESTClient("tickcast", base=sys.argv[1], retries=0)
now = datetime.now(timezone.utc)

minutes = list(client.list_aggs("AAPL", 1, "minute", now - timedelta(hours=5), now, limit=70))
assert len(minutes) > 250, len(minutes)
times = [bar.timestamp for bar in minutes]
assert times == sorted(set(times))
assert all(bar.low <= bar.vwap <= bar.high and bar.transactions > 0 for bar in minutes)
days = client.get_aggs("KO", 1, "day", (now - timedelta(days=100)).date(), now.date(), sort="desc")
assert len(days) > 90 and days[0].timestamp > days[1].timestamp
assert client.get_previous_close_agg("KO")[0].close == days[1].close
assert client.get_aggs("NONE", 1, "day", "2020-01-01", "2020-02-01") == []

trade = client.get_last_trade("AAPL")
assert trade.ticker == "AAPL" and trade.price > 0 and trade.exchange > 0
quote = client.get_last_quote("AAPL")
assert quote.bid_price < quote.ask_price
snapshot = client.get_snapshot_ticker("stocks", "AAPL")
assert snapshot.day.volume > 0 and snapshot.prev_day.close > 0 and snapshot.min.close > 0
assert snapshot.last_trade.price > 0 and snapshot.last_quote.ask_price > 0
snapshots = client.get_snapshot_all("stocks", tickers=["AAPL", "MSFT"])
assert [each.ticker for each in snapshots] == ["AAPL", "MSFT"]
assert len(client.get_snapshot_all("stocks")) == 30
gainers = client.get_snapshot_direction("stocks", "gainers")
assert all(each.todays_change_percent > 0 for each in gainers) and len(gainers) <= 20
universal = {each.ticker: each for each in client.list_universal_snapshots(type="stocks", ticker_any_of=["AAPL", "KO"])}
assert universal["KO"].session.previous_close > 0 and universal["AAPL"].last_quote.bid < universal["AAPL"].last_quote.ask
assert universal["AAPL"].last_minute.volume > 0 and universal["AAPL"].market_status == "open"
assert len(list(client.list_universal_snapshots(limit=20))) == 30
grouped = client.get_grouped_daily_aggs((now - timedelta(days=3)).date())
assert len(grouped) == 30 and all(each.low <= each.close <= each.high for each in grouped)
tickers = list(client.list_tickers(market="stocks", limit=7))
assert len(tickers) == 30 and tickers[0].ticker == "AAPL" and tickers[0].active
assert client.get_ticker_details("AAPL").name == "Apple Inc."
trades = list(client.list_trades("AAPL", timestamp_gte=now - timedelta(minutes=5), limit=5, order="asc"))
ids = [int(each.id) for each in trades]
assert ids == list(range(ids[0], ids[0] + len(ids)))
assert all(one.sequence_number < other.sequence_number for one, other in zip(trades, trades[1:]))

try:
    client.get_last_trade("NONE")
    raise AssertionError("there is no such ticker")
except BadResponse as err:
    assert "Ticker not found" in str(err), err
