//! The live page at midnight UTC: every row has the figures of the new day, whether its symbol trades or not.

use std::time::Instant;

use serde_json::{Value, json};
use tickcast::domain::Timestamp;

use super::driver::Browser;
use super::{LIVE, TEN_ROWS};
use crate::http::get;
use crate::patience::PATIENCE;
use crate::spawn::spawn_app_at;

/// Tuesday 2026-03-03, 00:00 UTC.
const MIDNIGHT: Timestamp = Timestamp::from_micros(1_772_496_000_000_000);
const MINUTE_MICROS: i64 = 60_000_000;
/// The figures in the rows, as numbers.
pub(super) const ROWS: &str = "Object.fromEntries([...document.querySelectorAll('#watchlist tbody tr[data-symbol]')].map((row) => [
    row.dataset.symbol, Object.fromEntries(['last', 'change', 'volume'].map((field) =>
        [field, row.querySelector(`[data-field=${field}]`).textContent.replace('\u{2212}', '-').replaceAll(',', '')]))]))";

pub(super) fn shown(snapshot: &Value) -> Value {
    let figure = |name: &str| snapshot[name].as_f64().unwrap();
    let change = figure("price") - figure("prev_close");
    let change = if format!("{change:.2}").ends_with("0.00") { "0.00".into() } else { format!("{change:+.2}") };
    json!({ "last": format!("{:.2}", figure("price")), "change": change, "volume": snapshot["volume"].to_string() })
}

#[actix_web::test]
async fn every_row_turns_at_midnight_whether_its_symbol_trades_or_not() {
    let (server, clock) = spawn_app_at(MIDNIGHT.plus_micros(-MINUTE_MICROS), |settings| {
        // The figures follow corrections and cancellations.
        settings.feed.amendments_per_million_trades = 50_000;
    });
    let browser = Browser::start(1280, 800, "dark").await;
    browser.open(&format!("http://{}/?lang=en", server.address)).await;
    browser.until(LIVE).await;
    browser.until(TEN_ROWS).await;
    browser.until(&format!("Object.values({ROWS}).every(({{ last }}) => last !== '–')")).await;
    // No symbol has traded yet in the new day.
    clock.advance_micros(MINUTE_MICROS);
    let is_new = "({ change, volume }) => change === '0.00' && volume === '0'";
    browser.until(&format!("Object.values({ROWS}).every({is_new})")).await;
    let stat = |name: &str| format!("document.querySelector('[data-stat={name}]').textContent");
    let last = browser.text("#title-last").await;
    assert_eq!(browser.value(&stat("prev_close")).await, json!(last));
    assert_eq!(browser.value(&stat("open")).await, json!(last));
    assert_eq!(browser.value(&stat("range")).await, json!(format!("{last} – {last}")));

    clock.advance_micros(MINUTE_MICROS);
    browser.until(&format!("Object.values({ROWS}).every(({{ volume }}) => volume !== '0')")).await;
    // The market runs for a moment until it has reached the clock.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let rows = browser.value(ROWS).await;
        let answer = get(server.address, "/api/v1/snapshot").await.json();
        let snapshots = answer["snapshots"].as_array().unwrap();
        let expected = |symbol: &str| shown(snapshots.iter().find(|each| each["symbol"] == symbol).unwrap());
        let wrong =
            rows.as_object().unwrap().iter().filter(|(symbol, row)| **row != expected(symbol)).collect::<Vec<_>>();
        if wrong.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "{wrong:?}: {answer}");
    }
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}
