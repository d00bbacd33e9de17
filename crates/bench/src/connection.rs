//! The client of both tools: one TCP connection, spoken over as a WebSocket or in HTTP requests. Everything runs on one thread;
//! all connections of one kind read into one buffer, one after the other.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

use tickcast_core::domain::{Clock, SystemClock};
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::TcpSocket;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::frame::{Control, FrameError, FrameReader, Incoming, OpCode, client_frame};
use crate::http::{Piece, ResponseReader, accept_upgrade, get_request, upgrade_request};
use crate::target::Target;
use crate::traffic::Traffic;

/// The least room in the read buffer for each read.
const READ_BYTES: usize = 256 << 10;
/// The most room that a connection keeps for what is not complete while nothing waits.
const KEPT_BYTES_MAX: usize = 64 << 10;
/// How long a server may take to connect, and to answer one request.
const GET_TIMEOUT: Duration = Duration::from_secs(10);
/// The time between two looks whether a connection that is not read is still there.
const GONE_INTERVAL: Duration = Duration::from_millis(50);

/// What connections share: the buffer that they read into, and the sum of what they use.
#[derive(Debug, Default)]
pub struct Desk {
    buffer: RefCell<Vec<u8>>,
    traffic: Cell<Traffic>,
}

impl Desk {
    /// Returns what all connections together have used.
    pub fn traffic(&self) -> Traffic {
        self.traffic.get()
    }

    fn count(&self, count: impl FnOnce(&mut Traffic)) {
        let mut traffic = self.traffic.get();
        count(&mut traffic);
        self.traffic.set(traffic);
    }
}

/// The sending side of a connection. What the socket does not take at once is sent before the next read.
#[derive(Debug)]
pub struct Sender {
    half: OwnedWriteHalf,
    waiting: RefCell<Vec<u8>>,
    desk: Rc<Desk>,
}

impl Sender {
    /// Sends bytes.
    ///
    /// # Errors
    ///
    /// Returns why the connection is of no more use.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut waiting = self.waiting.borrow_mut();
        waiting.extend_from_slice(bytes);
        while !waiting.is_empty() {
            match self.half.try_write(&waiting) {
                Ok(len) => {
                    waiting.drain(..len);
                    self.desk.count(|traffic| traffic.bytes_up += len as u64);
                }
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(err) => return Err(err),
            }
        }
        // What a client says is rare: thousands of them need not keep room for it.
        *waiting = Vec::new();
        Ok(())
    }

    /// Sends a request.
    ///
    /// # Errors
    ///
    /// Returns why the connection is of no more use.
    pub fn request(&self, text: &str) -> io::Result<()> {
        self.desk.count(|traffic| traffic.requests += 1);
        self.send(text.as_bytes())
    }

    /// Sends a frame of a WebSocket.
    ///
    /// # Errors
    ///
    /// Returns why the connection is of no more use.
    pub fn frame(&self, opcode: OpCode, payload: &[u8]) -> io::Result<()> {
        self.send(&client_frame(opcode, payload))
    }
}

/// A TCP connection.
#[derive(Debug)]
pub struct Connection {
    half: OwnedReadHalf,
    sender: Rc<Sender>,
    desk: Rc<Desk>,
    /// What has been read and was not taken.
    kept: Vec<u8>,
    /// Whether that is to be looked at before more is read.
    is_unseen: bool,
}

impl Connection {
    /// Connects, from the source address if one is given.
    ///
    /// # Errors
    ///
    /// Returns why that fails.
    pub async fn dial(address: SocketAddr, source: Option<IpAddr>, desk: &Rc<Desk>) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_nodelay(true)?;
        if let Some(source) = source {
            socket.bind((source, 0).into())?;
        }
        let (half, sending) = socket.connect(address).await?.into_split();
        desk.count(|traffic| traffic.connections += 1);
        let sender = Sender { half: sending, waiting: RefCell::default(), desk: Rc::clone(desk) };
        Ok(Self { half, sender: Rc::new(sender), desk: Rc::clone(desk), kept: Vec::new(), is_unseen: false })
    }

    /// Returns its sending side.
    pub fn sender(&self) -> &Rc<Sender> {
        &self.sender
    }

    /// Waits for bytes and hands them to `take`, behind those that it has not taken before, with the time of the read in
    /// microseconds since 1970. It returns how many it takes. May be dropped while it waits.
    ///
    /// # Errors
    ///
    /// Returns why there will be no more, or what `take` returned.
    pub async fn read<E: From<io::Error>>(
        &mut self,
        take: impl FnOnce(&[u8], i64) -> Result<usize, E>,
    ) -> Result<(), E> {
        while !self.sender.waiting.borrow().is_empty() {
            self.sender.half.writable().await?;
            self.sender.send(b"")?;
        }
        let Self { half, desk, kept, is_unseen, .. } = self;
        let is_unseen = std::mem::take(is_unseen);
        let len = poll_fn(|cx| {
            let mut buffer = desk.buffer.borrow_mut();
            let len = buffer.len().max(kept.len() + READ_BYTES);
            buffer.resize(len, 0);
            if is_unseen {
                return Poll::Ready(Ok(0));
            }
            let mut room = ReadBuf::new(&mut buffer[kept.len()..]);
            ready!(Pin::new(&mut *half).poll_read(cx, &mut room))?;
            Poll::Ready(Ok::<_, io::Error>(room.filled().len()))
        })
        .await?;
        if len == 0 && !is_unseen {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let now = SystemClock.now().micros();
        desk.count(|traffic| {
            traffic.reads += u64::from(!is_unseen);
            traffic.bytes_down += len as u64;
        });
        let is_full = {
            let buffer = &mut *desk.buffer.borrow_mut();
            buffer[..kept.len()].copy_from_slice(kept);
            let bytes = &buffer[..kept.len() + len];
            let taken = take(bytes, now)?;
            kept.clear();
            kept.extend_from_slice(&bytes[taken..]);
            len > 0 && bytes.len() == buffer.len()
        };
        if kept.is_empty() {
            kept.shrink_to(KEPT_BYTES_MAX);
        }
        if is_full {
            // There is more; the others have their turn first.
            yield_now().await;
        }
        Ok(())
    }

    /// Waits until the other side has ended the connection, without reading.
    ///
    /// # Errors
    ///
    /// Returns what the system says of the socket.
    pub async fn gone(&self) -> io::Result<()> {
        loop {
            let ready = self.half.ready(Interest::READABLE | Interest::ERROR).await?;
            if ready.is_read_closed() || ready.is_error() {
                return Ok(());
            }
            // What was sent and is not read keeps it ready.
            sleep(GONE_INTERVAL).await;
        }
    }
}

/// Why a WebSocket is of no more use.
#[derive(Debug)]
pub enum Ended {
    /// The connection was lost.
    Lost(io::Error),
    /// The server has closed it, with this code.
    Closed(u16),
    /// What the server sends cannot be understood.
    Broken(FrameError),
}

impl From<io::Error> for Ended {
    fn from(err: io::Error) -> Self {
        Self::Lost(err)
    }
}

impl From<FrameError> for Ended {
    fn from(err: FrameError) -> Self {
        Self::Broken(err)
    }
}

/// Why a connection is of no more use, in words.
struct Failed(String);

impl From<io::Error> for Failed {
    fn from(err: io::Error) -> Self {
        Self(match err.kind() {
            io::ErrorKind::UnexpectedEof => "the server has closed the connection".into(),
            _ => err.to_string(),
        })
    }
}

/// An open WebSocket.
#[derive(Debug)]
pub struct WebSocket {
    connection: Connection,
    frames: FrameReader,
}

impl WebSocket {
    /// Opens one over a connection.
    ///
    /// # Errors
    ///
    /// Returns why the server opens none, in a few words that do not change from connection to connection.
    pub async fn open(mut connection: Connection, target: &Target, subprotocol: Option<&str>) -> Result<Self, String> {
        connection.sender.request(&upgrade_request(target, subprotocol)).map_err(|err| Failed::from(err).0)?;
        let mut is_open = false;
        while !is_open {
            let take = |bytes: &[u8], _| {
                let head = accept_upgrade(bytes).map_err(Failed)?;
                is_open = head.is_some();
                Ok(head.unwrap_or(0))
            };
            connection.read(take).await.map_err(|Failed(reason)| reason)?;
        }
        // The first frames can come with the answer.
        connection.is_unseen = !connection.kept.is_empty();
        Ok(Self { connection, frames: FrameReader::default() })
    }

    /// Returns the connection below it.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Waits for bytes and hands each whole message to `sink`, with the time of the read in microseconds since 1970. Answers
    /// pings. May be dropped while it waits.
    ///
    /// # Errors
    ///
    /// Returns why there will be no more.
    pub async fn receive(&mut self, mut sink: impl FnMut(&[u8], i64)) -> Result<(), Ended> {
        let Self { connection, frames } = self;
        let (sender, desk) = (Rc::clone(&connection.sender), Rc::clone(&connection.desk));
        let take = |bytes: &[u8], now| {
            let taken = frames.take(bytes, |incoming| {
                match incoming {
                    Incoming::Message(text) => sink(text, now),
                    Incoming::Ping(payload) => sender.frame(OpCode::Control(Control::Pong), payload)?,
                    Incoming::Pong => {}
                    Incoming::Close(code) => return Err(Ended::Closed(code)),
                }
                Ok(())
            });
            desk.count(|traffic| traffic.frames += std::mem::take(&mut frames.frames));
            taken
        };
        connection.read(take).await
    }
}

/// A connection for HTTP requests.
#[derive(Debug)]
pub struct Http {
    connection: Connection,
    responses: ResponseReader,
}

impl Http {
    /// Returns one over a connection.
    pub fn new(connection: Connection) -> Self {
        Self { connection, responses: ResponseReader::default() }
    }

    /// Sends a request.
    ///
    /// # Errors
    ///
    /// Returns why the connection is of no more use.
    pub fn ask(&self, request: &str) -> Result<(), String> {
        self.connection.sender.request(request).map_err(|err| format!("cannot write: {err}"))
    }

    /// Waits for bytes and hands the body of the answer to `sink` as it comes, with the time of the read in microseconds since
    /// 1970; its end is `None`.
    ///
    /// # Errors
    ///
    /// Returns why there will be no more, which a status other than 200 is too, or what `sink` returned.
    pub async fn receive(
        &mut self,
        mut sink: impl FnMut(Option<&[u8]>, i64) -> Result<(), String>,
    ) -> Result<(), String> {
        let Self { connection, responses } = self;
        let take = |bytes: &[u8], now| {
            let taken = responses.take(bytes, |piece| match piece {
                Piece::Head(200) => Ok(()),
                Piece::Head(status) => Err(format!("status {status}")),
                Piece::Data(data) => sink(Some(data), now),
                Piece::End => sink(None, now),
            });
            taken.map_err(Failed)
        };
        connection.read(take).await.map_err(|Failed(reason)| reason)
    }

    /// Waits for the whole body of the answer; returns the time of its last read, in microseconds since 1970.
    ///
    /// # Errors
    ///
    /// Returns why it does not come.
    pub async fn body(&mut self, body: &mut Vec<u8>) -> Result<i64, String> {
        body.clear();
        let mut read_at = None;
        while read_at.is_none() {
            let take = |data: Option<&[u8]>, now| {
                match data {
                    Some(data) => body.extend_from_slice(data),
                    None => read_at = Some(now),
                }
                Ok(())
            };
            self.receive(take).await?;
        }
        Ok(read_at.unwrap_or_default())
    }
}

/// Asks the server at this address for a path, on a connection of its own.
///
/// # Errors
///
/// Returns why there is no answer with status 200.
pub async fn get(address: SocketAddr, path: &str) -> Result<Vec<u8>, String> {
    let ask = async {
        let connection = Connection::dial(address, None, &Rc::default()).await.map_err(|err| err.to_string())?;
        let (mut http, mut body) = (Http::new(connection), Vec::new());
        http.ask(&get_request(&address.to_string(), path, "application/json"))?;
        http.body(&mut body).await.map(|_| body)
    };
    timeout(GET_TIMEOUT, ask).await.unwrap_or_else(|_| Err("no answer in time".into()))
}
