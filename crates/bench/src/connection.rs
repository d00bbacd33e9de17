//! The client of both tools: a TCP connection that counts its bytes, and over it a WebSocket, an event stream, or HTTP requests.
//! Everything runs on one thread.

use std::cell::Cell;
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use derive_more::Sub;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HeaderName, HeaderValue};
use hyper_util::rt::TokioIo;
use sse_stream::SseStream;
use tickcast_core::domain::{Clock, SystemClock};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
pub(crate) use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::target::Target;

/// The longest message of a server, in bytes.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// The read buffer of one WebSocket, in bytes. Longer messages take several reads.
const READ_BYTES: usize = 4 << 10;
/// The longest time to connect and receive the answer to one request.
const GET_TIMEOUT: Duration = Duration::from_secs(10);
/// The time between two checks whether the server has closed a connection that is not read.
const CLOSED_INTERVAL: Duration = Duration::from_millis(50);

/// Network traffic of some connections. Bytes are those of the TCP streams, headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Sub)]
pub(crate) struct Traffic {
    /// TCP connections.
    pub(crate) connections: u64,
    /// HTTP requests, including WebSocket handshakes.
    pub(crate) requests: u64,
    /// `read` calls that returned data.
    pub(crate) reads: u64,
    /// WebSocket messages and control frames to the clients.
    pub(crate) frames: u64,
    /// Bytes from the clients.
    pub(crate) bytes_up: u64,
    /// Bytes to the clients.
    pub(crate) bytes_down: u64,
}

/// Counts the traffic of some connections together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter(Rc<Cell<Traffic>>);

impl Meter {
    /// Returns the traffic so far.
    pub(crate) fn traffic(&self) -> Traffic {
        self.0.get()
    }

    fn count(&self, count: impl FnOnce(&mut Traffic)) {
        let mut traffic = self.0.get();
        count(&mut traffic);
        self.0.set(traffic);
    }
}

/// A TCP connection that counts its traffic and records the time of its last read.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    meter: Meter,
    read_at: Rc<Cell<i64>>,
}

impl Connection {
    /// Connects. Fails with the error of the operating system.
    pub(crate) async fn dial(address: SocketAddr, meter: &Meter) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        meter.count(|traffic| traffic.connections += 1);
        Ok(Self { stream, meter: meter.clone(), read_at: Rc::default() })
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = room.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, room))?;
        let len = room.filled().len() - before;
        self.read_at.set(SystemClock.now().micros());
        self.meter.count(|traffic| {
            traffic.reads += u64::from(len > 0);
            traffic.bytes_down += len as u64;
        });
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let len = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.meter.count(|traffic| traffic.bytes_up += len as u64);
        Poll::Ready(Ok(len))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// An open WebSocket.
pub(crate) type WebSocket = WebSocketStream<Connection>;

/// A header of a handshake.
pub(crate) type Header = (HeaderName, HeaderValue);

/// Opens a WebSocket over a connection, with these headers besides those of the protocol.
/// Fails if the server does not complete the handshake; the text is the same for every connection with the same problem.
pub(crate) async fn open(connection: Connection, target: &Target, headers: &[Header]) -> Result<WebSocket, String> {
    connection.meter.count(|traffic| traffic.requests += 1);
    let config = WebSocketConfig::default().read_buffer_size(READ_BYTES).max_message_size(Some(MESSAGE_BYTES_MAX));
    let mut request = target.url.as_str().into_client_request().map_err(words)?;
    request.headers_mut().extend(headers.iter().cloned());
    match client_async_with_config(request, connection, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => Err(format!("status {}", answer.status().as_u16())),
        Err(err) => Err(words(err)),
    }
}

/// Runs a WebSocket until it is closed: sends the messages of `outgoing`, answers pings, and passes each text or binary message
/// to `take` with the time of the read that completed it, in microseconds since 1970. Without `is_reading` it never reads, and
/// only watches whether the connection is still open.
///
/// Returns the close code: 1005 for a close without a code, 1006 for a lost connection, 1002 for invalid data.
pub(crate) async fn converse(
    mut socket: WebSocket,
    mut outgoing: UnboundedReceiver<Message>,
    is_reading: bool,
    mut take: impl FnMut(&[u8], i64),
) -> u16 {
    loop {
        let next = async {
            if is_reading {
                return receive(&mut socket).await;
            }
            closed(&socket).await;
            Err(1006)
        };
        tokio::select! {
            biased;
            Some(message) = outgoing.recv() => if socket.send(message).await.is_err() { return 1006 },
            received = next => match received {
                Ok(message) if message.is_text() || message.is_binary() => {
                    let read_at = socket.get_ref().read_at.get();
                    take(&message.into_data(), read_at);
                }
                Ok(_) => {}
                Err(code) => return code,
            }
        }
    }
}

/// Waits for the next message or control frame; the error is the close code. May be dropped while it waits.
async fn receive(socket: &mut WebSocket) -> Result<Message, u16> {
    let received = socket.next().await;
    socket.get_ref().meter.count(|traffic| traffic.frames += u64::from(matches!(received, Some(Ok(_)))));
    match received {
        Some(Ok(Message::Close(frame))) => Err(frame.map_or(1005, |frame| frame.code.into())),
        Some(Ok(message)) => Ok(message),
        None | Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::Io(_))) => Err(1006),
        Some(Err(_)) => Err(1002),
    }
}

/// Waits until the server has closed the connection, without reading.
async fn closed(socket: &WebSocket) {
    loop {
        match socket.get_ref().stream.ready(Interest::READABLE | Interest::ERROR).await {
            Ok(ready) if !ready.is_read_closed() && !ready.is_error() => {}
            _ => return,
        }
        // Unread bytes keep the socket ready, so `ready` would return at once.
        sleep(CLOSED_INTERVAL).await;
    }
}

/// An HTTP connection for one request at a time.
#[derive(Debug)]
pub(crate) struct Http {
    requests: SendRequest<Empty<Bytes>>,
    authority: String,
    meter: Meter,
    read_at: Rc<Cell<i64>>,
}

impl Http {
    /// Connects. Fails if the connection is refused.
    pub(crate) async fn connect(address: SocketAddr, meter: &Meter) -> Result<Self, String> {
        let connection = Connection::dial(address, meter).await.map_err(words)?;
        let read_at = Rc::clone(&connection.read_at);
        let (requests, driver) = handshake(TokioIo::new(connection)).await.map_err(words)?;
        // The task ends with the last request or body.
        spawn_local(driver);
        Ok(Self { requests, authority: address.to_string(), meter: meter.clone(), read_at })
    }

    /// Sends a GET request.
    async fn request(&mut self, path: &str, accept: &str) -> Result<Incoming, String> {
        self.requests.ready().await.map_err(words)?;
        self.meter.count(|traffic| traffic.requests += 1);
        let request = hyper::Request::get(path).header("Host", &self.authority).header("Accept", accept);
        let answer = self.requests.send_request(request.body(Empty::new()).map_err(words)?).await.map_err(words)?;
        if answer.status() == 200 {
            Ok(answer.into_body())
        } else {
            Err(format!("status {}", answer.status().as_u16()))
        }
    }

    /// Requests a path and returns the whole body.
    /// Fails if there is no answer with status 200.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Bytes, String> {
        Ok(self.request(path, "application/json").await?.collect().await.map_err(words)?.to_bytes())
    }

    /// Requests an event stream and passes the data of each event to `take`, with the time of the read that completed it in
    /// microseconds since 1970. Returns only with an error, at the latest when the stream ends.
    pub(crate) async fn stream(mut self, path: &str, mut take: impl FnMut(&[u8], i64)) -> String {
        let mut events = match self.request(path, "text/event-stream").await {
            Ok(body) => SseStream::new(body),
            Err(err) => return err,
        };
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => event.data.iter().for_each(|data| take(data.as_bytes(), self.read_at())),
                Err(err) => return words(err),
            }
        }
        "the stream has ended".into()
    }

    /// Returns the time of the last read, in microseconds since 1970.
    pub(crate) fn read_at(&self) -> i64 {
        self.read_at.get()
    }
}

/// Requests a path on a new connection. Fails if there is no answer with status 200 within ten seconds.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Result<Bytes, String> {
    let answer = async { Http::connect(address, &Meter::default()).await?.get(path).await };
    timeout(GET_TIMEOUT, answer).await.unwrap_or_else(|_| Err("no answer in time".into()))
}

fn words(err: impl Display) -> String {
    err.to_string()
}
