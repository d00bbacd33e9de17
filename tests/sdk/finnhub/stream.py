"""Reads the stream of trades with websocket-client, as the documentation of Finnhub does, and fails if a message has another form.

    stream.py ADDRESS LEAST

ADDRESS is that of the WebSocket, with its token. Ends after LEAST trades of each symbol.
"""

import collections
import json
import sys

import websocket

SYMBOLS = ["AAPL", "AMZN", "MSFT"]
address, least = sys.argv[1], int(sys.argv[2])
counts = collections.Counter()
complaints = []


def on_message(ws, message):
    frame = json.loads(message)
    if frame["type"] == "ping":
        return
    if frame["type"] != "trade":
        complaints.append(message)
        return ws.close()
    for trade in frame["data"]:
        counts[trade["s"]] += 1
        if trade["s"] not in SYMBOLS or trade["p"] <= 0 or trade["v"] <= 0 or not isinstance(trade["c"], list):
            complaints.append(message)
    if complaints or all(counts[symbol] >= least for symbol in SYMBOLS):
        ws.close()


def on_error(ws, error):
    complaints.append(repr(error))


def on_open(ws):
    for symbol in SYMBOLS:
        ws.send(json.dumps({"type": "subscribe", "symbol": symbol}))
    ws.send('{"type":"subscribe-news","symbol":"AAPL"}')


websocket.enableTrace(False)
app = websocket.WebSocketApp(address, on_message=on_message, on_error=on_error)
app.on_open = on_open
app.run_forever()

refused = []
wrong = websocket.WebSocketApp(address.partition("=")[0] + "=", on_error=lambda ws, error: refused.append(error))
wrong.run_forever()
if not refused or getattr(refused[0], "status_code", None) != 401:
    complaints.append(f"an empty token: {refused}")

print(json.dumps(counts))
for line in complaints[:20]:
    print(line, file=sys.stderr)
sys.exit(bool(complaints or not counts))
