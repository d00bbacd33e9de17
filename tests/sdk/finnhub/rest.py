"""Reads quotes, candles and symbols with finnhub-python; only the address is changed. Usage: rest.py http://127.0.0.1:PORT"""

import sys
import time

import finnhub

finnhub.Client.API_URL = sys.argv[1] + "/api/v1"
client = finnhub.Client("tickcast")
now = int(time.time())

quote = client.quote("AAPL")
assert quote["l"] <= quote["c"] <= quote["h"] and quote["pc"] > 0, quote
candles = client.stock_candles("AAPL", "1", now - 3600, now)
assert candles["s"] == "ok" and 50 < len(candles["c"]) == len(candles["t"]), candles
days = client.stock_candles("AAPL", "D", now - 100 * 86400, now)
assert len(days["c"]) > 90
assert len(client.stock_symbols("US")) == 30
assert client.symbol_lookup("apple")["result"][0]["symbol"] == "AAPL"

try:
    client.stock_candles("AAPL", "7", now - 3600, now)
    raise AssertionError("there is no such resolution")
except finnhub.FinnhubAPIException as err:
    assert err.status_code == 400 and "resolution" in err.message, err
