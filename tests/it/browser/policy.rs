//! The headers of the pages in a real browser: no page breaks its Content Security Policy, a violation would be counted, and other
//! origins can show and read what they may, and nothing else.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tickcast::transport::AllowedOrigins;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::driver::Browser;
use super::{CHART_IS_FULL, LIVE, TEN_ROWS};
use crate::command::spawn_binary;
use crate::patience::wait_until;
use crate::spawn::spawn_app;

/// Each page, and when all its parts are there.
const PAGES: [(&str, &str); 4] = [
    ("", LIVE),
    ("compare", "document.querySelector('#run').dataset.state === 'done'"),
    ("handshake", "[...document.querySelectorAll('#attempts button')].every((button) => button.dataset.status)"),
    ("embed?symbol=AAPL", "Number(document.querySelector('#chart').dataset.bars) > 90"),
];

async fn violations(browser: &Browser) -> Value {
    browser.value("violations_").await
}

/// Uses the parts of the live page that are loaded on demand, and those that write styles.
async fn use_live_page(browser: &Browser) {
    browser.until(TEN_ROWS).await;
    browser.until(CHART_IS_FULL).await;
    for (control, shown) in [
        ("#heat-open", "document.querySelectorAll('#heat-sectors [data-symbol]').length > 9"),
        ("#heat [type=submit]", "!document.querySelector('#heat').open"),
        ("#chart-table", "document.querySelectorAll('#bars-rows tr').length > 99"),
        ("#bars-table [type=submit]", "!document.querySelector('#bars-table').open"),
        ("#settings-open", "document.querySelector('#settings').open"),
        ("#settings-close", "!document.querySelector('#settings').open"),
        ("#columns-open", "document.querySelectorAll('#columns-menu [data-column]').length > 4"),
        ("#alerts-open", "!!document.querySelector('#alerts-menu form')"),
        ("#indicators summary", "document.querySelector('#indicators').open"),
        ("#chart-picture", "true"),
    ] {
        browser.click(control).await;
        browser.until(shown).await;
    }
    // The page remembers it from the visit before.
    browser.value("document.querySelector('#indicators [value=bands]:not(:checked)')?.click()").await;
    browser.until("document.querySelector('#chart').dataset.lines.includes('bands')").await;
    let charts = "(() => { const count = document.querySelector('#chart-count'); count.value = '4';
        count.dispatchEvent(new Event('change', { bubbles: true })); return true; })()";
    browser.value(charts).await;
    browser.until("document.querySelectorAll('#charts .cell').length === 4").await;
    browser.until("document.querySelectorAll('#tv-attr-logo').length === 4").await;
    let logo = "[...document.querySelectorAll('#tv-attr-logo')].map((logo) => getComputedStyle(logo).position)";
    assert_eq!(
        browser.value(logo).await,
        json!(vec!["absolute"; 4]),
        "the style sheet of the chart library is in force"
    );
}

async fn compare_for_two_seconds(browser: &Browser) {
    browser.until("document.querySelector('#start') !== null && !document.querySelector('#start').disabled").await;
    let set = "(() => { const seconds = document.querySelector('#seconds'); seconds.add(new Option('2')); seconds.value = '2'; })()";
    browser.value(set).await;
    browser.click("#start").await;
}

#[tokio::test]
async fn no_page_breaks_its_policy_in_either_language_and_a_violation_is_counted() {
    let server = spawn_binary(&[], &[]).await;
    let browser = Browser::start(1280, 900, "dark").await;
    for (page, ready) in PAGES {
        for language in ["en", "ko"] {
            let joint = if page.contains('?') { '&' } else { '?' };
            browser.open(&format!("http://{}/{page}{joint}lang={language}", server.address)).await;
            browser.until(&format!("document.documentElement.lang === '{language}'")).await;
            if page == "compare" {
                compare_for_two_seconds(&browser).await;
            }
            browser.until(ready).await;
            if page.is_empty() {
                use_live_page(&browser).await;
            }
            assert_eq!(violations(&browser).await, json!([]), "/{page} {language}");
            assert_eq!(browser.console_errors().await, [""; 0], "/{page} {language}");
        }
        // The same page, with everything that an injection would try.
        let injected = "(() => {
            const add = (tag, set) => document.body.append(Object.assign(document.createElement(tag), set));
            add('style', { textContent: 'p {}' });
            add('script', { textContent: 'globalThis.injected_ = true' });
            add('img', { src: 'http://127.0.0.2:9/pixel.png' });
            add('iframe', { src: './' });
            add('base', { href: 'http://127.0.0.2:9/' });
            document.body.setAttribute('style', 'color: red');
            fetch('http://127.0.0.2:9/').catch(() => {});
            try { new WebSocket('ws://127.0.0.2:9/'); } catch {}
            return true;
        })()";
        browser.value(injected).await;
        let counted = "[...new Set(violations_.map(([directive]) => directive))].sort().join()";
        let all = "base-uri,connect-src,frame-src,img-src,script-src-elem,style-src-attr,style-src-elem";
        browser.until(&format!("{counted} === '{all}'")).await;
        assert_eq!(browser.value("violations_.filter(([name]) => name === 'connect-src').length").await, 2);
        assert_eq!(browser.value("typeof injected_").await, "undefined", "/{page}");
        browser.console_errors().await;
    }
    browser.close().await;
}

/// Serves this page at each address of an origin of its own.
async fn serve(page: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length:";
            let answer = format!("{head} {}\r\n\r\n{page}", page.len());
            let mut request = [0; 4_096];
            let _ = client.read(&mut request).await;
            let _ = client.write_all(answer.as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn only_pages_of_listed_origins_show_the_embedded_ticker_and_read_answers() {
    let browser = Browser::start(800, 600, "light").await;
    let elsewhere = serve("<!doctype html><title>elsewhere</title>".into()).await;
    for is_listed in [true, false] {
        let origins: Vec<_> = is_listed.then(|| format!("http://{elsewhere}")).into_iter().collect();
        let server = spawn_app(|settings| {
            settings.server.embed_origins = AllowedOrigins::parse(&origins).unwrap();
            settings.server.allowed_origins = AllowedOrigins::parse(&origins).unwrap();
        });
        browser.open(&format!("http://{elsewhere}/")).await;
        // With CORS it may read; without, nothing of another origin is loaded: no image, no script.
        let read = |mode: &str| {
            let address = format!("http://{}/api/v1/symbols", server.address);
            format!("fetch('{address}', {{ mode: '{mode}' }}).then(({{ type }}) => type, () => 'refused')")
        };
        assert_eq!(browser.value(&read("cors")).await, if is_listed { "cors" } else { "refused" });
        assert_eq!(browser.value(&read("no-cors")).await, "refused");
        for page in ["embed?symbol=AAPL", ""] {
            let address = format!("http://{}/{page}", server.address);
            let frame = format!(
                "new Promise((resolve) => {{
                    const frame = Object.assign(document.createElement('iframe'), {{ src: '{address}' }});
                    frame.addEventListener('load', () => resolve(true));
                    document.body.replaceChildren(frame);
                }})"
            );
            assert_eq!(browser.value(&frame).await, true);
            let errors = browser.console_errors().await;
            let is_refused = errors.iter().any(|error| error.contains("frame-ancestors"));
            assert_eq!(is_refused, !is_listed || page.is_empty(), "/{page}: {errors:?}");
            if !is_refused {
                wait_until("sessions of the frame", true, || server.sessions() > 0).await;
            }
        }
    }
    browser.close().await;
}
