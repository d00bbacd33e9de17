//! The HTTPS server of an issuer of tokens, on a thread of its own: it answers every request as the test has told it, and counts them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tickcast::app::Settings;

use crate::issuer::{AUDIENCE, ISSUER};
use crate::secure::Pair;

/// The answer to every request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Exactly these bytes, and the end of the connection.
    Bytes(Vec<u8>),
    /// None, until the server is dropped.
    Never,
}

impl Reply {
    /// Returns an answer with this status, these lines of headers and this body.
    pub(crate) fn new(status: &str, headers: &str, body: &str) -> Self {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}Connection: close\r\n\r\n", body.len());
        Self::Bytes([head, body.to_owned()].concat().into_bytes())
    }

    /// Returns a good answer with this set of keys.
    pub(crate) fn set(body: &str) -> Self {
        Self::new("200 OK", "Content-Type: application/json\r\n", body)
    }
}

/// A running server.
pub(crate) struct JwksServer {
    pub(crate) address: SocketAddr,
    certificate: Pair,
    reply: Arc<Mutex<Reply>>,
    requests: Arc<AtomicUsize>,
    /// Ends the answers that never come.
    _release: Sender<()>,
}

impl JwksServer {
    /// Starts a server with a certificate for `localhost` in a directory of this name.
    pub(crate) fn start(name: &str, reply: Reply) -> Self {
        Self::start_with(Pair::new(name), reply)
    }

    /// Starts a server with this certificate.
    pub(crate) fn start_with(certificate: Pair, reply: Reply) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (reply, requests) = (Arc::new(Mutex::new(reply)), Arc::<AtomicUsize>::default());
        let (release, released) = channel();
        let (replies, counter) = (reply.clone(), requests.clone());
        let config = config(&certificate);
        let released = Arc::new(Mutex::new(released));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (config, reply, counter) = (config.clone(), replies.lock().unwrap().clone(), counter.clone());
                let released = released.clone();
                std::thread::spawn(move || serve(stream, config, &reply, &counter, &released));
            }
        });
        Self { address, certificate, reply, requests, _release: release }
    }

    /// Changes the answer to further requests.
    pub(crate) fn answer(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    /// Returns the number of requests.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Makes every client of a server need a token of the issuer with this server.
    pub(crate) fn require(&self, settings: &mut Settings) {
        settings.auth.required = true;
        settings.limits.address_failures_per_minute = 0;
        let jwt = &mut settings.auth.jwt;
        jwt.jwks_url = format!("https://localhost:{}/keys.json", self.address.port());
        jwt.jwks_ca_file = self.certificate.cert();
        (jwt.audience, jwt.issuer) = (AUDIENCE.into(), ISSUER.into());
    }
}

fn config(pair: &Pair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::from_pem_file(pair.key()).unwrap();
    let certificate = CertificateDer::from_pem_file(pair.cert()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    Arc::new(builder.with_single_cert(vec![certificate], key).unwrap())
}

/// Answers one request. A client that goes away is no failure.
fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    reply: &Reply,
    requests: &AtomicUsize,
    released: &Mutex<Receiver<()>>,
) {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut head = Vec::new();
    let mut buffer = [0; 4_096];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(len) => head.extend_from_slice(&buffer[..len]),
        }
    }
    requests.fetch_add(1, Ordering::SeqCst);
    match reply {
        Reply::Bytes(bytes) => {
            let _ = stream.write_all(bytes);
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        Reply::Never => _ = released.lock().unwrap().recv(),
    }
}
