//! TLS clients: self-signed certificates in files, and connections that trust one of them and count the bytes on the
//! wire.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tickcast::app::Settings;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::patience::patiently;

/// A TLS connection over a TCP connection that counts.
pub(crate) type SecureStream = TlsStream<Counted>;

/// A directory with `cert.pem` and `key.pem`, removed when dropped.
pub(crate) struct Pair {
    directory: PathBuf,
    names: Vec<String>,
    /// The certificate in the file, which is its own root.
    pub(crate) certificate: CertificateDer<'static>,
}

impl Pair {
    /// Writes a new certificate and its key to a directory of this name.
    pub(crate) fn new(name: &str) -> Self {
        Self::for_names(name, &["localhost", "127.0.0.1"])
    }

    /// The same, with a certificate for other names.
    pub(crate) fn for_names(name: &str, names: &[&str]) -> Self {
        let directory = std::env::temp_dir().join(format!("tickcast-tls-{name}-{}", std::process::id()));
        // A directory may be left from a killed process with the same id.
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir(&directory).unwrap();
        let names = names.iter().map(ToString::to_string).collect();
        let mut pair = Self { directory, names, certificate: CertificateDer::from(Vec::new()) };
        pair.replace();
        pair
    }

    /// Replaces the certificate and its key by new ones.
    pub(crate) fn replace(&mut self) {
        let made = rcgen::generate_simple_self_signed(self.names.clone()).unwrap();
        std::fs::write(self.cert(), made.cert.pem()).unwrap();
        std::fs::write(self.key(), made.signing_key.serialize_pem()).unwrap();
        self.certificate = made.cert.der().clone();
    }

    /// Returns the path of the certificate.
    pub(crate) fn cert(&self) -> String {
        self.directory.join("cert.pem").to_str().unwrap().into()
    }

    /// Returns the path of the key.
    pub(crate) fn key(&self) -> String {
        self.directory.join("key.pem").to_str().unwrap().into()
    }

    /// Returns the path of the directory.
    pub(crate) fn directory(&self) -> String {
        self.directory.to_str().unwrap().into()
    }

    /// Makes the server serve HTTPS with this certificate.
    pub(crate) fn configure(&self, settings: &mut Settings) {
        settings.server.tls.cert = self.cert();
        settings.server.tls.key = self.key();
    }

    /// Returns the environment variables for the same.
    pub(crate) fn variables(&self) -> [(&'static str, String); 2] {
        [("TICKCAST__SERVER__TLS__CERT", self.cert()), ("TICKCAST__SERVER__TLS__KEY", self.key())]
    }

    /// Connects with a client that trusts only this certificate.
    pub(crate) async fn connect(&self, server: SocketAddr) -> SecureStream {
        self.try_connect(TcpStream::connect(server).await.unwrap(), rustls::ALL_VERSIONS, &[]).await.unwrap()
    }

    /// Performs the handshake, offering these versions of TLS and these protocols (ALPN).
    pub(crate) async fn try_connect(
        &self,
        stream: TcpStream,
        versions: &[&'static SupportedProtocolVersion],
        protocols: &[&str],
    ) -> io::Result<SecureStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_protocol_versions(versions).unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from(self.names[0].clone()).unwrap();
        patiently("the handshake of TLS", connector.connect(name, Counted::new(stream))).await
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A TCP connection that counts its bytes.
#[derive(Debug)]
pub(crate) struct Counted {
    stream: TcpStream,
    /// Bytes written to the socket.
    pub(crate) bytes_up: u64,
    /// Bytes read from the socket.
    pub(crate) bytes_down: u64,
}

impl Counted {
    fn new(stream: TcpStream) -> Self {
        Self { stream, bytes_up: 0, bytes_down: 0 }
    }

    /// Returns the local address.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.bytes_down += (buf.filled().len() - before) as u64;
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(len)) = written {
            self.bytes_up += len as u64;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
