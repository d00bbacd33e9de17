//! Each layout of a CSV file, with its traps. Headers and rows are composed after the documents of the vendors, which are named.

use std::io::Write;

use chrono_tz::America::New_York;
use tickcast_tape::{ReadOptions, Skip};

use crate::{Folder, complaint, read, rows, symbol};

fn plain() -> ReadOptions {
    ReadOptions::default()
}

/// <https://massive.com/docs/flat-files/stocks/trades>
const MASSIVE_TRADES: &str = "\
ticker,conditions,correction,exchange,id,participant_timestamp,price,sequence_number,sip_timestamp,size,tape,trf_id,trf_timestamp
A,\"12,37\",0,11,52983525035312,1712306654208705342,142.99,3807,1712306654208740096,5,1,0,0
A,12,0,11,52983525035314,1712306654429439337,143,3809,1712306654429468160,187,1,0,0
A,,8,11,52983525035315,1712306654429439337,143,3809,1712306654429468160,187,1,0,0
A,,,11,52983525035316,1712306654429439337,143.12345,3809,1712306654429469000,0.500000,1,0,0
B,,0,11,52983525035317,1712306654300000000,10,3810,1712306654300000000,10.000000,1,0,0
B,,0,11,52983525035317,1712306654300000000,10,3810,1712306654400000000,0,1,0,0
";

#[test]
fn massive_trades_are_sorted_by_ticker_and_have_corrections_fractions_and_quoted_lists() {
    let expected = [
        "trade A 1712306654208740 142.99 5",
        "trade B 1712306654300000 10.00 10",
        "trade A 1712306654429468 143.00 187",
        "trade A 1712306654429469 143.1234 0.5",
    ];
    assert_eq!(rows("x.csv", MASSIVE_TRADES, &plain()), expected);
    let folder = Folder::new();
    let (_, counts) = read(&folder.write("x.csv", MASSIVE_TRADES), &plain()).unwrap();
    assert_eq!((counts.skipped(Skip::Correction), counts.skipped(Skip::NoVolume)), (1, 1));
    assert_eq!((counts.rows, counts.rounded_prices, counts.rounded_times), (4, 1, 2));
}

/// <https://massive.com/docs/flat-files/stocks/quotes>
#[test]
fn massive_quotes_have_sizes_in_lots_until_november_2025_and_empty_sides() {
    let header = "ticker,ask_exchange,ask_price,ask_size,bid_exchange,bid_price,bid_size,conditions,indicators,participant_timestamp,sequence_number,sip_timestamp,tape,trf_timestamp\n";
    let line = |nanos: i64, ask: &str, bid: &str| format!("A,12,{ask},3,11,{bid},1,1,\"1,2\",0,1,{nanos},1,0\n");
    let midnight = 1_762_146_000_000_000_000_i64;
    let text = format!(
        "{header}{}{}{}{}",
        line(midnight - 1_000, "10.01", "10"),
        line(midnight, "10.01", "10"),
        line(midnight + 1_000, "0", "10"),
        line(midnight + 2_000, "9.99", "10"),
    );
    let expected = [
        "quote A 1762145999999999 10.00 100 10.01 300",
        "quote A 1762146000000000 10.00 1 10.01 3",
        "quote A 1762146000000002 10.00 1 9.99 3",
    ];
    assert_eq!(rows("x.csv", text, &plain()), expected, "a crossed quote passes");
}

/// <https://massive.com/docs/flat-files/stocks/minute-aggregates>
#[test]
fn massive_bars_have_the_close_before_the_high_and_the_path_says_how_long_they_are() {
    let text = "ticker,volume,open,close,high,low,window_start,transactions\n\
        A,4930.5,200.29,200.5,200.63,200.29,1744792500000000000,129\n\
        A,1815.0,200.39,200.34,200.61,200.34,1744792620000000000,57\n\
        B,100,1,1,1,1,1744792500000000000,1\n";
    let expected = [
        "bar A 1744792500000000 60s 200.29 200.63 200.29 200.50 4930.5",
        "bar B 1744792500000000 60s 1.00 1.00 1.00 1.00 100",
        "bar A 1744792620000000 60s 200.39 200.61 200.34 200.34 1815",
    ];
    assert_eq!(rows("minute_aggs_v1-2025-04-16.csv", text, &plain()), expected);
    let options = ReadOptions { interval_micros: Some(60_000_000), ..plain() };
    assert_eq!(rows("x.csv", text, &options), expected);
    let day = "ticker,volume,open,close,high,low,window_start,transactions\nA,4930,2,2.5,3,1,1744776000000000000,129\n";
    assert_eq!(rows("day_aggs_v1.csv", day, &plain()), ["bar A 1744776000000000 86400s 2.00 3.00 1.00 2.50 4930"]);
}

/// <https://alpaca.markets/sdks/python/market_data.html>, `df.to_csv()`
#[test]
fn alpacas_tables_of_bars_trades_and_quotes() {
    let bars = "symbol,timestamp,open,high,low,close,volume,trade_count,vwap\n\
        AAPL,2024-01-02 09:00:00+00:00,192.49,192.6,191.9,191.95,5261.0,225.0,192.128914\n\
        AAPL,2024-01-02 09:01:00+00:00,192,192,192,192,100.0,1.0,192\n\
        SPY,2024-01-02 09:00:00+00:00,470,471,469,470.5,1000.0,10.0,470.1\n";
    let expected = [
        "bar AAPL 1704186000000000 60s 192.49 192.60 191.90 191.95 5261",
        "bar SPY 1704186000000000 60s 470.00 471.00 469.00 470.50 1000",
        "bar AAPL 1704186060000000 60s 192.00 192.00 192.00 192.00 100",
    ];
    assert_eq!(rows("x.csv", bars, &plain()), expected, "sorted by symbol");
    let trades = "symbol,timestamp,exchange,price,size,id,conditions,tape\n\
        AAPL,2024-01-02 14:30:00.123456789+00:00,Q,187.15,100.0,1,\"['@', 'I']\",C\n";
    assert_eq!(rows("x.csv", trades, &plain()), ["trade AAPL 1704205800123456 187.15 100"]);
    let quotes = "symbol,timestamp,ask_exchange,ask_price,ask_size,bid_exchange,bid_price,bid_size,conditions,tape\n\
        AAPL,2024-01-02 14:30:00+00:00,Q,187.16,2.0,Q,187.15,1.0,['R'],C\n";
    assert_eq!(rows("x.csv", quotes, &plain()), ["quote AAPL 1704205800000000 187.15 1 187.16 2"]);
}

/// <https://databento.com/docs/standards-and-conventions/conventions-enums>: times and prices as numbers, or as text.
#[test]
fn databento_writes_prices_and_times_as_numbers_or_as_text() {
    let header = "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,sequence,symbol\n";
    let numbers = "1609160400099150057,1609160400098821953,0,1,5482,T,A,0,3720250000000,5,129,19251,1170380,ESH1\n";
    let texts = "2020-12-28T13:00:00.099150057Z,2020-12-28T13:00:00.098821953Z,0,1,5482,T,A,0,3720.250000000,5,129,19251,1170380,ESH1\n";
    for line in [numbers, texts] {
        let text = format!("{header}{line}");
        assert_eq!(rows("x.csv", text, &plain()), ["trade ESH1 1609160400099150 3720.25 5"]);
    }
    let complaint =
        complaint("x.csv", format!("{header}{texts}{}", texts.replace("3720.250000000", "3720250000000")), &plain());
    assert!(
        complaint.starts_with("x.csv:3: column 'price': '3720250000000' is not a price with decimals"),
        "{complaint}"
    );

    let quotes = "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,sequence,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00,bid_ct_00,ask_ct_00,symbol\n\
        1609160400099150057,1609160400098821953,1,1,5482,T,A,0,3720250000000,5,129,19251,1170380,3720250000000,3720500000000,26,7,16,6,ESH1\n\
        1609160400099151057,1609160400098821953,1,1,5482,A,A,0,3720250000000,5,129,19251,1170380,3720250000000,9223372036854775807,26,0,16,0,ESH1\n";
    let expected = ["quote ESH1 1609160400099150 3720.25 26 3720.50 7", "trade ESH1 1609160400099150 3720.25 5"];
    assert_eq!(rows("x.csv", quotes, &plain()), expected);

    let bars = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n\
        1609160400000000000,33,1,5482,3720250000000,3721500000000,3720250000000,3721000000000,353,ESH1\n";
    assert_eq!(rows("x.csv", bars, &plain()), ["bar ESH1 1609160400000000 60s 3720.25 3721.50 3720.25 3721.00 353"]);
    let unmapped = bars.replace(",symbol", "").replace(",ESH1", "");
    let options = ReadOptions { symbols: [("5482".into(), symbol("ES"))].into(), ..plain() };
    assert_eq!(rows("x.csv", unmapped, &options).len(), 1);
}

/// <https://docs.tardis.dev/downloadable-csv-files>
#[test]
fn tardis_has_microseconds_fractions_and_symbols_that_need_a_name() {
    let text = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n\
        binance,btcusdt,1580515202342000,1580515202497052,4ed1,buy,9364.51,0.00041275\n";
    let refused = complaint("x.csv", text, &plain());
    assert!(refused.starts_with("x.csv:2: column 'symbol': 'btcusdt' is not a symbol"), "{refused}");
    let options = ReadOptions { symbols: [("btcusdt".into(), symbol("BTC-USDT"))].into(), ..plain() };
    assert_eq!(rows("x.csv", text, &options), ["trade BTC-USDT 1580515202342000 9364.51 0.000413"]);
}

/// <https://github.com/binance/binance-public-data>
#[test]
fn binance_has_no_header_and_milliseconds_or_microseconds() {
    let millis = "1,93576.00000000,0.00106000,99.19056000,1735689599999,True,True\n";
    let micros = "2,93576.00000000,0.00106000,99.19056000,1735689600004122,True,True\n";
    assert_eq!(
        rows("BTCUSDT-trades-2024-12-31.csv", millis, &plain()),
        ["trade BTCUSDT 1735689599999000 93576.00 0.00106"]
    );
    assert_eq!(
        rows("BTCUSDT-trades-2025-01-01.csv", micros, &plain()),
        ["trade BTCUSDT 1735689600004122 93576.00 0.00106"]
    );
    let klines =
        "1609459200000,28923.63,28961.66,28913.12,28961.66,27.457032,1609459259999,794382.04,1292,16.77,485390.82,0\n";
    let expected = ["bar BTCUSDT 1609459200000000 60s 28923.63 28961.66 28913.12 28961.66 27.457032"];
    assert_eq!(rows("BTCUSDT-1m-2021-01.csv", klines, &plain()), expected);
}

/// <https://lobsterdata.com/info/DataStructure.php>
#[test]
fn lobster_has_day_and_symbol_in_its_name_and_quotes_in_a_second_file() {
    let folder = Folder::new();
    let messages =
        "34200.017459617,5,0,1,2238200,-1\n34200.18960767,1,11885113,21,2238100,1\n34200.2,4,11885113,20,2238100,1\n";
    let book = "2239500,100,2231800,100\n2239500,100,2238100,21\n2239500,100,2238100,1\n";
    let path = folder.write("AAPL_2012-06-21_34200000_57600000_message_1.csv", messages);
    let (rows, counts) = read(&path, &plain()).unwrap();
    assert_eq!(
        rows.iter().map(crate::shown).collect::<Vec<_>>(),
        ["trade AAPL 1340285400017459 223.82 1", "trade AAPL 1340285400200000 223.81 20",]
    );
    assert_eq!((counts.skipped(Skip::Other), counts.rounded_times), (1, 1));
    folder.write("AAPL_2012-06-21_34200000_57600000_orderbook_1.csv", book);
    let (rows, _) = read(&path, &plain()).unwrap();
    assert_eq!(
        rows.iter().map(crate::shown).collect::<Vec<_>>(),
        [
            "trade AAPL 1340285400017459 223.82 1",
            "quote AAPL 1340285400017459 223.18 100 223.95 100",
            "quote AAPL 1340285400189607 223.81 21 223.95 100",
            "trade AAPL 1340285400200000 223.81 20",
            "quote AAPL 1340285400200000 223.81 1 223.95 100",
        ]
    );
    // A message with a mistake, even the first one, has its line in the book.
    folder.write("AAPL_2012-06-21_34200000_57600000_message_1.csv", messages.replace("34200.017459617", "-1"));
    let (rows, counts) = read(&path, &ReadOptions { bad_record: tickcast_tape::BadRecord::Skip, ..plain() }).unwrap();
    assert_eq!(crate::shown(&rows[0]), "quote AAPL 1340285400189607 223.81 21 223.95 100");
    assert_eq!((rows.len(), counts.skipped(Skip::Bad)), (3, 1));
    folder.write("AAPL_2012-06-21_34200000_57600000_message_1.csv", messages);
    folder.write("AAPL_2012-06-21_34200000_57600000_orderbook_1.csv", "2239500,100,2231800,100\n");
    assert!(read(&path, &plain()).unwrap_err().to_string().contains("the file of the messages has more lines"));
}

#[test]
fn any_table_of_bars_is_read_whatever_the_order_and_the_case_of_its_columns() {
    let zoned = ReadOptions { tz: Some(New_York), ..plain() };
    let expected = [
        "bar SPY 1608042600000000 60s 367.40 367.62 367.36 367.46 407870",
        "bar SPY 1608042660000000 60s 367.48 367.48 367.19 367.19 173406",
    ];
    for text in [
        "Date,Open,High,Low,Close,Volume\n2020-12-15 09:30:00,367.4,367.62,367.36,367.46,407870\n2020-12-15 09:31:00,367.48,367.48,367.19,367.19,173406\n",
        "close,VOLUME,low,High,datetime,open\r\n367.46,407870.0,367.36,367.62,2020-12-15T09:30,367.4\r\n367.19,173406,367.19,367.48,2020-12-15T09:31,367.48",
        "\u{feff}\"date\";\"open\";\"high\";\"low\";\"close\";\"volume\"\n\"20201215 093000\";\"367.4\";367.62;367.36;367.46;4.0787e5\n20201215 093100;367.48;367.48;367.19;367.19;173406\n",
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<VOL>\n2020.12.15\t09:30:00\t367.4\t367.62\t367.36\t367.46\t407870\n2020.12.15\t09:31:00\t367.48\t367.48\t367.19\t367.19\t173406\n",
    ] {
        assert_eq!(rows("SPY.csv", text, &zoned), expected, "{text}");
    }
    let columns = ["timestamp", "open", "high", "low", "close", "volume"].map(String::from).into();
    let options = ReadOptions { columns, symbol: Some(symbol("SPY")), ..zoned };
    let bare = "2020-12-15 09:30:00,367.4,367.62,367.36,367.46,407870\n2020-12-15 09:31:00,367.48,367.48,367.19,367.19,173406\n";
    assert_eq!(rows("bars.csv", bare, &options), expected);
}

#[test]
fn bars_of_days_are_known_by_their_times_whatever_the_clocks_do() {
    let text = "Date,Open,High,Low,Close,Volume\n2020-03-06 00:00:00-05:00,1,1,1,1,4\n2020-03-09 00:00:00-04:00,1,1,1,1,4\n2020-03-10 00:00:00-04:00,1,1,1,1,0\n";
    let expected = [
        "bar SPY 1583470800000000 86400s 1.00 1.00 1.00 1.00 4",
        "bar SPY 1583726400000000 86400s 1.00 1.00 1.00 1.00 4",
    ];
    assert_eq!(rows("SPY.csv", text, &plain()), expected, "as yfinance writes them; a bar of no volume has no trade");
    let text = "Date,Open,High,Low,Close,Adj Close,Volume\n2020-03-06,1,1,1,1,0.9,4\n";
    assert_eq!(rows("SPY.csv", text, &plain()), ["bar SPY 1583452800000000 86400s 1.00 1.00 1.00 1.00 4"]);
    let text = "Date,Open,High,Low,Close\n2020-03-06,1,1,1,1\n";
    assert_eq!(
        rows("SPY.csv", text, &plain()),
        ["bar SPY 1583452800000000 86400s 1.00 1.00 1.00 1.00 4"],
        "without volumes"
    );
}

#[test]
fn a_table_whose_rows_say_what_they_are_needs_no_other_column_of_ours() {
    let text = "type,symbol,timestamp,price,size,bid,bid_size,ask,ask_size\n\
        trade,SPY,2020-12-15T14:30:00Z,10,0.5,,,,\nQuote,SPY,2020-12-15T14:30:01Z,,,9,1,10,2\n";
    let expected = ["trade SPY 1608042600000000 10.00 0.5", "quote SPY 1608042601000000 9.00 1 10.00 2"];
    assert_eq!(rows("x.csv", text, &plain()), expected);
    // Columns that are missing count as empty.
    let text = "timestamp,ask,bid,price,type,size,ask_size\n1608042600,10,9,,quote,,1\n";
    let found = complaint("SPY.csv", text, &plain());
    assert!(found.starts_with("SPY.csv:2: column 'bid_size': '' is not a size"), "{found}");
    let text = "timestamp,ask,bid,price,type,size,ask_size\n1608042600,10,9,,T,,1\n";
    assert_eq!(complaint("SPY.csv", text, &plain()), "SPY.csv:2: column 'type': 'T' is not trade, quote or bar");
    let text =
        "type,time,price,size,open,high,low,close,volume\ntrade,1608042600,10,1,,,,,\nbar,1608042660,,,1,2,1,2,3\n";
    let found = complaint("SPY.csv", text, &plain());
    assert!(found.starts_with("SPY.csv:3: column 'interval': '' is not a length such as 1m"), "{found}");
    let options = ReadOptions { interval_micros: Some(60_000_000), ..plain() };
    let expected = ["trade SPY 1608042600000000 10.00 1", "bar SPY 1608042660000000 60s 1.00 2.00 1.00 2.00 3"];
    assert_eq!(rows("SPY.csv", text, &options), expected);
    assert_eq!(rows("SPY-1m.csv", text, &ReadOptions { symbol: Some(symbol("SPY")), ..plain() }), expected);
    // With rows of one kind alone, the column has another meaning.
    let text = "timestamp,type,price,size\n1608042600,buy,10,1\n";
    assert_eq!(rows("SPY.csv", text, &plain()), ["trade SPY 1608042600000000 10.00 1"]);
}

#[test]
fn empty_cells_are_absent_values_where_they_may_be_absent() {
    let text = "symbol,timestamp,open,high,low,close,volume,trade_count,vwap\nSPY,2020-12-15T14:30:00Z,1,1,1,1,4,,\nSPY,2020-12-15T14:31:00Z,1,1,1,1,4,,\n";
    assert_eq!(rows("x.csv", text, &plain()).len(), 2);
    let text = "symbol,timestamp,bid,bid_size,ask,ask_size\nSPY,2020-12-15T14:30:00Z,,,10,1\nSPY,2020-12-15T14:30:01Z,nan,0,10,1\n";
    assert!(rows("x.csv", text, &plain()).is_empty(), "one-sided quotes");
    let text = "symbol,timestamp,price,size\nSPY,2020-12-15T14:30:00Z,,1\n";
    assert!(complaint("x.csv", text, &plain()).starts_with("x.csv:2: column 'price': '' is not a price"));
}

#[test]
fn compression_is_known_by_the_content() {
    let text = "symbol,timestamp,price,size\nSPY,2020-12-15T14:30:00Z,10,1\n".to_owned();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    let zstd = zstd::stream::encode_all(text.as_bytes(), 1).unwrap();
    for content in [text.into_bytes(), gzip.finish().unwrap(), zstd] {
        assert_eq!(rows("x.csv", content, &plain()), ["trade SPY 1608042600000000 10.00 1"]);
    }
}

#[test]
fn several_files_are_merged_by_time_then_by_file() {
    let folder = Folder::new();
    let line = |second: u32, price: u32| format!("2020-12-15T14:30:{second:02}Z,{price},1\n");
    let first = folder.write("A.csv", format!("timestamp,price,size\n{}{}{}", line(1, 1), line(3, 2), line(5, 3)));
    let second = folder.write("B.csv", format!("timestamp,price,size\n{}{}{}", line(0, 4), line(3, 5), line(3, 6)));
    let mut merge = tickcast_tape::Merge::open(&[first, second], &plain()).unwrap();
    let prices: Vec<_> = crate::all(&mut merge).unwrap().iter().map(|row| crate::shown(row)[24..].to_owned()).collect();
    assert_eq!(prices, [" 4.00 1", " 1.00 1", " 2.00 1", " 5.00 1", " 6.00 1", " 3.00 1"]);
}

#[test]
fn only_the_symbols_asked_for_are_read() {
    let options = ReadOptions { only: Some([symbol("B")].into()), ..plain() };
    assert_eq!(rows("x.csv", MASSIVE_TRADES, &options), ["trade B 1712306654300000 10.00 10"]);
}

/// <https://ranaroussi.github.io/yfinance/>: `yf.download("SPY").to_csv()` since version 0.2.51.
#[test]
fn yfinance_has_three_lines_before_the_first_row_and_columns_of_each_ticker() {
    let one = "Price,Close,High,Low,Open,Volume\nTicker,SPY,SPY,SPY,SPY,SPY\nDatetime,,,,,\n\
        2020-12-15 14:30:00+00:00,2,3,1,1.5,10\n2020-12-15 14:31:00+00:00,2,2,1,1,11\n";
    let expected =
        ["bar SPY 1608042600000000 60s 1.50 3.00 1.00 2.00 10", "bar SPY 1608042660000000 60s 1.00 2.00 1.00 2.00 11"];
    assert_eq!(rows("table.csv", one, &plain()), expected);
    let two = "Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume\nTicker,BTC-USD,SPY,BTC-USD,SPY,BTC-USD,SPY,BTC-USD,SPY,BTC-USD,SPY\n\
        Date,,,,,,,,,,\n2020-12-15,19,3,20,4,18,2,18.5,2.5,700,10\n2020-12-16,21,,22,,20,,20.5,,900,\n2020-12-17,22,5,23,6,21,4,21.5,4.5,800,12\n";
    let expected = [
        "bar BTC-USD 1607990400000000 86400s 18.50 20.00 18.00 19.00 700",
        "bar SPY 1607990400000000 86400s 2.50 4.00 2.00 3.00 10",
        "bar BTC-USD 1608076800000000 86400s 20.50 22.00 20.00 21.00 900",
        "bar BTC-USD 1608163200000000 86400s 21.50 23.00 21.00 22.00 800",
        "bar SPY 1608163200000000 86400s 4.50 6.00 4.00 5.00 12",
    ];
    let folder = Folder::new();
    let (found, counts) = read(&folder.write("two.csv", two), &plain()).unwrap();
    assert_eq!(found.iter().map(crate::shown).collect::<Vec<_>>(), expected);
    assert_eq!(counts.skipped(Skip::NoVolume), 1, "no trading of SPY on the second day");
    let options = ReadOptions { only: Some([symbol("SPY")].into()), ..plain() };
    assert_eq!(rows("two.csv", two, &options), [expected[1], expected[4]]);
    let by_ticker =
        "Ticker,SPY,SPY,SPY,SPY,SPY\nPrice,Open,High,Low,Close,Volume\nDate,,,,,\n2020-12-15,2.5,4,2,3,10\n";
    assert_eq!(rows("x.csv", by_ticker, &plain()), [expected[1]]);

    let found = complaint("x.csv", one.replace("SPY", "^GSPC"), &plain());
    assert!(found.starts_with("x.csv:2: '^GSPC' is not a symbol"), "{found}");
    let options = ReadOptions { symbols: [("^GSPC".into(), symbol("SPX"))].into(), ..plain() };
    assert!(rows("x.csv", one.replace("SPY", "^GSPC"), &options)[0].starts_with("bar SPX "));
    assert!(
        complaint("x.csv", one.replace(",2,3,1,1.5,", ",2,3,x,1.5,"), &plain())
            .starts_with("x.csv:4: column 'Low': 'x'")
    );
    for text in [
        "Price,Close\n",
        "Price,Close\nTicker,SPY\nDate,\n",
        "Price,Close\nTicker,SPY,SPY\n",
        &one.replace("Datetime,,", "1,2,"),
    ] {
        let found = complaint("x.csv", text, &plain());
        assert!(found.starts_with("x.csv:1: begins like a table of yfinance, whose first three lines are"), "{found}");
    }
}

#[test]
fn a_row_of_empty_prices_is_no_trading() {
    let text = "Date,Open,High,Low,Close,Volume\n2020-12-15,1,2,1,2,10\n2020-12-16,,,,,\n2020-12-17,nan,nan,nan,nan,0\n2020-12-18,1,2,1,2,10\n";
    let folder = Folder::new();
    let (found, counts) = read(&folder.write("SPY.csv", text), &plain()).unwrap();
    assert_eq!((found.len(), counts.skipped(Skip::NoVolume)), (2, 2));
    let found = complaint("SPY.csv", text.replace("16,,,,,", "16,1,,,,9"), &plain());
    assert!(found.starts_with("SPY.csv:3: column 'High': '' is not a price"), "{found}");
}

/// <https://github.com/binance/binance-public-data>: files of futures have a header.
#[test]
fn binances_files_of_futures_have_a_header_and_the_symbol_in_the_name() {
    for (millis, unit) in [(1_735_689_599_999_i64, 1), (1_735_689_599_999_000, 1_000)] {
        let klines = format!(
            "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n\
             {},2,3,1,2,27.457032,{millis},794382.04,1292,16.77,485390.82,0\n",
            millis - 59_999 * unit
        );
        let found = rows("BTCUSDT-1m-2024-12.csv", klines, &plain());
        assert_eq!(found, ["bar BTCUSDT 1735689540000000 60s 2.00 3.00 1.00 2.00 27.457032"]);
        let trade = ["trade BTCUSDT 1735689599999000 93576.00 0.00106"];
        let trades = format!(
            "id,price,qty,quote_qty,time,is_buyer_maker\n1,93576.00000000,0.00106000,99.19056000,{millis},true\n"
        );
        assert_eq!(rows("BTCUSDT-trades-2024-12-31.csv", trades, &plain()), trade);
        let header = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n";
        let line = format!("1,93576.0,0.00106,1,2,{millis},true\n");
        assert_eq!(rows("BTCUSDT-aggTrades-2024-12.csv", format!("{header}{line}"), &plain()), trade);
        assert_eq!(rows("BTCUSDT-aggTrades-2023-01.csv", line, &plain()), trade, "older ones have none");
    }
}
