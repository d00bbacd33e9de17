//! A TCP proxy that counts bytes by request target: an independent count of the bytes on the wire. It can also cut
//! connections.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Bytes of both directions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Carried {
    pub(crate) up: u64,
    pub(crate) down: u64,
    pub(crate) requests: u64,
}

type Counts = Arc<Mutex<HashMap<String, Carried>>>;

/// A running proxy. It ends with its runtime.
pub(crate) struct CountingProxy {
    pub(crate) address: SocketAddr,
    counts: Counts,
    /// Prefix of the request targets whose connections are cut.
    cut: watch::Sender<Option<String>>,
}

impl CountingProxy {
    /// Starts a proxy in front of a server.
    pub(crate) async fn start(server: SocketAddr) -> Self {
        Self::start_with(server, false).await
    }

    /// Starts a proxy that sends its own address to the server as `Host`, as some proxies do by default.
    pub(crate) async fn start_renaming(server: SocketAddr) -> Self {
        Self::start_with(server, true).await
    }

    async fn start_with(server: SocketAddr, renames: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, counts) = (listener.local_addr().unwrap(), Counts::default());
        let shared = counts.clone();
        let (cut, cutting) = watch::channel(None);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let upstream = TcpStream::connect(server).await.unwrap();
                for socket in [&client, &upstream] {
                    socket.set_nodelay(true).unwrap();
                }
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = upstream.into_split();
                let target = Arc::new(Mutex::new(String::new()));
                let mut cutting = cutting.clone();
                let hosts = renames.then(|| [address, server].map(|address| format!("\r\nHost: {address}\r\n")));
                let up = carry(from_client, to_server, shared.clone(), target.clone(), true, hosts);
                let down = carry(from_server, to_client, shared.clone(), target.clone(), false, None);
                tokio::spawn(async move {
                    let is_meant = |beginning: &Option<String>| {
                        beginning.as_ref().is_some_and(|beginning| target.lock().unwrap().starts_with(beginning))
                    };
                    tokio::select! {
                        _ = async { tokio::join!(up, down) } => {}
                        () = async {
                            if cutting.wait_for(is_meant).await.is_err() {
                                // The proxy has been dropped: no connection will be cut.
                                std::future::pending::<()>().await;
                            }
                        } => {}
                    }
                });
            }
        });
        Self { address, counts, cut }
    }

    /// Cuts the connections whose last request target begins with this prefix, in both directions at once.
    pub(crate) fn cut(&self, beginning: &str) {
        self.cut.send_replace(Some(beginning.to_owned()));
    }

    /// Returns the bytes of the requests whose target `matches`, and of their answers.
    pub(crate) fn carried(&self, matches: impl Fn(&str) -> bool) -> Carried {
        let counts = self.counts.lock().unwrap();
        counts.iter().filter(|(target, _)| matches(target)).fold(Carried::default(), |sum, (_, each)| Carried {
            up: sum.up + each.up,
            down: sum.down + each.down,
            requests: sum.requests + each.requests,
        })
    }
}

/// Forwards one direction. A browser waits for an answer before it sends the next request, so each request begins a
/// read of its own, and the masked frames of a WebSocket look like a request only by chance.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    counts: Counts,
    target: Arc<Mutex<String>>,
    is_up: bool,
    hosts: Option<[String; 2]>,
) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let piece = &buffer[..length];
        {
            let mut target = target.lock().unwrap();
            let begins = is_up && piece.starts_with(b"GET ");
            if begins {
                let line = std::str::from_utf8(&piece[..length.min(512)]).unwrap();
                line.split(' ').nth(1).unwrap().clone_into(&mut target);
            }
            let mut counts = counts.lock().unwrap();
            let count = counts.entry(target.clone()).or_default();
            *(if is_up { &mut count.up } else { &mut count.down }) += length as u64;
            count.requests += u64::from(begins);
        }
        let piece = match &hosts {
            Some([from, to]) if piece.starts_with(b"GET ") => {
                str::from_utf8(piece).unwrap().replace(from, to).into_bytes()
            }
            _ => piece.to_vec(),
        };
        if to.write_all(&piece).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
