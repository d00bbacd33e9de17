//! The pages of a server that asks for keys: the sign-in, and the key of the pages.

use serde_json::json;

use super::access::{AXE, press, violations};
use super::compare::{DONE, TRANSPORTS, figure};
use super::driver::Browser;
use super::{CHART_IS_FULL, LIVE, TEN_ROWS};
use crate::command::{Process, spawn_binary};
use crate::keyring::{KeyRing, entry, secret};

const ASKED: &str = "document.querySelector('#signin')?.open === true";
const HANDSHAKE_IS_OPEN: &str = "document.querySelectorAll('#frames li').length >= 2";
const EMBED_IS_DRAWN: &str = "Number(document.querySelector('#chart').dataset.bars) > 90";
const SIGN_OUT: &str = "document.querySelector('#account')?.textContent === 'Sign out'";

/// Starts a server that asks for a key of this file, with these further settings.
async fn keyed(ring: &KeyRing, more: &[(&str, &str)]) -> Process {
    let mut variables =
        vec![("TICKCAST__AUTH__KEYS_FILE", ring.path.to_str().unwrap()), ("TICKCAST__AUTH__REQUIRED", "true")];
    variables.extend(more);
    spawn_binary(&[], &variables).await
}

fn ring() -> KeyRing {
    KeyRing::new(&[entry("viewer", "symbols = [\"*\"]"), entry("visitors", "symbols = [\"AAPL\"]")])
}

/// Gives the dialog the key with this id.
async fn sign_in(browser: &Browser, id: &str) {
    browser.until(ASKED).await;
    browser.fill("#signin-key", &secret(id)).await;
    browser.click("#signin .primary").await;
}

/// Checks that the page has broken no policy, and returns the errors of the console but those about answers with 401, which the browser
/// writes there by itself.
async fn strange_errors(browser: &Browser) -> Vec<String> {
    assert_eq!(browser.value("violations_").await, json!([]));
    let errors = browser.console_errors().await;
    errors.into_iter().filter(|error| !error.contains("401") && !error.contains("WebSocket connection to")).collect()
}

/// Runs the comparison of the open page for three seconds: every transport gets events.
async fn compare(browser: &Browser) {
    browser.until("document.querySelector('#run').textContent === 'Ready'").await;
    let set = "(() => { const seconds = document.querySelector('#seconds'); seconds.add(new Option('3')); seconds.value = '3'; })()";
    browser.value(set).await;
    browser.click("#start").await;
    browser.until(DONE).await;
    for transport in TRANSPORTS {
        assert!(figure(browser, "events", transport).await > 0.0, "{transport}");
    }
}

#[tokio::test]
async fn a_viewer_signs_in_with_a_key_that_only_the_tab_keeps_and_signs_out() {
    let ring = ring();
    let server = keyed(&ring, &[]).await;
    let page = format!("http://{}/", server.address);
    let browser = Browser::start(1280, 800, "light").await;
    browser.open(&page).await;
    browser.until(ASKED).await;
    browser.until("document.activeElement.id === 'signin-key'").await;
    browser.fill("#signin-key", "a wrong key").await;
    browser.click("#signin .primary").await;
    browser.until("document.querySelector('#signin-note').textContent.startsWith('The server does not accept')").await;
    let field = "document.querySelector('#signin-key').getAttribute('aria-invalid') + document.activeElement.id";
    browser.until(&format!("{field} === 'truesignin-key'")).await;
    sign_in(&browser, "viewer").await;
    browser.until(LIVE).await;
    browser.until(TEN_ROWS).await;
    browser.until(CHART_IS_FULL).await;
    browser.until(SIGN_OUT).await;
    let kept = "[localStorage, sessionStorage].map((storage) => JSON.stringify(storage).includes('the secret of'))";
    assert_eq!(browser.value(kept).await, json!([false, true]), "this tab alone keeps it");
    assert_eq!(browser.value("document.cookie").await, "");
    let urls = "performance.getEntriesByType('resource').filter(({ name }) => decodeURIComponent(name).includes('the secret')).length";
    assert_eq!(browser.value(urls).await, json!(0), "it is in no address");
    assert_eq!(strange_errors(&browser).await, [""; 0]);
    // The other pages of the tab have the key, too.
    browser.open(&format!("{page}handshake")).await;
    browser.until(HANDSHAKE_IS_OPEN).await;
    let shown = "document.body.textContent.includes('ticket=***') && !/ticket=tct_/.test(document.body.textContent)";
    assert_eq!(browser.value(shown).await, json!(true), "the page shows no ticket");
    assert_eq!(strange_errors(&browser).await, [""; 0]);
    browser.open(&format!("{page}embed?symbol=AAPL")).await;
    browser.until(EMBED_IS_DRAWN).await;
    browser.open(&format!("{page}compare")).await;
    compare(&browser).await;
    assert_eq!(strange_errors(&browser).await, [""; 0]);
    browser.click("#account").await;
    browser.until("sessionStorage.getItem('tickcast.key') === null").await;
    browser.open(&page).await;
    browser.until(ASKED).await;
    browser.close().await;
}

#[tokio::test]
async fn the_dialog_can_be_used_by_keyboard_and_put_off() {
    let ring = ring();
    let server = keyed(&ring, &[]).await;
    let browser = Browser::start(1280, 800, "light").await;
    browser.open(&format!("http://{}/", server.address)).await;
    browser.until(ASKED).await;
    press(&browser, "Escape", 0).await;
    browser.until("!document.querySelector('#signin').open && !!document.querySelector('#account')").await;
    assert_eq!(browser.text("#account").await, "Sign in");
    // The page goes on asking the server, and leaves the viewer alone.
    browser.until("performance.getEntriesByType('resource').filter(({ responseStatus }) => responseStatus === 401).length > 8").await;
    assert_eq!(browser.value("document.querySelector('#signin').open").await, json!(false));
    browser.value("document.querySelector('#account').focus()").await;
    press(&browser, "Enter", 0).await;
    browser.until(ASKED).await;
    browser.fill("#signin-key", &secret("viewer")).await;
    press(&browser, "Enter", 0).await;
    browser.until(LIVE).await;
    browser.close().await;
}

#[tokio::test]
async fn axe_finds_nothing_in_the_dialog_in_any_scheme_and_language_and_it_fits_on_a_phone() {
    let axe = std::fs::read_to_string(AXE).expect("`make lint` installs axe-core");
    let ring = ring();
    let server = keyed(&ring, &[]).await;
    let browser = Browser::start(390, 800, "light").await;
    let fits = "(() => {
        const box = document.querySelector('#signin').getBoundingClientRect();
        return box.left >= 0 && box.right <= innerWidth && document.documentElement.scrollWidth <= innerWidth;
    })()";
    for (theme, language) in [("light", "en"), ("dark", "ko"), ("dark", "en"), ("light", "ko")] {
        for page in ["", "compare", "handshake"] {
            browser.open(&format!("http://{}/{page}?theme={theme}&lang={language}", server.address)).await;
            if page == "compare" {
                browser.until("document.querySelector('#headline li') !== null").await;
                browser.click("#start").await;
            }
            browser.until(ASKED).await;
            let title =
                if language == "ko" { "이 서버는 키를 요구합니다" } else { "This server asks for a key" };
            browser.until(&format!("document.querySelector('#signin-title').textContent === '{title}'")).await;
            assert_eq!(browser.value(fits).await, json!(true), "{page} {theme} {language}");
            assert_eq!(violations(&browser, &axe).await, json!([]), "{page} {theme} {language}");
            press(&browser, "Escape", 0).await;
            browser.until("!!document.querySelector('#account')").await;
            let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert_eq!(browser.value(overflow).await, json!(0), "{page} {theme} {language}: no sideways scrolling");
            // The live page dims what is not live, below what axe asks for.
            if !page.is_empty() {
                assert_eq!(violations(&browser, &axe).await, json!([]), "{page} {theme} {language}: the button");
            }
        }
    }
    browser.close().await;
}

#[tokio::test]
async fn with_a_page_key_the_pages_work_at_once_and_have_its_rights() {
    let ring = ring();
    let server = keyed(&ring, &[("TICKCAST__AUTH__PAGE_KEY", "visitors")]).await;
    let page = format!("http://{}/", server.address);
    let browser = Browser::start(390, 800, "dark").await;
    for (path, ready) in [("", CHART_IS_FULL), ("handshake", HANDSHAKE_IS_OPEN), ("embed?symbol=AAPL", EMBED_IS_DRAWN)]
    {
        browser.open(&format!("{page}{path}")).await;
        browser.until(ready).await;
        assert_eq!(browser.value("document.querySelector('#signin, #account')").await, json!(null), "/{path}");
        assert_eq!(strange_errors(&browser).await, [""; 0], "/{path}");
    }
    let listed = "fetch('api/v1/ticket', { method: 'POST' }).then((answer) => answer.json())
        .then(({ ticket }) => fetch('api/v1/symbols', { headers: { authorization: `Bearer ${ticket}` } })).then((answer) => answer.json())
        .then(({ symbols }) => symbols.map(({ symbol }) => symbol))";
    assert_eq!(browser.value(listed).await, json!(["AAPL"]));
    browser.open(&page).await;
    browser.until(LIVE).await;
    // The server is restarted with another secret: the ticket of the page is worth nothing there.
    let port = server.address.port().to_string();
    server.signal("TERM").await;
    assert!(server.ended().await.status.success());
    browser.until("document.querySelector('#status').dataset.state === 'reconnecting'").await;
    let keys = ring.path.to_str().unwrap();
    let variables = [
        ("TICKCAST__AUTH__KEYS_FILE", keys),
        ("TICKCAST__AUTH__REQUIRED", "true"),
        ("TICKCAST__AUTH__PAGE_KEY", "visitors"),
    ];
    let _server = spawn_binary(&["--port", &port], &variables).await;
    browser.until(LIVE).await;
    browser.close().await;
}

#[tokio::test]
async fn a_key_that_ends_is_asked_for_again() {
    let ring = ring();
    let server = keyed(&ring, &[]).await;
    let browser = Browser::start(1280, 800, "light").await;
    browser.open(&format!("http://{}/", server.address)).await;
    sign_in(&browser, "viewer").await;
    browser.until(LIVE).await;
    ring.write(&[entry("visitors", "symbols = [\"AAPL\"]")]);
    server.signal("HUP").await;
    browser.until("document.querySelector('#signin-note')?.textContent === 'Your key is no longer valid.'").await;
    sign_in(&browser, "visitors").await;
    browser.until(LIVE).await;
    browser.close().await;
}

#[tokio::test]
async fn where_the_browser_keeps_nothing_the_key_lasts_as_long_as_the_page() {
    let ring = ring();
    let server = keyed(&ring, &[]).await;
    let browser = Browser::start(1280, 800, "light").await;
    let denied = "for (const name of ['localStorage', 'sessionStorage']) {
        Object.defineProperty(globalThis, name, { get() { throw new DOMException('denied', 'SecurityError'); } });
    }";
    browser.before_scripts(denied).await;
    browser.open(&format!("http://{}/", server.address)).await;
    sign_in(&browser, "viewer").await;
    browser.until(LIVE).await;
    browser.until(CHART_IS_FULL).await;
    browser.until(SIGN_OUT).await;
    browser.click("#account").await;
    browser.until(ASKED).await;
    browser.close().await;
}

#[tokio::test]
async fn a_key_with_a_rate_and_without_quotes_shows_prices_and_says_what_it_lacks() {
    let rights = "symbols = [\"*\"]\nmax_hz = 5\nchannels = [\"trades\", \"bars.*\"]";
    let ring = KeyRing::new(&[entry("viewer", rights)]);
    let server = keyed(&ring, &[]).await;
    let browser = Browser::start(1280, 800, "light").await;
    browser.open(&format!("http://{}/", server.address)).await;
    sign_in(&browser, "viewer").await;
    browser.until(LIVE).await;
    browser.until(CHART_IS_FULL).await;
    for element in ["#title-last", "#watchlist [data-symbol=AAPL] [data-field=last]", "#tape tbody td:nth-child(3)"] {
        browser.until(&format!(r"/^[\d,]+\.\d\d/.test(document.querySelector('{element}')?.textContent ?? '')")).await;
    }
    browser
        .until("document.querySelector('#watchlist-left').textContent.includes('quotes, corrections, cancels')")
        .await;
    assert_eq!(browser.text("[data-stat=bid]").await, "–");
    assert_eq!(browser.value("document.body.innerText.includes('NaN')").await, json!(false));
    assert_eq!(strange_errors(&browser).await, [""; 0], "nothing was refused");
    browser.close().await;
}
