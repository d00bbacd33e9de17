//! The log of the process: no thread waits for its reader, and mistakes of clients do not fill it.

use crate::client::Client;
use crate::command::spawn_binary;
use crate::http::get;
use crate::patience::patiently;
use crate::raw::RawClient;

/// Many lines per request.
const CHATTY: [(&str, &str); 3] =
    [("RUST_LOG", "info,actix_http=trace"), ("TICKCAST__LOG__WAITING_BYTES_MAX", "4096"), ("RUST_LOG_STYLE", "never")];

/// Returns the value of a metric.
fn metric(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name}: {text}")).parse().unwrap()
}

/// Sends requests until the pipe of the log is full and lines have been dropped.
async fn fill(server: std::net::SocketAddr) {
    let filling = async {
        while metric(get(server, "/metrics").await.text(), "tickcast_log_lines_dropped_total") < 10 {
            get(server, "/healthz").await;
        }
    };
    patiently("lines to be dropped", filling).await;
}

#[actix_web::test]
async fn an_unread_log_delays_neither_clients_nor_the_shutdown() {
    let process = spawn_binary(&[], &CHATTY).await;
    let mut client = Client::connect(process.address).await;
    client.subscribe(&["*"], &["trades", "quotes"]).await;
    fill(process.address).await;
    client.events(200).await;
    assert_eq!(get(process.address, "/readyz").await.status, 200);
    process.signal("TERM").await;
    assert_eq!(client.read_to_end().await.1, Some((1001, "server shutting down".into())));
    let ended = process.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{:?}", ended.status);
}

#[actix_web::test]
async fn when_the_log_is_read_again_it_reports_the_number_of_dropped_lines() {
    let mut process = spawn_binary(&[], &CHATTY).await;
    fill(process.address).await;
    let said = async {
        loop {
            let line = process.next_line().await;
            if line.contains("lines of the log were dropped") {
                return line;
            }
        }
    };
    let line = patiently("the line about the others", said).await;
    assert!(line.contains("WARN"), "{line}");
}

#[actix_web::test]
async fn invalid_http_is_counted_and_not_logged_as_an_error() {
    let process = spawn_binary(&[], &[]).await;
    let garbage = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".as_slice(),
        b"\r\n\0\0\r\n\r\n",
        b"GET / SMTP/1.0\r\n\r\n",
    ];
    for bytes in garbage {
        let mut client = RawClient::connect(process.address).await;
        client.send(bytes).await;
        assert!(String::from_utf8_lossy(&client.next_bytes().await).starts_with("HTTP/1.1 400 "));
    }
    let counted = async {
        while metric(get(process.address, "/metrics").await.text(), "tickcast_requests_malformed_total") < 3 {}
    };
    patiently("them to be counted", counted).await;
    process.signal("TERM").await;
    let ended = process.ended().await;
    assert!(!ended.stderr.contains("ERROR"), "{}", ended.stderr);
}
