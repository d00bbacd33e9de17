//! The page `/handshake` in a real browser: it shows the real bytes of its connection.

use serde_json::json;

use super::driver::Browser;
use crate::command::{Process, spawn_binary};
use crate::raw::RawClient;

pub(super) const OPEN: &str = "document.querySelector('#socket').dataset.state === 'open'";
pub(super) const ACCEPTED: &str = "!!document.querySelector('#response [data-header=sec-websocket-accept]')";

pub(super) async fn open_page(query: &str) -> (Process, Browser) {
    open_page_of(query, &[]).await
}

pub(super) async fn open_page_of(query: &str, variables: &[(&str, &str)]) -> (Process, Browser) {
    let variables = [&[("TICKCAST__HANDSHAKE__HEARTBEAT_MS", "200")], variables].concat();
    let server = spawn_binary(&[], &variables).await;
    let browser = Browser::start(1280, 900, "light").await;
    browser.open(&format!("http://{}/handshake{query}", server.address)).await;
    browser.until(OPEN).await;
    browser.until(ACCEPTED).await;
    (server, browser)
}

#[tokio::test]
async fn the_page_derives_the_accept_header_from_the_key_step_by_step() {
    let (_server, browser) = open_page("").await;
    let sent = browser.text("#request [data-header=sec-websocket-key] .header-value").await;
    let answered = browser.text("#response [data-header=sec-websocket-accept] .header-value").await;
    let (shown, accept) = (browser.value("document.querySelector('#key').value").await, browser.text("#accept").await);
    assert_eq!((shown, accept), (json!(sent), answered), "the page's own key to begin with");
    for (key, accept) in [
        ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
    ] {
        browser.fill("#key", key).await;
        browser.until(&format!("document.querySelector('#accept').textContent === '{accept}'")).await;
        assert_eq!(browser.text("#joined").await, format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
        assert_eq!(browser.text("#key-problem").await, "");
        let cells = "[...document.querySelectorAll('#key-bytes, #digest')].map((each) => each.children.length)";
        assert_eq!(browser.value(cells).await, json!([16, 20]));
        let joined = "[...document.querySelectorAll('#groups .strong')].map((each) => each.textContent).join('')";
        assert_eq!(browser.value(joined).await, accept);
    }
    browser.fill("#key", "dGhlIHNhbXBsZQ==").await;
    browser.until("document.querySelector('#key-problem').textContent.includes('10 bytes')").await;
    assert_eq!(browser.text("#accept").await, "–");
    assert_eq!(browser.value("document.querySelector('#key').getAttribute('aria-invalid')").await, "true");
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn an_offer_of_subprotocols_shows_the_one_that_was_chosen() {
    let (_server, browser) = open_page("").await;
    for (offer, outcome, request, said) in [
        ("tickcast.v1.json", "chosen", "Sec-WebSocket-Protocol: tickcast.v1.json", "tickcast.v1.json"),
        ("soap, tickcast.v1.json", "chosen", "Sec-WebSocket-Protocol: soap, tickcast.v1.json", "tickcast.v1.json"),
        ("", "none", "no Sec-WebSocket-Protocol", "Nothing was offered"),
    ] {
        browser.fill("#offer", offer).await;
        browser.click("#negotiate").await;
        let done = format!("document.querySelector('#chosen code').textContent === '{request}'");
        browser.until(&format!("!!document.querySelector('#chosen code') && {done}")).await;
        browser.until(&format!("document.querySelector('#chosen').dataset.outcome === '{outcome}'")).await;
        assert!(browser.text("#chosen > p").await.contains(said), "{offer}");
    }
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.fill("#offer", "soap, soap").await;
    browser.click("#negotiate").await;
    browser.until("document.querySelector('#chosen').dataset.outcome === 'invalid'").await;
    // A browser ends a connection if the server chose none of its subprotocols, and logs that to the console.
    browser.fill("#offer", "soap").await;
    browser.click("#negotiate").await;
    browser.until("document.querySelector('#chosen').dataset.outcome === 'failed'").await;
    assert!(browser.text("#chosen").await.contains("code 1006"));
    browser.close().await;
}

#[tokio::test]
async fn frames_of_both_directions_are_decoded_byte_by_byte() {
    // The heartbeat is slow enough that the first frames are still in the list, however slow the test is.
    let (_server, browser) = open_page_of("", &[("TICKCAST__HANDSHAKE__HEARTBEAT_MS", "3000")]).await;
    browser.fill("#text", "한 frame").await;
    browser.click("#say button").await;
    let shown = "document.querySelector('#frame .payload')?.textContent";
    browser.until(&format!("{shown} === '한 frame'")).await;
    let parts = "['first', 'second', 'key', 'payload'].map((part) => \
                 [...document.querySelectorAll(`#frame .dump [data-part=${part}]`)].map((byte) => parseInt(byte.textContent, 16)))";
    let parts = browser.value(parts).await;
    let [first, second, key, payload] = [0, 1, 2, 3].map(|part| {
        let bytes = parts[part].as_array().unwrap().iter();
        bytes.map(|byte| u8::try_from(byte.as_u64().unwrap()).unwrap()).collect::<Vec<_>>()
    });
    assert_eq!((first, second, key.len()), (vec![0x81], vec![0x89], 4), "a masked text of nine bytes");
    let text: Vec<_> = payload.iter().zip(key.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    assert_eq!(String::from_utf8(text).unwrap(), "한 frame");

    browser.click("#frames li:last-child button").await;
    browser.until(&format!("{shown}.startsWith('[{{\"type\":\"welcome\"')")).await;
    assert_eq!(browser.value("document.querySelectorAll('#frame [data-part=key]').length").await, 0);
    assert_eq!(browser.text("#frame .fields [data-part=length] code").await.len(), 5, "two bytes of length");
    let came = "frames_.find(([way, data]) => way === 'in' && data.includes('welcome'))[1]";
    assert_eq!(browser.value(shown).await, browser.value(came).await);

    // The arrow keys move through the list.
    let press = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowUp', bubbles: true }))";
    browser.value("document.querySelector('#frames li:last-child button').focus()").await;
    browser.value(press).await;
    browser
        .until(
            "document.activeElement.dataset.number === '2' && document.querySelector('#frame').dataset.number === '2'",
        )
        .await;
    browser.until("document.querySelectorAll('#pong .dump code').length === 6").await;
    assert_eq!(browser.text("#ping .dump").await.trim(), "89 00");
    assert!(browser.text("#pong .dump").await.starts_with("8a 80 "), "empty and masked");
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn the_closing_handshake_is_shown_whichever_side_begins() {
    let (_server, browser) = open_page("").await;
    browser.fill("#close-code", "4321").await;
    browser.fill("#close-reason", "끝").await;
    browser.click("#close").await;
    let closed = "document.querySelector('#outcome').dataset.clean === 'true'";
    browser.until(closed).await;
    browser.until("document.querySelectorAll('#close-frames .dump').length === 2").await;
    let frames = browser.text("#close-frames").await;
    assert!(frames.contains("client → server: code 4321, reason “끝”"), "{frames}");
    assert!(frames.contains("server → client: code 4321, no reason"), "{frames}");
    assert_eq!(browser.value("document.querySelector('#outcome').dataset.code").await, "4321");
    let said = browser.text("#outcome").await;
    assert!(said.contains("reports code 4321, which the server has sent without a reason"), "{said}");
    browser.until("document.querySelector('#socket').dataset.state === 'closed'").await;

    browser.click("#reopen").await;
    browser.until(OPEN).await;
    browser.until("document.querySelectorAll('#frames li').length >= 2").await;
    assert_eq!(browser.value("document.querySelectorAll('#close-frames .dump').length").await, 0);
    browser.click("#provoke").await;
    browser.until("document.querySelector('#outcome').dataset.code === '1003'").await;
    browser.until("document.querySelectorAll('#close-frames .dump').length === 2").await;
    let first = browser.text("#close-frames h3").await;
    assert!(first.contains("server → client: code 1003"), "{first}");
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn the_note_under_an_attempt_depends_on_the_response_status() {
    let variables = [("TICKCAST__SERVER__ALLOWED_ORIGINS", "*"), ("TICKCAST__SERVER__CONNECTIONS_MAX", "2")];
    let server = spawn_binary(&[], &variables).await;
    // One session is left for the page's own socket, which waits for it.
    let all = [RawClient::open(server.address).await, RawClient::open(server.address).await];
    let browser = Browser::start(1280, 900, "light").await;
    browser.open(&format!("http://{}/handshake", server.address)).await;
    browser.until("document.querySelector('[data-case=accepted]').dataset.status === '503'").await;
    let says = |words: &str| format!("document.querySelector('#attempt-note').textContent.includes('{words}')");
    browser.click("[data-case=accepted]").await;
    browser.until(&says("takes no more sockets")).await;
    browser.click("[data-case=foreign_origin]").await;
    browser.until(&says("has answered 503 this time")).await;
    drop(all);
    // The server detects the end of the connection only when it checks it.
    while browser.value(&says("lets that site in")).await != json!(true) {
        browser.click("[data-case=foreign_origin]").await;
        browser.until("document.querySelector('#attempt-note').textContent !== ''").await;
    }
    assert!(browser.text("#attempt-response").await.starts_with("HTTP/1.1 101 "));
    browser.close().await;
}

#[tokio::test]
async fn refused_handshakes_show_the_real_response_of_the_server() {
    let (server, browser) = open_page("").await;
    for (case, status) in [
        ("no_upgrade", "426 Upgrade Required"),
        ("wrong_version", "426 Upgrade Required"),
        ("bad_key", "400 Bad Request"),
        ("foreign_origin", "403 Forbidden"),
        ("accepted", "101 Switching Protocols"),
    ] {
        browser.click(&format!("#attempts [data-case={case}]")).await;
        let line =
            format!("document.querySelector('#attempt-response').textContent.startsWith('HTTP/1.1 {status}\\n')");
        let chosen =
            format!("document.querySelector('#attempts [data-case={case}]').getAttribute('aria-pressed') === 'true'");
        browser.until(&format!("{chosen} && {line}")).await;
        let request = browser.text("#attempt-request").await;
        assert!(request.contains(&format!("\nHost: {}\n", server.address)), "{request}");
        let shown =
            browser.value(&format!("document.querySelector('#attempts [data-case={case}]').dataset.status")).await;
        assert_eq!(shown, status[..3]);
        let marked = browser.text("#attempt-response").await;
        assert_eq!(marked.contains("\nsec-websocket-version: 13\n"), status.starts_with("426"), "{marked}");
    }
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn nothing_overflows_at_any_width_in_any_language() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    let server = spawn_binary(&[], &[("TICKCAST__HANDSHAKE__HEARTBEAT_MS", "200")]).await;
    for (width, height) in [(1280, 900), (390, 844)] {
        for (scheme, language) in [("dark", "ko"), ("light", "en")] {
            let browser = Browser::start(width, height, scheme).await;
            browser.open(&format!("http://{}/handshake?lang={language}", server.address)).await;
            browser.until("document.querySelectorAll('#pong .dump').length === 1").await;
            browser.until("document.querySelectorAll('#attempts .status').length === 5").await;
            browser.click("[data-offer='soap, tickcast.v1.json']").await;
            browser.until("document.querySelector('#chosen').dataset.outcome === 'chosen'").await;
            browser.click("#provoke").await;
            browser.until("document.querySelectorAll('#close-frames .dump').length === 2").await;
            let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert_eq!(browser.value(overflow).await, json!(0), "{width} {language}: no sideways scrolling");
            let cut = "[...document.querySelectorAll('.button, .value, .byte, .group, h2, h3, #socket, .pages a, #frames .opcode, #frames .size')]
                .filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.outerHTML)";
            assert_eq!(browser.value(cut).await, json!([]), "{width} {language}");
            assert_eq!(browser.value(FAINT).await, json!([]), "{width} {scheme}");
            assert_eq!(browser.value(BOXES).await, json!(false), "there is a font for Korean: tests/browser-deps.sh");
            for section in ["masthead", "keys", "wire", "closing"] {
                browser.value(&format!("(document.getElementById('{section}') ?? document.body).scrollIntoView({{ behavior: 'instant' }})")).await;
                let name = format!("handshake-{width}-{scheme}-{language}-{section}.png");
                std::fs::write(folder.join(name), browser.screenshot().await).unwrap();
            }
            browser.close().await;
        }
    }
}

/// Finds elements with less contrast than WCAG 2.2 requires: 4.5 : 1 for text (1.4.3), 3 : 1 for the borders of fields
/// (1.4.11), against the background as painted; and names of bits that are too small to read.
const FAINT: &str = "(() => {
    const context = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d');
    const painted = (...colours) => {
        for (const colour of colours) {
            context.fillStyle = colour;
            context.fillRect(0, 0, 1, 1);
        }
        return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)].map((byte) => byte / 255);
    };
    const luminance = (colour) => {
        const [red, green, blue] = colour.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const grounds = (element) => {
        const above = element.parentElement ? grounds(element.parentElement) : ['white'];
        return [...above, getComputedStyle(element).backgroundColor];
    };
    const contrast = (colour, under) => {
        const [light, dark] = [luminance(painted(...under, colour)), luminance(painted(...under))].sort((a, b) => b - a);
        return (light + 0.05) / (dark + 0.05);
    };
    const texts = [...document.querySelectorAll('#socket, .bit-field small, .note, .dump code, #frames .size, .head dd')]
        .map((each) => [each, contrast(getComputedStyle(each).color, grounds(each)), 4.5]);
    const borders = [...document.querySelectorAll('.article input')].flatMap((each) =>
        [grounds(each), grounds(each.parentElement)].map((under) => [each, contrast(getComputedStyle(each).borderTopColor, under), 3]));
    const small = [...document.querySelectorAll('.bit-field small')].filter((each) => parseFloat(getComputedStyle(each).fontSize) < 11);
    const clipped = [...document.querySelectorAll('.bit-field small')].filter((each) => each.scrollWidth > each.clientWidth + 1);
    return [...[...texts, ...borders].filter(([, found, wanted]) => found < wanted).map(([each, found]) => `${found}: ${each.outerHTML}`),
        ...[...small, ...clipped].map((each) => each.outerHTML)];
})()";
/// Whether Korean text is painted as identical boxes, for lack of a font.
const BOXES: &str = "(() => {
    const drawn = (text) => {
        const canvas = Object.assign(document.createElement('canvas'), { width: 40, height: 40 });
        const context = canvas.getContext('2d');
        context.font = `30px ${getComputedStyle(document.body).fontFamily}`;
        context.fillText(text, 2, 32);
        return canvas.toDataURL();
    };
    return drawn('한') === drawn('글');
})()";
