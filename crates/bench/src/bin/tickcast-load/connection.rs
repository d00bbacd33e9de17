//! One connection: the socket of one session from `connect` to its end. Moves bytes between the socket and the session;
//! what they mean is `session`'s business.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};
use tickcast_core::domain::{Clock, SystemClock};

use crate::frame::FrameReader;
use crate::handshake;
use crate::session::{Reception, Session, SessionEnd};

/// The least room in the read buffer for each read.
const READ_BYTES: usize = 256 << 10;
/// How often one connection reads before the others have their turn.
const READS_PER_TURN_MAX: usize = 4;
/// `EINPROGRESS` of Linux on every architecture but MIPS and SPARC; std has no name for it.
const EINPROGRESS: i32 = 115;

/// What a session is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It subscribes and is measured.
    Active,
    /// It subscribes to nothing.
    Idle,
    /// It subscribes to everything and never reads.
    Stalled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    Upgrading,
    Open,
    Ended,
}

/// Why a connection is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionEnd {
    /// It never became a session.
    Failed(String),
    /// The session ended with this close code; 1006 without one.
    Closed(u16),
}

/// What the poll says of a socket.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Readiness {
    /// There may be something to read.
    pub(crate) readable: bool,
    /// There is room to write.
    pub(crate) writable: bool,
    /// The other side sends no more, or the connection is broken.
    pub(crate) closed: bool,
}

/// What all connections of one run use in turn.
#[derive(Debug)]
pub(crate) struct Desk {
    /// Where bytes are read to and frames are read from.
    buffer: Vec<u8>,
    /// The request of the opening handshake.
    request: Vec<u8>,
    /// What was received.
    pub(crate) reception: Reception,
}

impl Desk {
    /// Returns a desk for sessions that open with this request.
    pub(crate) fn new(request: String, reception: Reception) -> Self {
        Self { buffer: Vec::new(), request: request.into_bytes(), reception }
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Option<TcpStream>,
    role: Role,
    stage: Stage,
    started: Instant,
    reader: FrameReader,
    session: Session,
}

impl Connection {
    /// Begins to connect, from the source address if one is given.
    ///
    /// # Errors
    ///
    /// Returns why the system refuses at once.
    pub(crate) fn dial(
        address: SocketAddr,
        source: Option<IpAddr>,
        (registry, token): (&Registry, Token),
        (role, session): (Role, Session),
    ) -> io::Result<Self> {
        let started = Instant::now();
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if let Some(source) = source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        match socket.connect(&address.into()) {
            // When it is in progress, the poll tells when it is done.
            Err(err) if err.raw_os_error() != Some(EINPROGRESS) => return Err(err),
            _ => {}
        }
        let mut stream = TcpStream::from_std(socket.into());
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        let stage = Stage::Connecting;
        Ok(Self { stream: Some(stream), role, stage, started, reader: FrameReader::default(), session })
    }

    /// Returns what it is there for.
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Returns its session.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Returns its session, to say something with [`flush`](Self::flush).
    pub(crate) fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Returns whether the session is open.
    pub(crate) fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// Returns for how long it has been trying to open, or `None` when it is open or over.
    pub(crate) fn opening_for(&self, now: Instant) -> Option<Duration> {
        matches!(self.stage, Stage::Connecting | Stage::Upgrading).then(|| now - self.started)
    }

    /// Closes the socket. The session keeps what it knows.
    pub(crate) fn end(&mut self) {
        self.stream = None;
        self.stage = Stage::Ended;
        self.reader = FrameReader::default();
    }

    /// Does what the socket is ready for; returns whether there may be more to read.
    ///
    /// # Errors
    ///
    /// Returns why the connection is over. [`end`](Self::end) it then.
    pub(crate) fn advance(&mut self, ready: Readiness, desk: &mut Desk) -> Result<bool, ConnectionEnd> {
        if self.stage == Stage::Connecting {
            self.finish_connect(ready, desk)?;
        }
        if ready.writable {
            self.flush()?;
        }
        match (self.role, self.stage) {
            (Role::Stalled, Stage::Open) if ready.closed => Err(ConnectionEnd::Closed(1006)),
            (Role::Stalled, Stage::Open) | (_, Stage::Connecting | Stage::Ended) => Ok(false),
            _ if ready.readable || ready.closed => self.read(ready.closed, desk),
            _ => Ok(false),
        }
    }

    fn finish_connect(&mut self, ready: Readiness, desk: &Desk) -> Result<(), ConnectionEnd> {
        let Some(stream) = &self.stream else { return Ok(()) };
        let failed = |err: io::Error| ConnectionEnd::Failed(err.kind().to_string());
        if let Some(err) = stream.take_error().map_err(failed)? {
            return Err(failed(err));
        }
        if ready.writable {
            self.stage = Stage::Upgrading;
            self.session.outbound.extend_from_slice(&desk.request);
        }
        Ok(())
    }

    /// Writes what waits, as far as the socket takes it.
    ///
    /// # Errors
    ///
    /// Returns why the connection is over.
    pub(crate) fn flush(&mut self) -> Result<(), ConnectionEnd> {
        while !self.session.outbound.is_empty() {
            let Some(stream) = &mut self.stream else { return Ok(()) };
            match stream.write(&self.session.outbound) {
                Ok(len) => drop(self.session.outbound.drain(..len)),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return Err(self.lost(&err)),
            }
        }
        // What a client says is rare: thousands of them need not keep room for it.
        self.session.outbound = Vec::new();
        Ok(())
    }

    fn read(&mut self, until_end: bool, desk: &mut Desk) -> Result<bool, ConnectionEnd> {
        for _ in 0..READS_PER_TURN_MAX {
            let Some(stream) = &mut self.stream else { return Ok(false) };
            let kept = self.reader.restore(&mut desk.buffer, READ_BYTES);
            let len = match stream.read(&mut desk.buffer[kept..]) {
                Ok(0) => return Err(self.lost(&io::ErrorKind::UnexpectedEof.into())),
                Ok(len) => kept + len,
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
                Err(err) => return Err(self.lost(&err)),
            };
            let now = SystemClock.now().micros();
            let is_full = len == desk.buffer.len();
            self.take(kept, len, now, desk)?;
            // A stream that gives less than there is room for is empty; the poll tells when it is not (epoll(7)).
            if !is_full && !until_end {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn take(&mut self, kept: usize, len: usize, now: i64, desk: &mut Desk) -> Result<(), ConnectionEnd> {
        let Desk { buffer, reception, .. } = desk;
        let mut bytes = &buffer[..len];
        if self.stage == Stage::Upgrading {
            let Some(head) = handshake::accept(bytes).map_err(ConnectionEnd::Failed)? else {
                self.reader.keep(bytes);
                return Ok(());
            };
            bytes = &bytes[head..];
            self.open(reception);
            if self.role == Role::Stalled {
                return self.flush();
            }
        } else {
            reception.tally.counters.reads += 1;
        }
        reception.tally.counters.bytes += bytes.len().min(len - kept) as u64;
        let Self { reader, session, .. } = self;
        let taken = reader.take(bytes, |incoming| session.receive(incoming, now, reception));
        reception.tally.counters.frames += reader.take_frame_count();
        match taken {
            Ok(()) => self.flush(),
            Err(SessionEnd::Closed(code)) => Err(ConnectionEnd::Closed(code)),
            Err(SessionEnd::Broken(_)) => Err(ConnectionEnd::Closed(1002)),
        }
    }

    fn open(&mut self, reception: &mut Reception) {
        self.stage = Stage::Open;
        reception.tally.take_connect(self.started.elapsed());
        self.session.subscribe();
    }

    fn lost(&self, err: &io::Error) -> ConnectionEnd {
        match self.stage {
            Stage::Connecting | Stage::Upgrading => ConnectionEnd::Failed(err.kind().to_string()),
            Stage::Open | Stage::Ended => ConnectionEnd::Closed(1006),
        }
    }
}
