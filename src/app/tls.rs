//! TLS: the certificate and its key from PEM files, reloaded on request, and the configuration of the protocol.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use serde::Deserialize;

use crate::access::Reread;

/// The protocol offered by ALPN. A WebSocket is opened over HTTP/1.1 (RFC 6455), so that HTTP/2 would not help.
const PROTOCOL: &[u8] = b"http/1.1";

/// The section `[server.tls]`. Without a certificate there is no HTTPS.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The file with the certificate and its chain, in PEM; empty for none.
    pub cert: String,
    /// The file with the certificate's private key, in PEM.
    pub key: String,
    /// The TCP port of HTTPS; 0 takes a free one.
    pub port: u16,
    /// Whether only HTTPS is served; then nothing listens on `server.port`.
    pub only: bool,
    /// Longest time for a TLS handshake. Milliseconds, 1 to 600,000.
    pub handshake_timeout_ms: u64,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self { cert: String::new(), key: String::new(), port: 8443, only: false, handshake_timeout_ms: 5_000 }
    }
}

impl TlsConfig {
    /// Returns whether HTTPS is served.
    pub fn is_on(&self) -> bool {
        !self.cert.is_empty()
    }

    pub(super) fn handshake_timeout(&self) -> Duration {
        Duration::from_millis(self.handshake_timeout_ms)
    }

    pub(super) fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        match self {
            Self { cert, key, .. } if key.is_empty() && !cert.is_empty() => {
                Err(("server.tls.key", "must be set when server.tls.cert is"))
            }
            Self { cert, key, .. } if cert.is_empty() && !key.is_empty() => {
                Err(("server.tls.cert", "must be set when server.tls.key is"))
            }
            Self { cert, only: true, .. } if cert.is_empty() => {
                Err(("server.tls.cert", "must be set when server.tls.only is"))
            }
            Self { handshake_timeout_ms: 0 | 600_001.., .. } => {
                Err(("server.tls.handshake_timeout_ms", "must be 1 to 600000"))
            }
            _ => Ok(()),
        }
    }
}

/// The reason why the certificate or its key cannot be used. Displays as one line that names the key of the settings
/// and the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{key} {path}: {source}")]
    Read {
        /// `server.tls.cert` or `server.tls.key`.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The content of a file is invalid.
    #[error("{key} {path}: {complaint}")]
    Content {
        /// `server.tls.cert` or `server.tls.key`.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The rule that the file breaks.
        complaint: String,
    },
    /// The private key belongs to another certificate.
    #[error("server.tls.key {key} does not belong to server.tls.cert {cert}")]
    Mismatch {
        /// The file of the certificate.
        cert: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
}

/// The certificate that the server presents, with its chain and its private key. New connections get the newest one.
#[derive(Debug)]
pub struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// Returns the first mistake in them.
    pub(super) fn read(config: &TlsConfig) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let (cert, key) = (PathBuf::from(&config.cert), PathBuf::from(&config.key));
        let current = RwLock::new(Arc::new(read_pair(&cert, &key, &provider)?));
        Ok(Self { cert, key, provider, current })
    }

    /// Reads the files again. If they are invalid, logs the error, and keeps the old certificate.
    pub fn reload(&self) -> Reread {
        let cert = self.cert.display();
        match read_pair(&self.cert, &self.key, &self.provider) {
            Ok(pair) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
                log::info!("certificate reloaded cert={cert}");
                Reread::Reloaded
            }
            Err(err) => {
                log::error!("certificate not reloaded, the old one stays: {err}");
                Reread::Kept(err.to_string())
            }
        }
    }

    /// Returns the certificate for new connections.
    pub(super) fn current(&self) -> Arc<CertifiedKey> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the implementation of the cryptography.
    pub(super) const fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }

    /// Returns the configuration of TLS with this certificate: versions 1.2 and 1.3, and HTTP/1.1 by ALPN.
    pub(super) fn server_config(self: Arc<Self>) -> Arc<rustls::ServerConfig> {
        let builder = rustls::ServerConfig::builder_with_provider(self.provider.clone());
        let builder = builder.with_protocol_versions(&[&TLS13, &TLS12]).expect("the provider speaks both versions");
        let mut config = builder.with_no_client_auth().with_cert_resolver(self);
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Arc::new(config)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

fn read_pair(cert: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let of_cert = |complaint| TlsError::Content { key: "server.tls.cert", path: cert.into(), complaint };
    let of_key = |complaint| TlsError::Content { key: "server.tls.key", path: key.into(), complaint };
    let text = read_file("server.tls.cert", cert)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|err| of_cert(in_words(&err)))?;
    if chain.is_empty() {
        return Err(of_cert("contains no certificate in PEM".into()));
    }
    if chain.iter().any(|cert| is_version_1(cert)) {
        return Err(of_cert("contains a certificate of X.509 version 1; version 3 is needed".into()));
    }
    let text = read_file("server.tls.key", key)?;
    let private = PrivateKeyDer::from_pem_slice(&text).map_err(|err| match err {
        pem::Error::NoItemsFound => of_key("contains no private key in PEM".into()),
        err => of_key(in_words(&err)),
    })?;
    let private = provider.key_provider.load_private_key(private);
    let private = private.map_err(|_| of_key("the private key is malformed, or of an unknown kind".into()))?;
    let pair = CertifiedKey::new(chain, private);
    match pair.keys_match() {
        // A key that cannot compute its public half may belong to the certificate.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(pair),
        Err(rustls::Error::InconsistentKeys(_)) => Err(TlsError::Mismatch { cert: cert.into(), key: key.into() }),
        Err(err) => Err(of_cert(err.to_string())),
    }
}

/// Returns whether a certificate in DER has X.509 version 1: it begins with its serial number, where later versions
/// begin with the version (RFC 5280 section 4.1).
fn is_version_1(der: &[u8]) -> bool {
    const SEQUENCE: u8 = 0x30;
    const INTEGER: u8 = 0x02;
    let inside = |der: &[u8]| match der {
        [SEQUENCE, 0x81, _, inside @ ..]
        | [SEQUENCE, 0x82, _, _, inside @ ..]
        | [SEQUENCE, 0x83, _, _, _, inside @ ..]
        | [SEQUENCE, (..=0x7F), inside @ ..] => Some(inside.to_vec()),
        _ => None,
    };
    inside(der).and_then(|cert| inside(&cert)).is_some_and(|fields| fields.first() == Some(&INTEGER))
}

fn read_file(key: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read { key, path: path.into(), source })
}

/// The PEM parser's messages show bytes as numbers; these texts name the mistake.
fn in_words(err: &pem::Error) -> String {
    match err {
        pem::Error::Base64Decode(_) => "malformed PEM: not Base64".into(),
        pem::Error::MissingSectionEnd { .. } => "malformed PEM: no end line".into(),
        _ => "malformed PEM".into(),
    }
}
