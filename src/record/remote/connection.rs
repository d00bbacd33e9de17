//! `Dialer`: opens the WebSocket, over TLS if the address says so.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

use crate::record::remote::{Protocol, RemoteConfig, RemoteError};

/// Longest time to connect, from the name to the answer of the server.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest message of a server, in bytes.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// A connection, over TLS or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// An open WebSocket.
pub(super) type Socket = WebSocketStream<Box<dyn Stream>>;

/// The reason why there is no connection.
pub(super) enum Failure {
    /// The server answers with a status that it would give again.
    Refused(u16),
    /// Another attempt may succeed.
    Other(String),
}

/// See the module.
pub(super) struct Dialer {
    url: Url,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    authorization: Option<HeaderValue>,
    /// Whether to ask for MessagePack.
    is_packed: bool,
}

impl Dialer {
    /// Returns the dialer of an address.
    pub(super) fn new(config: &RemoteConfig) -> Result<Self, RemoteError> {
        let url = config.url.clone();
        let host = url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned()).ok_or(RemoteError::Url)?;
        let port = url.port_or_known_default().ok_or(RemoteError::Url)?;
        let tls = match url.scheme() {
            "ws" => None,
            "wss" => {
                let name = ServerName::try_from(host.clone()).map_err(|_| RemoteError::Url)?;
                Some((connector(config.ca_file.as_deref()).map_err(RemoteError::Authorities)?, name))
            }
            _ => return Err(RemoteError::Url),
        };
        // Vendors are shown it in a message.
        let token = config.token.as_ref().filter(|_| config.protocol == Protocol::Native);
        let token = token.map(|token| HeaderValue::try_from(format!("Bearer {token}")));
        let authorization = token
            .transpose()
            .map_err(|_| RemoteError::Authorities("--token has characters that no token has".into()))?;
        let is_packed = config.protocol == Protocol::Alpaca { is_packed: true };
        Ok(Self { url, host, port, tls, authorization, is_packed })
    }

    /// Opens a WebSocket.
    pub(super) async fn dial(&self) -> Result<Socket, Failure> {
        match tokio::time::timeout(TIMEOUT, self.open()).await {
            Ok(opened) => opened,
            Err(_) => Err(Failure::Other(format!("no answer within {} s", TIMEOUT.as_secs()))),
        }
    }

    async fn open(&self) -> Result<Socket, Failure> {
        let other = |err: std::io::Error| Failure::Other(err.to_string());
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(other)?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some((connector, name)) => Box::new(connector.connect(name.clone(), stream).await.map_err(other)?),
        };
        let request = self.url.as_str().into_client_request();
        let mut request = request.map_err(|err| Failure::Other(err.to_string()))?;
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert("Authorization", authorization.clone());
        }
        if self.is_packed {
            request.headers_mut().insert("Content-Type", HeaderValue::from_static("application/msgpack"));
        }
        let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX));
        let config = config.max_frame_size(Some(MESSAGE_BYTES_MAX));
        match client_async_with_config(request, stream, Some(config)).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(answer)) => {
                let status = answer.status().as_u16();
                let is_final = (400..500).contains(&status) && ![408, 429].contains(&status);
                Err(if is_final { Failure::Refused(status) } else { Failure::Other(format!("status {status}")) })
            }
            Err(err) => Err(Failure::Other(err.to_string())),
        }
    }
}

/// Returns a client that trusts the authorities of this file, or those of the system.
fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, String> {
    let certificates = match ca_file {
        None => rustls_native_certs::load_native_certs().certs,
        Some(path) => {
            let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            certificates.map_err(|err| format!("{}: {err}", path.display()))?
        }
    };
    let mut roots = RootCertStore::empty();
    if roots.add_parsable_certificates(certificates).0 == 0 {
        return Err("there are no certificates of authorities: --ca names a file of them".into());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|err| err.to_string())?;
    Ok(TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
}
