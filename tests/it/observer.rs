//! A reader of the captures of the page `/handshake`.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use serde_json::Value;

use crate::patience::patiently;
use crate::raw::{Answer, RawClient, handshake};

/// A reader of `/handshake/capture`.
pub(crate) struct Observer {
    body: std::pin::Pin<Box<dyn Stream<Item = Bytes>>>,
    received: BytesMut,
    /// Name for opening the socket.
    pub(crate) name: String,
    /// Cookie that a browser would send back.
    pub(crate) cookie: String,
    /// Captured bytes of client and server.
    pub(crate) bytes: [Vec<u8>; 2],
}

impl Observer {
    /// Asks for a capture.
    pub(crate) async fn start(server: SocketAddr) -> Self {
        Self::start_as(server, None).await
    }

    /// Asks for a capture with this value of `Authorization`.
    pub(crate) async fn start_as(server: SocketAddr, authorization: Option<&str>) -> Self {
        let client = awc::Client::builder().disable_timeout().finish();
        let mut request = client.get(format!("http://{server}/handshake/capture"));
        if let Some(authorization) = authorization {
            request = request.insert_header(("Authorization", authorization));
        }
        let response = request.send();
        let response = patiently("the observer's answer", response).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers().get("content-type").unwrap(), "text/event-stream");
        let cookie = response.headers().get("set-cookie").unwrap().to_str().unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let body = Box::pin(response.filter_map(|chunk| async { chunk.ok() }));
        let (received, bytes) = (BytesMut::new(), Default::default());
        let mut observer = Self { body, received, name: String::new(), cookie, bytes };
        let (event, data) = observer.next().await.unwrap();
        assert_eq!(event, "capture");
        observer.name = data["capture"].as_str().unwrap().into();
        observer
    }

    /// Returns the next event and its data, `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some(end) = self.received.windows(2).position(|two| two == b"\n\n") {
                let text = self.received.split_to(end + 2);
                let text = std::str::from_utf8(&text).unwrap();
                let Some(rest) = text.strip_prefix("event: ") else { continue };
                let (event, data) = rest.split_once("\ndata: ").unwrap();
                return Some((event.into(), serde_json::from_str(data).unwrap()));
            }
            self.received.extend_from_slice(&patiently("an event", self.body.next()).await?);
        }
    }

    /// Reads up to an event, collecting the bytes before it; returns its data.
    pub(crate) async fn until(&mut self, wanted: &str) -> Value {
        loop {
            let (event, data) = self.next().await.unwrap_or_else(|| panic!("no {wanted}"));
            if event == "bytes" {
                let hex = data["hex"].as_str().unwrap();
                let octets = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
                self.bytes[usize::from(data["sender"] == "server")].extend(octets);
            }
            if event == wanted {
                return data;
            }
        }
    }

    /// Reads until the server has sent these bytes.
    pub(crate) async fn until_server_sent(&mut self, wanted: &[u8]) {
        while !self.bytes[1].windows(wanted.len()).any(|window| window == wanted) {
            self.until("bytes").await;
        }
    }

    /// Opens the observed socket.
    pub(crate) async fn open(&self, server: SocketAddr, changes: &[(&str, Option<&str>)]) -> (RawClient, Answer) {
        let request = handshake(changes).replace("GET /ws", &format!("GET /handshake/ws?capture={}", self.name));
        let mut client = RawClient::connect(server).await;
        let answer = client.request(&request).await;
        (client, answer)
    }
}
