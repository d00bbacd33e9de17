//! A client of the streams of vendors that knows no dialect; its frames are JSON, or MessagePack if it asks for that.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::alpaca_client::{MESSAGE_PACK, unpacked};
use crate::patience::patiently;

/// One client.
pub(crate) struct JsonClient {
    socket: WebSocketStream<TcpStream>,
    packs: bool,
}

/// The end of a connection: the code of the close frame, if there was one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed(pub(crate) Option<u16>);

impl JsonClient {
    /// Connects, without reading.
    pub(crate) async fn open(server: SocketAddr, path: &str) -> Self {
        Self::try_open(server, path).await.expect("the server opens the WebSocket")
    }

    /// Connects, without reading; returns the status of the response if it opens no WebSocket.
    pub(crate) async fn try_open(server: SocketAddr, path: &str) -> Result<Self, u16> {
        Self::open_on(TcpStream::connect(server).await.unwrap(), server, path, &[]).await
    }

    /// Connects with these headers, without reading.
    pub(crate) async fn open_with(server: SocketAddr, path: &str, headers: &[(&'static str, &str)]) -> Self {
        let stream = TcpStream::connect(server).await.unwrap();
        Self::open_on(stream, server, path, headers).await.expect("the server opens the WebSocket")
    }

    /// Connects with a small buffer of the socket, without reading.
    pub(crate) async fn open_narrow(server: SocketAddr, path: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(2_048).unwrap();
        Self::open_on(socket.connect(server).await.unwrap(), server, path, &[]).await.unwrap()
    }

    async fn open_on(
        stream: TcpStream,
        server: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let mut request = format!("ws://{server}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match patiently("the handshake", client_async(request, stream)).await {
            Ok((socket, _)) => Ok(Self { socket, packs: headers.contains(&MESSAGE_PACK) }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(err) => panic!("neither a WebSocket nor a response: {err}"),
        }
    }

    /// Sends a request.
    pub(crate) async fn send(&mut self, request: &Value) {
        self.send_message(Message::Text(request.to_string().into())).await;
    }

    /// Sends a message of any kind.
    pub(crate) async fn send_message(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Returns the next frame, which is JSON or MessagePack as was agreed, or how the connection has ended. Answers pings.
    pub(crate) async fn next(&mut self) -> Result<Value, Closed> {
        loop {
            match self.next_message().await? {
                Message::Text(text) if !self.packs => return Ok(serde_json::from_str(&text).unwrap()),
                Message::Binary(bytes) if self.packs => return Ok(unpacked(&bytes)),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("neither in the codec nor a control frame: {other:?}"),
            }
        }
    }

    /// Returns the next message of any kind, or how the connection has ended.
    pub(crate) async fn next_message(&mut self) -> Result<Message, Closed> {
        match patiently("a frame", self.socket.next()).await {
            Some(Ok(Message::Close(close))) => Err(Closed(close.map(|close| close.code.into()))),
            Some(Ok(message)) => Ok(message),
            Some(Err(_)) | None => Err(Closed(None)),
        }
    }

    /// Ends the sending half of the connection.
    pub(crate) async fn finish_sending(&mut self) {
        self.socket.get_mut().shutdown().await.unwrap();
    }

    /// Returns the next frame of Massive: the messages of an array.
    pub(crate) async fn array(&mut self) -> Vec<Value> {
        let frame = self.next().await.unwrap();
        let Value::Array(messages) = frame else { panic!("no array: {frame}") };
        assert!(!messages.is_empty());
        messages
    }

    /// Sends a request of Massive, and returns the messages of the next frame.
    pub(crate) async fn ask(&mut self, action: &str, params: &str) -> Vec<Value> {
        self.send(&json!({"action": action, "params": params})).await;
        self.array().await
    }

    /// Reads to the end of the connection; returns the last frame and the end.
    pub(crate) async fn read_to_end(&mut self) -> (Option<Value>, Closed) {
        let mut last = None;
        // A server that does not end it may send events for ever.
        let closed = patiently("the end of the connection", async {
            loop {
                match self.next().await {
                    Ok(frame) => last = Some(frame),
                    Err(closed) => break closed,
                }
            }
        });
        let closed = closed.await;
        (last, closed)
    }
}

/// Connects to the stream of Massive and authenticates.
pub(crate) async fn massive(server: SocketAddr) -> JsonClient {
    authenticated(JsonClient::open(server, "/stocks").await).await
}

/// Authenticates a client of the stream of Massive that has been connected.
pub(crate) async fn authenticated(mut client: JsonClient) -> JsonClient {
    assert_eq!(client.array().await, status("connected", "Connected Successfully"));
    assert_eq!(client.ask("auth", "tickcast").await, status("auth_success", "authenticated"));
    client
}

/// Returns a frame of Massive with one status.
pub(crate) fn status(status: &str, message: &str) -> Vec<Value> {
    vec![json!({"ev": "status", "status": status, "message": message})]
}

/// Returns a frame of Massive with the acknowledgements of these items.
pub(crate) fn acknowledged(heading: &str, items: &[&str]) -> Vec<Value> {
    items.iter().flat_map(|item| status("success", &format!("{heading}: {item}"))).collect()
}

/// Plays a transcript: sends the lines after `> `, and expects the frames after `< `.
pub(crate) async fn replay(client: &mut JsonClient, transcript: &str) {
    for line in transcript.lines() {
        let (side, text) = line.split_at(2);
        match side {
            "> " => client.send_message(Message::Text(text.into())).await,
            "< " => assert_eq!(client.next().await, Ok(serde_json::from_str(text).unwrap()), "{line}"),
            _ => panic!("neither client nor server: {line}"),
        }
    }
}

/// Sends every request with each of its bytes replaced by others, and then one that is too long (over `bytes_max`). Returns the frames
/// of the answers, and how the connection has ended.
pub(crate) async fn answers_to_mutations(
    client: &mut JsonClient,
    requests: &[&str],
    bytes_max: usize,
) -> (Vec<Value>, Closed) {
    for request in requests {
        for place in 0..request.len() {
            for byte in [b'"', b'{', b'}', b'\\', b',', b'0', 0x00, 0xff] {
                let mut bytes = request.as_bytes().to_vec();
                bytes[place] = byte;
                client.send_message(Message::Binary(bytes.into())).await;
            }
        }
    }
    client.send_message(Message::Text("x".repeat(bytes_max + 1).into())).await;
    let mut frames = Vec::new();
    loop {
        match client.next().await {
            Ok(frame) => frames.push(frame),
            Err(closed) => return (frames, closed),
        }
    }
}
