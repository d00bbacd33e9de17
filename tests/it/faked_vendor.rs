//! A server that plays a vendor: it sends what a test has it send.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use crate::folder::Folder;
use crate::patience::patiently;
use crate::record_remote::Recorder;

pub(crate) const SECRET: &str = "S3CR3T-WORD";
pub(crate) const CONNECTED: &str = r#"[{"T":"success","msg":"connected"}]"#;
pub(crate) const AUTHENTICATED: &str = r#"[{"T":"success","msg":"authenticated"}]"#;
pub(crate) const SUBSCRIBED: &str = r#"[{"T":"subscription","trades":["AAPL"],"quotes":["AAPL"],"bars":["AAPL"]}]"#;
pub(crate) const MASSIVE_CONNECTED: &str =
    r#"[{"ev":"status","status":"connected","message":"Connected Successfully"}]"#;
pub(crate) const MASSIVE_AUTHENTICATED: &str = r#"[{"ev":"status","status":"auth_success","message":"authenticated"}]"#;

/// A server that plays a vendor.
pub(crate) struct Faked {
    listener: TcpListener,
}

/// A connection to it.
pub(crate) struct Connection(pub(crate) WebSocketStream<TcpStream>);

impl Faked {
    pub(crate) async fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn url(&self) -> String {
        format!("ws://{}/stream", self.listener.local_addr().unwrap())
    }

    pub(crate) fn record(&self, folder: &Folder, protocol: &str, options: &[&str]) -> Recorder {
        let token = format!("KEY:{SECRET}");
        Recorder::start(&self.url(), folder, &[&["--protocol", protocol, "--token", &token][..], options].concat())
    }

    /// Accepts the next connection.
    pub(crate) async fn accept(&self) -> Connection {
        self.accept_typed().await.0
    }

    /// Accepts the next connection, and returns its `Content-Type` too.
    pub(crate) async fn accept_typed(&self) -> (Connection, Option<String>) {
        let (stream, _) = patiently("a connection", self.listener.accept()).await.unwrap();
        let mut kind = None;
        #[expect(clippy::result_large_err, reason = "the signature is that of the library")]
        let read = |request: &Request, response: Response| {
            kind = request.headers().get("Content-Type").map(|value| value.to_str().unwrap().to_owned());
            Ok(response)
        };
        let socket = tokio_tungstenite::accept_hdr_async(stream, read).await.unwrap();
        (Connection(socket), kind)
    }

    /// Accepts the next connection up to its subscription in the words of Alpaca, and answers it.
    pub(crate) async fn accept_alpaca(&self) -> Connection {
        let mut connection = self.accept().await;
        connection.send(CONNECTED).await;
        assert_eq!(connection.request().await, json!({"action": "auth", "key": "KEY", "secret": SECRET}));
        connection.send(AUTHENTICATED).await;
        assert_eq!(connection.request().await["action"], "subscribe");
        connection.send(SUBSCRIBED).await;
        connection
    }
}

impl Connection {
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.send(Message::Text(text.into())).await.unwrap();
    }

    /// Returns the next request, in JSON or MessagePack.
    pub(crate) async fn request(&mut self) -> Value {
        match patiently("a request", self.0.next()).await.unwrap().unwrap() {
            Message::Binary(bytes) => rmp_serde::from_slice(&bytes).unwrap(),
            message => serde_json::from_str(message.to_text().unwrap()).unwrap(),
        }
    }

    /// Waits for the end that the recorder makes.
    pub(crate) async fn until_end(mut self) {
        patiently("the end of the connection", async { while self.0.next().await.is_some_and(|it| it.is_ok()) {} })
            .await;
    }
}
