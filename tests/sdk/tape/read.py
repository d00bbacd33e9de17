# Reads files that tickcast has written with other programs, and prints what they see: one line for each record.
# Usage: read.py KIND FILE, with a kind of dbn, lines, csv (DuckDB), pandas-lines, pandas-csv.
#        read.py resample FILE LENGTH: the bars of this length, like 5min, out of minutes of New York.
import sys

kind, path, *length = sys.argv[1:]

if kind == "dbn":
    import databento_dbn

    decoder = databento_dbn.DBNDecoder()
    with open(path, "rb") as file:
        decoder.write(file.read())
    metadata, *records = decoder.decode()
    symbols = {interval["symbol"]: symbol for symbol, intervals in metadata.mappings.items() for interval in intervals}
    print(metadata.version, metadata.dataset, metadata.schema, ",".join(metadata.symbols))
    for record in records:
        name = symbols[str(record.instrument_id)]
        if isinstance(record, databento_dbn.TradeMsg):
            print("trade", name, record.ts_event, record.ts_recv, record.price, record.size, record.action)
        elif isinstance(record, databento_dbn.MBP1Msg):
            level = record.levels[0]
            print("quote", name, record.ts_event, record.ts_recv, level.bid_px, level.bid_sz, level.ask_px, level.ask_sz)
        else:
            print("bar", name, record.ts_event, record.rtype.value, record.open, record.high, record.low, record.close, record.volume)
elif kind == "resample":
    import pandas

    minutes = pandas.read_csv(path, parse_dates=["date"]).set_index("date").tz_localize("America/New_York")
    rule = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    for bar in minutes.resample(*length).agg(rule).dropna().itertuples():
        print(int(bar.Index.timestamp()) * 1_000_000, bar.open, bar.high, bar.low, bar.close, bar.volume)
elif kind.startswith("pandas-"):
    import pandas

    table = pandas.read_json(path, lines=True) if kind == "pandas-lines" else pandas.read_csv(path, parse_dates=["timestamp"])
    for row in table[table["type"].isin(["trade", "quote"])].itertuples():
        ts = int(row.ts) if kind == "pandas-lines" else row.timestamp.value // 1_000
        price, bid, ask = (None if pandas.isna(value) else float(value) for value in (row.price, row.bid, row.ask))
        size = None if pandas.isna(row.size) else int(row.size) if row.size == int(row.size) else row.size
        print(row.type, row.symbol, ts, price, size, bid, ask)
else:
    import duckdb

    source = f"read_json('{path}', format='newline_delimited')" if kind == "lines" else f"read_csv('{path}')"
    time = "ts" if kind == "lines" else "epoch_us(timestamp)"
    query = f"select type, symbol, {time}, price, size, bid, ask from {source} where type in ('trade', 'quote')"
    for row in duckdb.sql(query).fetchall():
        print(*row)
