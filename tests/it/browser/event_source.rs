//! Server-sent events in a real browser, whose `EventSource` reconnects by itself.

use std::net::SocketAddr;

use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::browser::driver::Browser;
use crate::command::spawn_binary;
use crate::raw::RawClient;

/// Forwards connections to a server, until they are cut.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    cuts: watch::Sender<u32>,
}

impl Proxy {
    pub(super) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cuts, cut) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut cut = cut.clone();
                cut.mark_unchanged();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        // Either side may close.
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { address, cuts }
    }

    /// Cuts every connection.
    pub(super) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

/// Reads all events of the market into `seen_`, and counts missing and repeated ones.
const READ: &str = "(() => {
    globalThis.seen_ = { events: 0, holes: 0, repeats: 0, recovered: [], id: '' };
    const seqs = new Map();
    const source = new EventSource('/api/v1/stream?symbols=*&channels=trades,quotes');
    source.onmessage = (event) => {
        seen_.id = event.lastEventId;
        for (const message of JSON.parse(event.data)) {
            if (message.type === 'subscribed') seen_.recovered.push(message.recovered ?? null);
            if (message.type === 'snapshot') {
                for (const kind of ['trade', 'quote']) seqs.set(message.symbol + kind, message.seq[kind + 's']);
            }
            if (message.type !== 'trade' && message.type !== 'quote') continue;
            const key = message.symbol + message.type;
            seen_.events += 1;
            seen_.holes += Math.max(0, message.seq - seqs.get(key) - 1);
            seen_.repeats += message.seq <= seqs.get(key) ? 1 : 0;
            seqs.set(key, message.seq);
        }
    };
})()";

#[tokio::test]
async fn a_browser_reconnects_by_itself_and_misses_nothing() {
    let server = spawn_binary(&[], &[("TICKCAST__FEED__EVENTS_PER_SECOND", "2000")]).await;
    let proxy = Proxy::start(server.address).await;
    let browser = Browser::start(800, 600, "light").await;
    browser.open(&format!("http://{}/healthz", proxy.address)).await;
    browser.value(READ).await;
    for cuts in 0..3 {
        browser.until(&format!("seen_.recovered.length === {} && seen_.events > 1000", cuts + 1)).await;
        browser.value("seen_.events = 0").await;
        proxy.cut();
    }
    browser.until("seen_.recovered.length === 4 && seen_.events > 1000").await;
    let seen = browser.value("seen_").await;
    assert_eq!((&seen["holes"], &seen["repeats"]), (&json!(0), &json!(0)), "{seen}");
    assert_eq!(seen["recovered"], json!([null, true, true, true]), "{seen}");
    let (epoch, offset) = seen["id"].as_str().unwrap().split_once(':').unwrap();
    assert!(epoch.len() == 16 && offset.parse::<u64>().unwrap() > 3_000, "{seen}");
    browser.close().await;
}

/// Opens as many streams as a browser permits per origin, less one for other requests, and observes them.
const OPEN_FIVE: &str = "(() => {
    globalThis.sources_ = [];
    globalThis.epochs_ = [];
    for (let index = 0; index < 5; index += 1) {
        const source = new EventSource('/api/v1/stream?symbols=AAPL');
        source.onmessage = (event) => {
            for (const message of JSON.parse(event.data)) if (message.type === 'welcome') epochs_[index] = message.epoch;
        };
        sources_.push(source);
    }
})()";

#[tokio::test]
async fn every_event_source_reconnects_after_a_restart() {
    let first = spawn_binary(&[], &[]).await;
    let port = first.address.port().to_string();
    let browser = Browser::start(800, 600, "light").await;
    browser.open(&format!("http://{}/healthz", first.address)).await;
    browser.value(OPEN_FIVE).await;
    browser.until("epochs_.filter(Boolean).length === 5").await;
    browser.value("globalThis.before_ = epochs_[0]").await;
    // The default drain takes two seconds, in which new sessions are refused.
    first.signal("TERM").await;
    assert_eq!(first.ended().await.status.code(), Some(0));
    let second = spawn_binary(&[], &[("TICKCAST__SERVER__PORT", &port)]).await;
    browser.until("epochs_.every((epoch) => epoch !== before_)").await;
    let states = browser.value("sources_.map((source) => source.readyState)").await;
    assert_eq!(states, json!([1, 1, 1, 1, 1]), "all are open");
    browser.close().await;
    drop(second);
}

/// Opens another source, and stores its messages.
const OPEN_LATE: &str = "(() => {
    globalThis.late_ = { types: [], recovered: [], states: [], reason: null };
    late_.source = new EventSource('/api/v1/stream?symbols=AAPL&after=nonsense');
    late_.source.onerror = () => late_.states.push(late_.source.readyState);
    late_.source.onmessage = (event) => {
        for (const message of JSON.parse(event.data)) {
            late_.types.push(message.type);
            if (message.type === 'subscribed') late_.recovered.push(message.recovered ?? null);
            if (message.type === 'goodbye') late_.reason = message.reason;
        }
    };
})()";

#[tokio::test]
async fn a_browser_that_was_refused_by_a_full_server_connects_when_there_is_room() {
    let server = spawn_binary(&[], &[("TICKCAST__SERVER__CONNECTIONS_MAX", "1")]).await;
    let holder = RawClient::open(server.address).await;
    let browser = Browser::start(800, 600, "light").await;
    browser.open(&format!("http://{}/healthz", server.address)).await;
    browser.value(OPEN_LATE).await;
    browser.until("late_.reason === 'full' && late_.states.length > 0").await;
    drop(holder);
    browser.until("late_.types.includes('trade')").await;
    let late = browser.value("late_").await;
    assert_eq!(late["recovered"], json!([false]), "what is no cursor is void: {late}");
    assert!(late["states"].as_array().unwrap().iter().all(|state| state == 0), "{late}");
    browser.close().await;
}
