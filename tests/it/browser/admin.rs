//! The page of the operators in a real browser: its table, its orders, its sign-in, and whether everyone can use it.

use std::net::SocketAddr;

use serde_json::json;

use super::access::{AXE, press, violations};
use super::driver::Browser;
use crate::client::Client;
use crate::command::{Process, spawn_binary};
use crate::keyring::{KeyRing, NARROW, WIDE, secret, two_keys};
use crate::spawn::loopback_host;

const LIVE: &str = "document.querySelector('#status').dataset.state === 'live'";
const DRAWN: &str = "[...document.querySelectorAll('#plots figure')].length === 8 \
                     && [...document.querySelectorAll('#plots figure')].every(({ dataset }) => Number(dataset.points) > 2)";
/// The rows as a list of sessions.
const ROWS: &str = "[...document.querySelectorAll('#sessions tbody tr')].map(({ dataset }) => dataset.session)";

async fn spawn(more: &[(&str, &str)]) -> (Process, SocketAddr) {
    let host = loopback_host();
    let variables = [
        ("TICKCAST__ADMIN__HOST", host.as_str()),
        ("TICKCAST__ADMIN__PORT", "9100"),
        ("TICKCAST__ADMIN__POINT_MS", "1000"),
    ];
    let process = spawn_binary(&[], &[&variables, more].concat()).await;
    (process, format!("{host}:9100").parse().unwrap())
}

fn name_of(client: &Client) -> String {
    client.welcome["session"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn sessions_are_listed_live_sorted_and_ended_after_a_question() {
    let (server, admin) = spawn(&[]).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Client::connect(server.address).await);
    }
    clients[1].subscribe(&["*"], &["trades", "quotes"]).await;
    let busy = name_of(&clients[1]);
    let browser = Browser::start(1280, 900, "light").await;
    browser.open(&format!("http://{admin}/admin?lang=en")).await;
    browser.until(LIVE).await;
    browser.until(&format!("{ROWS}.length === 3")).await;
    assert_eq!(browser.text("#range").await, "1 to 3 of 3");
    browser.click("th[data-column='bytes'] button").await;
    browser
        .until(&format!("document.querySelector('th[aria-sort]').dataset.column === 'bytes' && {ROWS}[0] === '{busy}'"))
        .await;
    browser.click("th[data-column='bytes'] button").await;
    browser
        .until(&format!(
            "document.querySelector('th[aria-sort]').ariaSort === 'ascending' && {ROWS}.at(-1) === '{busy}'"
        ))
        .await;
    // A figure changes without a reload.
    let bytes = format!("document.querySelector('tr[data-session=\"{busy}\"] [data-column=bytes]').textContent");
    let before = browser.value(&bytes).await;
    clients[1].events(500).await;
    browser.until(&format!("{bytes} !== {before}")).await;

    let end = format!("tr[data-session='{busy}'] [data-action='end']");
    browser.click(&end).await;
    browser.until("document.querySelector('#ask').open && document.activeElement.id === 'ask-no'").await;
    assert!(browser.text("#ask-text").await.contains(&busy));
    press(&browser, "Escape", 0).await;
    browser.until("!document.querySelector('#ask').open").await;
    clients[1].sync().await;
    browser.click(&end).await;
    browser.until("document.querySelector('#ask').open").await;
    browser.click("#ask-yes").await;
    assert_eq!(clients[1].read_to_end().await.1, Some((4006, "ended by an operator".into())));
    browser
        .until(&format!("{ROWS}.length === 2 && document.querySelector('#said').textContent === 'Sessions ended: 1'"))
        .await;
    clients[0].sync().await;
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn an_operator_signs_in_for_the_tab_and_ends_all_sessions_of_a_key() {
    let keys = KeyRing::new(&two_keys());
    let required = [("TICKCAST__AUTH__REQUIRED", "true"), ("TICKCAST__AUTH__KEYS_FILE", keys.path.to_str().unwrap())];
    let (server, admin) = spawn(&required).await;
    let mut narrow =
        [Client::connect_as(server.address, NARROW).await, Client::connect_as(server.address, NARROW).await];
    let mut wide = Client::connect_as(server.address, WIDE).await;
    let browser = Browser::start(1280, 900, "dark").await;
    browser.open(&format!("http://{admin}/?lang=en")).await;
    browser.until("location.pathname === '/admin'").await;
    browser.until("!document.querySelector('#sign-in').hidden && document.querySelector('#content').hidden").await;
    for (id, word, status) in [(WIDE, "wrong".to_owned(), "another secret"), (NARROW, secret(NARROW), "admin = true")] {
        browser.fill("#key-id", id).await;
        browser.fill("#key-secret", &word).await;
        browser.click("#sign-in button").await;
        browser.until(&format!("document.querySelector('#sign-in-note').textContent.includes('{status}')")).await;
    }
    browser.fill("#key-id", WIDE).await;
    browser.fill("#key-secret", &secret(WIDE)).await;
    browser.click("#sign-in button").await;
    browser.until(LIVE).await;
    browser.until(&format!("{ROWS}.length === 3")).await;
    assert_eq!(browser.value("localStorage.getItem('tickcast.operator')").await, json!(null));
    // The key outlives a reload of the tab.
    browser.open(&format!("http://{admin}/admin?lang=en")).await;
    browser.until(LIVE).await;
    browser.fill("#name", NARROW).await;
    browser.click("#find button[type='submit']").await;
    browser.until(&format!("{ROWS}.length === 2")).await;
    browser.click("tr[data-session] [data-action='end-key']").await;
    browser.until("document.querySelector('#ask').open").await;
    browser.click("#ask-yes").await;
    for client in &mut narrow {
        assert_eq!(client.read_to_end().await.1.unwrap().0, 4006);
    }
    browser.until("document.querySelector('#said').textContent === 'Sessions ended: 2'").await;
    wide.sync().await;
    browser.click("#sign-out").await;
    browser.until("!document.querySelector('#sign-in').hidden").await;
    assert_eq!(browser.value("sessionStorage.getItem('tickcast.operator')").await, json!(null));
    browser.close().await;
}

#[tokio::test]
async fn orders_are_given_and_a_shutdown_is_asked_for() {
    let (server, admin) = spawn(&[]).await;
    let browser = Browser::start(1280, 900, "light").await;
    browser.open(&format!("http://{admin}/admin?lang=en")).await;
    browser.until("document.querySelector('#filter').value === 'info,actix_server=warn'").await;
    browser.fill("#filter", "loud").await;
    browser.click("#set-filter").await;
    browser.until("document.querySelector('#said').textContent.startsWith('Not done: ')").await;
    browser.fill("#filter", "debug").await;
    browser.click("#set-filter").await;
    browser.until("document.querySelector('#said').textContent === 'The filter of the log is debug'").await;
    browser.click("#reload").await;
    browser
        .until("document.querySelector('#said').textContent === 'The server has neither keys nor a certificate.'")
        .await;
    browser.click("#drain").await;
    browser.until("document.querySelector('#ask').open").await;
    browser.click("#ask-yes").await;
    let ended = server.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    browser.until("document.querySelector('#status').dataset.state === 'lost'").await;
    browser.close().await;
}

#[tokio::test]
async fn everyone_can_use_the_page_at_every_width_scheme_and_language() {
    let axe = std::fs::read_to_string(AXE).expect("`make lint` installs axe-core");
    let (server, admin) = spawn(&[]).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(Client::connect(server.address).await);
    }
    for (width, height) in [(390, 844), (1280, 800), (1920, 1080)] {
        let browser = Browser::start(width, height, "light").await;
        for (theme, language) in [("light", "en"), ("dark", "ko"), ("dark", "en"), ("light", "ko")] {
            browser.open(&format!("http://{admin}/admin?theme={theme}&lang={language}")).await;
            browser.until(LIVE).await;
            browser.until(&format!("document.documentElement.lang === '{language}' && {ROWS}.length === 5")).await;
            browser.until(DRAWN).await;
            let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert_eq!(browser.value(overflow).await, json!(0), "{width} {theme} {language}: no sideways scrolling");
            assert_eq!(browser.value(CUT).await, json!([]), "{width} {theme} {language}");
            assert_eq!(violations(&browser, &axe).await, json!([]), "{width} {theme} {language}");
            browser.click("tbody tr [data-action='end']").await;
            browser.until("document.querySelector('#ask').open").await;
            assert_eq!(violations(&browser, &axe).await, json!([]), "the question, {width} {theme} {language}");
            assert_eq!(browser.value("violations_").await, json!([]), "blocked, {width} {theme} {language}");
        }
        assert_eq!(browser.console_errors().await, [""; 0]);
        browser.close().await;
    }
}

/// Texts that do not fit into their boxes.
const CUT: &str = "[...document.querySelectorAll('#figures dd, #figures dt, button, figcaption, #status, h2')]
    .filter((cell) => cell.checkVisibility() && cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.outerHTML)";

#[tokio::test]
async fn the_page_works_by_keyboard_and_a_row_with_the_focus_does_not_move() {
    let (server, admin) = spawn(&[]).await;
    let mut clients = vec![Client::connect(server.address).await, Client::connect(server.address).await];
    let browser = Browser::start(1280, 900, "dark").await;
    browser.open(&format!("http://{admin}/admin?lang=en")).await;
    browser.until(&format!("{ROWS}.length === 2")).await;
    browser.value("document.querySelector('th[data-column=age_s] button').focus()").await;
    press(&browser, "Enter", 0).await;
    browser.until("document.querySelector('th[aria-sort=descending]')?.dataset.column === 'age_s'").await;
    let first = name_of(&clients[0]);
    browser.value(&format!("document.querySelector('tr[data-session=\"{first}\"] [data-action=end]').focus()")).await;
    clients.push(Client::connect(server.address).await);
    browser.until(&format!("{ROWS}.length === 3")).await;
    let focused = browser.value("document.activeElement.closest('tr')?.dataset.session").await;
    assert_eq!(focused, json!(first), "the focus is where it was");
    press(&browser, "Enter", 0).await;
    browser.until("document.activeElement.id === 'ask-no'").await;
    press(&browser, "Tab", 0).await;
    browser.until("document.activeElement.id === 'ask-yes'").await;
    press(&browser, "Enter", 0).await;
    assert_eq!(clients[0].read_to_end().await.1.unwrap().0, 4006);
    browser.until(&format!("{ROWS}.length === 2")).await;
    browser.close().await;
}
