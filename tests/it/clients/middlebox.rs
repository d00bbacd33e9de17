//! A proxy as companies have them: it may refuse the upgrade to a WebSocket, hold streams back, or lose its connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

const FORBIDDEN: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Small, so that a proxy that stands still soon jams the server.
const BUFFER_BYTES: u32 = 4_096;
/// The time between two looks whether the proxy still stands still.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// What the proxy does with new connections and requests.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// Answers a request for an upgrade with 403.
    pub(crate) refuses_upgrades: AtomicBool,
    /// Passes a request for an upgrade on as one without.
    pub(crate) strips_upgrades: AtomicBool,
    /// Ends a connection on which nothing has passed for so many milliseconds, if not 0.
    pub(crate) idle_ms_max: AtomicU64,
    /// Reads the answers to requests for server-sent events, and passes none of their bytes on.
    pub(crate) holds_streams: AtomicBool,
    /// Reads nothing from the server.
    pub(crate) stands_still: AtomicBool,
    /// The requests refused so far.
    pub(crate) refused: AtomicU64,
    /// The requests without their upgrade so far.
    pub(crate) stripped: AtomicU64,
    /// The connections ended so far because they were idle.
    pub(crate) idled: AtomicU64,
}

/// A running proxy. It ends with its runtime.
pub(crate) struct Middlebox {
    pub(crate) address: SocketAddr,
    pub(crate) rules: Arc<Rules>,
    cuts: watch::Sender<u64>,
}

impl Middlebox {
    /// Starts a proxy in front of a server.
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let rules = Arc::new(Rules::default());
        let (cuts, cut) = watch::channel(0);
        let shared = rules.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (rules, mut cut) = (shared.clone(), cut.clone());
                cut.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        () = carry(client, server, &rules) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { address, rules, cuts }
    }

    /// Cuts every connection.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

/// Carries one connection. Clients wait for an answer before they send the next request, so each request begins a read of its own.
async fn carry(mut client: TcpStream, server: SocketAddr, rules: &Rules) {
    // The server may be down.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(BUFFER_BYTES).unwrap();
    let Ok(mut server) = socket.connect(server).await else { return };
    let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut is_held = false;
    loop {
        let idle_max = rules.idle_ms_max.load(SeqCst);
        let idle = tokio::time::sleep(if idle_max == 0 { Duration::MAX } else { Duration::from_millis(idle_max) });
        tokio::select! {
            () = idle => {
                rules.idled.fetch_add(1, SeqCst);
                return;
            }
            read = client.read(&mut up) => {
                let Ok(length @ 1..) = read else { return };
                let mut piece = up[..length].to_vec();
                if piece.starts_with(b"GET ") {
                    let head = String::from_utf8_lossy(&piece).to_ascii_lowercase();
                    let is_upgrade = head.contains("\r\nupgrade: websocket");
                    if is_upgrade && rules.strips_upgrades.load(SeqCst) {
                        rules.stripped.fetch_add(1, SeqCst);
                        let is_kept = |line: &&str| !["upgrade:", "connection:"].iter().any(|name| line.starts_with(name));
                        piece = head.split("\r\n").filter(is_kept).collect::<Vec<_>>().join("\r\n").into_bytes();
                    }
                    if is_upgrade && rules.refuses_upgrades.load(SeqCst) {
                        rules.refused.fetch_add(1, SeqCst);
                        let _ = client.write_all(FORBIDDEN).await;
                        return;
                    }
                    let is_stream = head.split(' ').nth(1).is_some_and(|target| target.starts_with("/api/v1/stream"));
                    is_held = is_stream && rules.holds_streams.load(SeqCst);
                }
                if server.write_all(&piece).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut down) => {
                let Ok(length @ 1..) = read else { return };
                while rules.stands_still.load(SeqCst) {
                    tokio::time::sleep(LOOK_INTERVAL).await;
                }
                if !is_held && client.write_all(&down[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
