//! One client: its connection, from which it reads events over its transport, and what it asks.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use tickcast_core::domain::{Clock, SystemClock};

use crate::event_stream::EventReader;
use crate::frame::{self, FrameError, FrameReader, Incoming};
use crate::handshake;
use crate::http::{Piece, ResponseReader};
use crate::intake::{Intake, Ledger};
use crate::tail::Tail;
use crate::target::Target;
use crate::transport::{Transport, subscribe};

/// The least room for a read, in bytes.
const READ_BYTES: usize = 256 << 10;
/// How often one client reads before the others have their turn.
const READS_PER_TURN_MAX: usize = 4;
/// The key of client frames; it needs to be no secret on loopback.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// What all clients of one transport have used the network for. Bytes are those of the TCP stream, headers and all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    /// HTTP requests, the one that opens a WebSocket among them.
    pub(crate) requests: u64,
    /// TCP connections.
    pub(crate) connections: u64,
    /// Bytes from the clients.
    pub(crate) bytes_up: u64,
    /// Bytes to the clients.
    pub(crate) bytes_down: u64,
}

impl Traffic {
    /// Returns what was added since an earlier look.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            requests: self.requests - earlier.requests,
            connections: self.connections - earlier.connections,
            bytes_up: self.bytes_up - earlier.bytes_up,
            bytes_down: self.bytes_down - earlier.bytes_down,
        }
    }
}

/// What the clients of one transport share.
#[derive(Debug)]
pub(crate) struct Group {
    /// How they get their events.
    pub(crate) transport: Transport,
    /// What has come.
    pub(crate) intake: Intake,
    /// What it has cost.
    pub(crate) traffic: Traffic,
}

#[derive(Debug)]
enum Reader {
    /// The answer to the handshake of a WebSocket, as far as it has come.
    Upgrade(Vec<u8>),
    Frames(FrameReader),
    Stream(ResponseReader, EventReader),
    /// Responses, and the body of the one that has begun.
    Polls(ResponseReader, Vec<u8>),
}

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    transport: Transport,
    reader: Reader,
    authority: String,
    symbols: String,
    cursor: String,
    outbound: Vec<u8>,
    /// Its subscription is answered, or its first poll.
    pub(crate) is_ready: bool,
    /// It waits for the answer to a poll.
    pub(crate) is_asking: bool,
    /// What it has received.
    pub(crate) ledger: Ledger,
}

impl Client {
    /// Returns how many events it has not got of those that there were at `tail`; `None` when it has not even every snapshot.
    pub(crate) fn lacks(&self, tail: &Tail) -> Option<u64> {
        self.ledger.lacks(&self.symbols, tail)
    }

    /// Takes note of the end: what there was at `tail` and has not come will not.
    pub(crate) fn finish(&self, tail: &Tail, intake: &mut Intake) {
        self.ledger.finish(&self.symbols, tail, intake);
    }

    /// Begins to connect, and to ask for these symbols (with commas between).
    ///
    /// # Errors
    ///
    /// Returns why the system refuses.
    pub(crate) fn connect(
        address: SocketAddr,
        symbols: String,
        (registry, token): (&Registry, Token),
        group: &mut Group,
    ) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        group.traffic.connections += 1;
        let reader = match group.transport {
            Transport::WebSocket => Reader::Upgrade(Vec::new()),
            Transport::EventStream => Reader::Stream(ResponseReader::default(), EventReader::default()),
            Transport::LongPoll | Transport::ShortPoll(_) => Reader::Polls(ResponseReader::default(), Vec::new()),
        };
        let mut client = Self {
            stream,
            transport: group.transport,
            reader,
            authority: address.to_string(),
            symbols,
            cursor: String::new(),
            outbound: Vec::new(),
            is_ready: false,
            is_asking: false,
            ledger: Ledger::default(),
        };
        // Goes out when the poll says that the connection is there.
        client.queue_request(group);
        Ok(client)
    }

    fn queue_request(&mut self, group: &mut Group) {
        let text = match self.transport {
            Transport::WebSocket => {
                let (address, path) = (([127, 0, 0, 1], 0).into(), "/ws".into());
                handshake::request(&Target { address, authority: self.authority.clone(), path }, None)
            }
            other => other.request(&self.authority, &self.symbols, &self.cursor),
        };
        self.outbound.extend_from_slice(text.as_bytes());
        self.is_asking = true;
        group.traffic.requests += 1;
    }

    /// Asks for what has come after the cursor.
    ///
    /// # Errors
    ///
    /// Returns why the connection is of no more use.
    pub(crate) fn ask(&mut self, group: &mut Group) -> Result<(), String> {
        self.queue_request(group);
        self.flush(group)
    }

    /// Writes what waits, as far as the socket takes it.
    ///
    /// # Errors
    ///
    /// Returns why the connection is of no more use.
    pub(crate) fn flush(&mut self, group: &mut Group) -> Result<(), String> {
        while !self.outbound.is_empty() {
            match self.stream.write(&self.outbound) {
                Ok(len) => {
                    self.outbound.drain(..len);
                    group.traffic.bytes_up += len as u64;
                }
                Err(err) if matches!(err.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) => break,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return Err(format!("cannot write: {err}")),
            }
        }
        Ok(())
    }

    /// Reads what there is; returns whether there may be more.
    ///
    /// # Errors
    ///
    /// Returns why the connection is of no more use.
    pub(crate) fn read(&mut self, buffer: &mut Vec<u8>, group: &mut Group) -> Result<bool, String> {
        for _ in 0..READS_PER_TURN_MAX {
            let start = match &self.reader {
                Reader::Frames(reader) => reader.restore(buffer, READ_BYTES),
                _ => 0,
            };
            buffer.resize(buffer.len().max(READ_BYTES), 0);
            match self.stream.read(&mut buffer[start..]) {
                Ok(0) => return Err("the server has closed the connection".into()),
                Ok(len) => {
                    group.traffic.bytes_down += len as u64;
                    self.take(&buffer[..start + len], SystemClock.now().micros(), group)?;
                    self.flush(group)?;
                }
                Err(err) if matches!(err.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) => {
                    return Ok(false);
                }
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return Err(format!("cannot read: {err}")),
            }
        }
        Ok(true)
    }

    fn take(&mut self, bytes: &[u8], now: i64, group: &mut Group) -> Result<(), String> {
        let (ledger, intake) = (&mut self.ledger, &mut group.intake);
        match &mut self.reader {
            Reader::Upgrade(answer) => {
                answer.extend_from_slice(bytes);
                let Some(end) = handshake::accept(answer)? else { return Ok(()) };
                let rest = answer.split_off(end);
                self.reader = Reader::Frames(FrameReader::default());
                self.is_asking = false;
                frame::append_frame(&mut self.outbound, frame::TEXT, subscribe(&self.symbols).as_bytes(), MASK);
                self.take(&rest, now, group)
            }
            Reader::Frames(reader) => {
                let (is_ready, outbound) = (&mut self.is_ready, &mut self.outbound);
                reader
                    .take(bytes, |incoming| {
                        match incoming {
                            Incoming::Message(text) => *is_ready |= ledger.take_text(text, now, intake).is_subscribed,
                            Incoming::Ping(payload) => frame::append_frame(outbound, frame::PONG, payload, MASK),
                            Incoming::Pong => {}
                            Incoming::Close(code) => return Err(Broken(format!("it was closed with {code}"))),
                        }
                        Ok(())
                    })
                    .map_err(|Broken(reason)| reason)
            }
            Reader::Stream(responses, events) => {
                let is_ready = &mut self.is_ready;
                responses.take(bytes, |piece| match piece {
                    Piece::Head(200) => Ok(()),
                    Piece::Head(status) => Err(format!("status {status}")),
                    Piece::Data(data) => {
                        events.take(data, |text| *is_ready |= ledger.take_text(text, now, intake).is_subscribed)
                    }
                    Piece::End => Err("the stream has ended".into()),
                })
            }
            Reader::Polls(responses, body) => {
                let mut cursor = None;
                responses.take(bytes, |piece| {
                    match piece {
                        Piece::Head(200) => body.clear(),
                        Piece::Head(status) => return Err(format!("status {status}")),
                        Piece::Data(data) => body.extend_from_slice(data),
                        Piece::End => {
                            cursor = ledger.take_text(body, now, intake).cursor;
                            return if cursor.is_some() { Ok(()) } else { Err("an answer without a cursor".into()) };
                        }
                    }
                    Ok(())
                })?;
                if let Some(cursor) = cursor {
                    self.cursor = cursor;
                    (self.is_ready, self.is_asking) = (true, false);
                    if self.transport == Transport::LongPoll {
                        self.queue_request(group);
                    }
                }
                Ok(())
            }
        }
    }
}

/// Why a WebSocket is of no more use.
struct Broken(String);

impl From<FrameError> for Broken {
    fn from(err: FrameError) -> Self {
        Self(format!("a broken frame: {err:?}"))
    }
}
