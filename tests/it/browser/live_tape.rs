//! The tape and the board of the best quotes on the live page.

use serde_json::json;

use super::driver::Browser;
use super::{CHART_IS_FULL, LIVE};
use crate::command::spawn_binary;

/// Resolves to the trades of AAPL in the server's ring, oldest first, each as the tape shows it, without its time.
const ALL_TRADES: &str = "(async () => {
    const { epoch } = await (await fetch('api/v1/snapshot?symbols=AAPL')).json();
    const trades = [];
    let quote = null;
    for (let cursor = `${epoch}:0`; ;) {
        const query = `symbols=AAPL&channels=trades,quotes&after=${cursor}&wait_ms=0`;
        const { messages, cursor: next } = await (await fetch(`api/v1/poll?${query}`)).json();
        for (const each of messages) {
            if (each.type === 'quote') quote = each;
            else trades.push([each.price >= quote?.ask ? 'Buy' : each.price <= quote?.bid ? 'Sell' : 'Mid', each.price.toFixed(2), each.size.toLocaleString('en-US')].join(' '));
        }
        if (messages.length < 1024) return trades;
        cursor = next;
    }
})()";
/// The rows of the tape, oldest first.
const ROWS: &str = "[...document.querySelectorAll('#tape tbody tr:not([hidden])')].reverse()
    .map((row) => [...row.cells].slice(1).map((cell) => cell.textContent).join(' '))";
const PUSHED: &str = "frames_.filter(([way]) => way === 'in').flatMap(([, data]) => JSON.parse(data))
    .filter(({ type, symbol }) => type === 'trade' && symbol === 'AAPL').length";

#[tokio::test]
async fn the_tape_is_full_at_load_and_has_every_trade_once() {
    let server = spawn_binary(&[], &[("TICKCAST__FEED__EVENTS_PER_SECOND", "1000")]).await;
    let browser = Browser::start(1280, 800, "dark").await;
    browser.open(&format!("http://{}/handshake?lang=en", server.address)).await;
    browser.until(&format!("{ALL_TRADES}.then((trades) => trades.length > 60)")).await;
    browser.open(&format!("http://{}/?lang=en", server.address)).await;
    browser.until(LIVE).await;
    browser.until(CHART_IS_FULL).await;
    browser.until(&format!("{ROWS}.length === 40")).await;
    // The rows are compared with the ring after they are read: until then the ring only grows.
    let check = format!(
        "(async () => {{
            const [rows, pushed] = [{ROWS}, {PUSHED}];
            const all = (await {ALL_TRADES}).join('|');
            return [pushed < 40, all.includes(rows.join('|'))];
        }})()"
    );
    // On a slow machine 40 trades may be pushed before the first look; a page that is loaded again has another chance.
    let mut checked = browser.value(&check).await;
    for _ in 0..5 {
        assert_eq!(checked[1], true, "no trade is missing or shown twice");
        if checked[0] == true {
            break;
        }
        browser.open(&format!("http://{}/?lang=en", server.address)).await;
        browser.until(&format!("document.querySelector('#tape') && {ROWS}.length === 40")).await;
        checked = browser.value(&check).await;
    }
    assert_eq!(checked, json!([true, true]), "the tape was full before 40 trades had been pushed");

    browser
        .until(
            "/^\\d+\\.\\d\\d · \\d+\\.\\d bp$/.test(document.querySelector('#board [data-board=spread]').textContent)",
        )
        .await;
    let board = browser
        .value(
            "['bid', 'ask'].map((side) => Number(document.querySelector(`#board [data-board=${side}]`).textContent))",
        )
        .await;
    assert!(board[0].as_f64() < board[1].as_f64(), "{board}");
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}
