//! Midnight UTC over the real binary, with 1,030 symbols and a page with the longest list: every row and every snapshot
//! is right from the first moment of the new day.

use std::time::Instant;

use serde_json::{Value, json};

use super::LIVE;
use super::driver::Browser;
use super::live_day::{ROWS, shown};
use super::live_list::keep;
use crate::client::{ALL_CHANNELS, Client};
use crate::faked_clock::{FakedClock, machine_seconds};
use crate::http::get;
use crate::patience::PATIENCE;
use crate::view::said;

const SECOND_MICROS: i64 = 1_000_000;
const SYMBOLS: usize = 1_030;
/// The expected figures are those of the trades as they came.
const VARIABLES: [(&str, &str); 2] =
    [("TICKCAST__FEED__EXTRA_SYMBOLS", "1000"), ("TICKCAST__FEED__AMENDMENTS_PER_MILLION_TRADES", "0")];
/// Most symbols in the page's list.
const ROWS_MAX: usize = 100;

/// Computes the expected row of each symbol from the messages on the socket, and compares all rows after each frame
/// that painted a figure, when the page has painted everything it has received. Stores differences in `wrong_`; by symbol, how late the market
/// was when its day arrived in `days_`, and when its row first showed the new day in `turned_`, in microseconds after
/// `midnight`. `ahead` is how far the server's clock is ahead of this one, in milliseconds.
const WATCH_THE_ROWS: &str = "(midnight, ahead) => {
    Object.assign(globalThis, { wrong_: [], days_: {}, turned_: {}, painted_: 0 });
    const [fold, write] = [{}, (figure) => figure.toFixed(2)];
    let newest = 0;
    const count = (volume) => volume < 1e6 ? volume : `${(volume / 1e6).toFixed(2)}M`;
    const change = ({ price, prev_close }) => {
        const text = write(price - prev_close).replace('-0.00', '0.00');
        return /^-|^0.00$/.test(text) ? text : `+${text}`;
    };
    const take = (message) => {
        const { type, symbol, ts } = message;
        const known = fold[symbol];
        if (type === 'snapshot') fold[symbol] = { ...message };
        if (known && type === 'trade') Object.assign(known, { price: message.price, volume: known.volume + message.size });
        if (known && type === 'quote') Object.assign(known, { bid: message.bid, ask: message.ask });
        if (known && type === 'day') {
            Object.assign(known, { price: message.prev_close, prev_close: message.prev_close, volume: 0 });
            days_[symbol] = newest - midnight;
        }
        if (type === 'trade' || type === 'quote' || type === 'day') newest = Math.max(newest, ts);
    };
    frames_.filter(([way]) => way === 'in').forEach(([, data]) => JSON.parse(data).forEach(take));
    sockets_.at(-1).addEventListener('message', ({ data }) => JSON.parse(data).forEach(take));
    const table = document.querySelector('#watchlist');
    const isFigure = ({ target }) => (target.parentElement ?? target).closest(
        '[data-field=last], [data-field=change], [data-field=bid], [data-field=ask], [data-field=volume]');
    new MutationObserver((changes) => {
        if (!changes.some(isFigure)) return;
        for (const row of table.querySelectorAll('tbody tr[data-symbol]')) {
            const { symbol } = row.dataset;
            const known = fold[symbol];
            const cell = (field) => row.querySelector(`[data-field=${field}]`);
            const text = (field) => (cell(field).querySelector('.upper') ?? cell(field)).textContent;
            const shown = ['last', 'change', 'bid', 'ask', 'volume'].map(text).join(' ').replaceAll(',', '').replace('\u{2212}', '-');
            const right = [write(known.price), change(known), write(known.bid), write(known.ask), count(known.volume)].join(' ');
            if (shown !== right) wrong_.push([symbol, shown, right]);
            else if (symbol in days_ && !(symbol in turned_)) {
                turned_[symbol] = newest - midnight;
                painted_ = Date.now() + ahead - midnight / 1_000;
            }
        }
    }).observe(table, { childList: true, characterData: true, subtree: true });
}";

/// Reads until every symbol's day has arrived; the last one arrives within two seconds of the market.
async fn read_days(client: &mut Client, midnight: i64) {
    let mut left = SYMBOLS;
    let told = client
        .until("the day of every symbol", |message| {
            left -= usize::from(message["type"] == "day");
            left == 0
        })
        .await;
    let mut newest = 0;
    for message in told {
        match message["type"].as_str().unwrap() {
            "day" => {
                assert_eq!(message["ts"], midnight, "{message}");
                assert!(newest < midnight + 2 * SECOND_MICROS, "{message} after {newest}");
            }
            "trade" | "quote" => newest = message["ts"].as_i64().unwrap(),
            _ => {}
        }
    }
}

fn assert_new(snapshot: &Value, midnight: i64) {
    assert!(snapshot["ts"].as_i64().unwrap() >= midnight, "{snapshot}");
    let close = &snapshot["prev_close"];
    if snapshot["volume"] == 0 {
        assert!(["price", "open", "high", "low"].iter().all(|name| snapshot[*name] == *close), "{snapshot}");
    }
    // A few trades at most since midnight: a day has thousands of shares of each symbol.
    assert!(snapshot["volume"].as_u64().unwrap() < 100_000, "{snapshot}");
}

#[actix_web::test]
async fn midnight_over_the_real_binary_turns_1030_snapshots_and_100_rows_of_a_page() {
    let faked = FakedClock::ahead(0);
    let process = faked.spawn(&VARIABLES).await;
    let listed = get(process.address, "/api/v1/symbols").await.json();
    let listed = listed["symbols"].as_array().unwrap().iter().take(ROWS_MAX);
    let listed: Vec<String> = listed.map(|each| each["symbol"].as_str().unwrap().into()).collect();
    // So high that every row is in sight: others get no events.
    let browser = Browser::start(1280, 4_600, "dark").await;
    keep(&browser, &listed).await;
    let columns = "{ columns: ['last', 'change', 'bid', 'ask', 'volume'] }";
    let kept = "JSON.parse(localStorage.getItem('tickcast.page'))";
    browser
        .before_scripts(&format!(
            "localStorage.setItem('tickcast.page', JSON.stringify({{ ...{kept}, ...{columns} }}))"
        ))
        .await;
    browser.open(&format!("http://{}/?lang=en", process.address)).await;
    browser.until(LIVE).await;
    let filled = format!("Object.values({ROWS}).filter(({{ last }}) => last !== '–').length");
    browser.until(&format!("{filled} === {ROWS_MAX}")).await;
    let mut client = Client::connect(process.address).await;
    client.subscribe(&["*"], &ALL_CHANNELS).await;

    // However long the start took, two seconds are left to midnight.
    let now = machine_seconds();
    let midnight = (now / 86_400 + 1) * 86_400;
    let ahead = midnight - now - 2;
    let midnight = midnight * SECOND_MICROS;
    browser.value(&format!("({WATCH_THE_ROWS})({midnight}, {ahead} * 1_000)")).await;
    faked.set_ahead(ahead);
    read_days(&mut client, midnight).await;
    let answer = get(process.address, "/api/v1/snapshot").await.json();
    while client.view.offset < answer["offset"].as_u64().unwrap() {
        client.next_message().await;
    }
    let snapshots = answer["snapshots"].as_array().unwrap();
    assert_eq!(snapshots.len(), SYMBOLS);
    for snapshot in snapshots {
        assert_new(snapshot, midnight);
        assert_eq!(client.view.snapshot(snapshot["symbol"].as_str().unwrap()), said(snapshot));
    }
    assert_eq!((client.view.missing, client.view.skipped), (0, 0));

    browser.until(&format!("Object.keys(turned_).length === {ROWS_MAX} || wrong_.length > 0")).await;
    assert_eq!(browser.value("wrong_.slice(0, 5)").await, json!([]));
    let latest =
        async |name: &str| browser.value(&format!("Math.max(...Object.values({name}))")).await.as_i64().unwrap();
    let told = latest("days_").await;
    assert!(told < 2 * SECOND_MICROS, "the last row is told {told} µs after midnight");
    let (market, clock) = (latest("turned_").await, browser.value("painted_").await);
    println!("all rows have the new day when the market is {market} µs into it, and the clock {clock} ms");
    // Page and server agree at a moment at which the page has received every event that the answer covers.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let rows = browser.value(ROWS).await;
        let answer = get(process.address, "/api/v1/snapshot").await.json();
        let snapshots = answer["snapshots"].as_array().unwrap();
        let right = |symbol: &String| shown(snapshots.iter().find(|each| each["symbol"] == **symbol).unwrap());
        if listed.iter().all(|symbol| rows[symbol] == right(symbol)) {
            break;
        }
        assert!(Instant::now() < deadline, "{rows}: {answer}");
    }
    assert_eq!(browser.value("wrong_").await, json!([]));
    assert_eq!(browser.value("document.querySelector('#holes').dataset.count").await, json!("0"));
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}
