//! A client that sends any bytes on a TCP connection, invalid WebSocket included.

use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::patience::patiently;
use crate::secure::{Pair, SecureStream};

/// The first byte of a whole text frame.
pub(crate) const TEXT: u8 = 0x81;
/// The first byte of a whole binary frame.
pub(crate) const BINARY: u8 = 0x82;
/// The first byte of a close frame.
pub(crate) const CLOSE: u8 = 0x88;
/// The first byte of a ping frame.
pub(crate) const PING: u8 = 0x89;
/// The first byte of a pong frame.
pub(crate) const PONG: u8 = 0x8A;
/// The first bytes of a text in fragments: of the first, a middle, and the last one.
pub(crate) const FRAGMENTS: [u8; 3] = [0x01, 0x00, 0x80];

const MASK: [u8; 4] = [0x3A, 0x7F, 0x00, 0xC5];
/// Receive buffer of a client that jams on purpose, before the kernel doubles it and adds its own.
const JAMMED_BUFFER_BYTES: u32 = 2_048;

/// One connection, of TCP or of TLS over it.
pub(crate) struct RawClient<S = TcpStream> {
    pub(crate) stream: S,
    received: BytesMut,
    /// Bytes written to the connection.
    pub(crate) bytes_up: u64,
    /// Bytes read from the connection.
    pub(crate) bytes_down: u64,
}

/// A frame from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// FIN, reserved bits and opcode.
    pub(crate) first_byte: u8,
    pub(crate) payload: Vec<u8>,
}

/// An HTTP response.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line and headers, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl RawClient {
    /// Connects and sends nothing.
    pub(crate) async fn connect(server: SocketAddr) -> Self {
        Self::on(TcpStream::connect(server).await.unwrap())
    }

    /// Connects from this address of the loopback network and sends nothing.
    pub(crate) async fn connect_from(address: &str, server: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        Self::on(patiently("a connection", socket.connect(server)).await.unwrap())
    }

    /// Connects with a small receive buffer and opens a WebSocket: a client that jams if it does not read.
    pub(crate) async fn open_narrow(server: SocketAddr) -> Self {
        let mut client = Self::connect_narrow(server).await;
        client.upgrade().await;
        client
    }

    /// The same with this value of `Authorization`.
    pub(crate) async fn open_narrow_as(server: SocketAddr, authorization: &str) -> Self {
        let mut client = Self::connect_narrow(server).await;
        let answer = client.request(&handshake(&[("Authorization", Some(authorization))])).await;
        assert_eq!(answer.status, 101, "{answer:?}");
        client
    }

    /// Connects with a small receive buffer and sends nothing.
    pub(crate) async fn connect_narrow(server: SocketAddr) -> Self {
        Self::on(connect_narrow(server).await)
    }

    /// Connects and opens a WebSocket.
    pub(crate) async fn open(server: SocketAddr) -> Self {
        let mut client = Self::connect(server).await;
        client.upgrade().await;
        client
    }
}

/// Connects with a small receive buffer.
async fn connect_narrow(server: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(JAMMED_BUFFER_BYTES).unwrap();
    socket.connect(server).await.unwrap()
}

impl RawClient<SecureStream> {
    /// Connects with TLS and sends nothing.
    pub(crate) async fn connect_secure(server: SocketAddr, pair: &Pair) -> Self {
        Self::on(pair.connect(server).await)
    }

    /// Connects with TLS and a small receive buffer.
    pub(crate) async fn connect_narrow_secure(server: SocketAddr, pair: &Pair) -> Self {
        Self::on(pair.try_connect(connect_narrow(server).await, rustls::ALL_VERSIONS, &[]).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> RawClient<S> {
    /// Returns a client on this connection.
    pub(crate) fn on(stream: S) -> Self {
        Self { stream, received: BytesMut::new(), bytes_up: 0, bytes_down: 0 }
    }

    pub(crate) async fn upgrade(&mut self) {
        let answer = self.request(&handshake(&[])).await;
        assert_eq!(answer.status, 101, "{answer:?}");
        // Key and answer are those of RFC 6455 section 1.3.
        assert!(answer.head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer:?}");
    }

    /// Sends bytes. The server may have closed the connection already.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = patiently("the server to take bytes", self.stream.write_all(bytes)).await;
        let _ = patiently("the server to take bytes", self.stream.flush()).await;
        self.bytes_up += bytes.len() as u64;
    }

    /// Sends a masked frame.
    pub(crate) async fn send_frame(&mut self, first_byte: u8, payload: &[u8]) {
        self.send(&frame(first_byte, payload)).await;
    }

    /// Sends a request; returns the answer.
    pub(crate) async fn request(&mut self, request: &str) -> Answer {
        self.send(request.as_bytes()).await;
        self.answer().await
    }

    /// Reads the answer to a request that has been sent.
    pub(crate) async fn answer(&mut self) -> Answer {
        let end = loop {
            if let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(self.receive().await, "an answer before the end; got {:?}", self.received);
        };
        let head = String::from_utf8(self.received.split_to(end).to_vec()).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        while self.received.len() < length {
            assert!(self.receive().await, "the whole body");
        }
        let body = String::from_utf8(self.received.split_to(length).to_vec()).unwrap();
        Answer { status, head, body }
    }

    /// Returns the next bytes, at least one.
    pub(crate) async fn next_bytes(&mut self) -> Vec<u8> {
        assert!(!self.received.is_empty() || self.receive().await, "bytes before the end");
        self.received.split().to_vec()
    }

    /// Returns the next bytes, none at the end of the connection.
    pub(crate) async fn next_bytes_or_end(&mut self) -> Vec<u8> {
        let _ = !self.received.is_empty() || self.receive().await;
        self.received.split().to_vec()
    }

    /// Returns the next chunk of a body in chunked transfer coding (RFC 9112 section 7.1).
    pub(crate) async fn next_chunk(&mut self) -> Vec<u8> {
        loop {
            if let Some(end) = self.received.windows(2).position(|window| window == b"\r\n") {
                let length = std::str::from_utf8(&self.received[..end]).unwrap();
                let length = usize::from_str_radix(length, 16).unwrap();
                if self.received.len() >= end + 2 + length + 2 {
                    self.received.advance(end + 2);
                    let chunk = self.received.split_to(length).to_vec();
                    self.received.advance(2);
                    return chunk;
                }
            }
            assert!(self.receive().await, "the body goes on");
        }
    }

    /// Reads some bytes; returns false if the server has closed or reset the connection.
    async fn receive(&mut self) -> bool {
        let read = patiently("bytes from the server", self.stream.read_buf(&mut self.received)).await;
        self.bytes_down += *read.as_ref().unwrap_or(&0) as u64;
        !matches!(read, Ok(0) | Err(_))
    }

    /// Returns the next frame, `None` at the end of the connection.
    pub(crate) async fn next_frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((header, length)) = frame_length(&self.received)
                && self.received.len() >= header + length
            {
                let first_byte = self.received[0];
                self.received.advance(header);
                return Some(Frame { first_byte, payload: self.received.split_to(length).to_vec() });
            }
            if !self.receive().await {
                return None;
            }
        }
    }

    /// Returns the payload of the next frame with this first byte, skipping others.
    pub(crate) async fn next_of(&mut self, first_byte: u8) -> Vec<u8> {
        loop {
            let frame = self.next_frame().await.expect("the connection lives");
            if frame.first_byte == first_byte {
                return frame.payload;
            }
        }
    }

    /// Reads to the end of the connection; returns code and reason of the server's close frame, which must be its last
    /// frame. Ends its own side after it, as every client does: the server waits for that.
    pub(crate) async fn close_frame(&mut self) -> Option<(u16, String)> {
        let mut close: Option<Frame> = None;
        while let Some(frame) = self.next_frame().await {
            assert!(close.is_none(), "{frame:?} after {close:?}");
            close = (frame.first_byte == CLOSE).then_some(frame);
            if close.is_some() {
                // Fails if the server has ended the connection already.
                let _ = self.stream.shutdown().await;
            }
        }
        close.map(|Frame { payload, .. }| {
            let (code, reason) = payload.split_first_chunk().expect("the server always gives a code");
            (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).unwrap())
        })
    }

    /// Returns all bytes up to the end of the connection.
    pub(crate) async fn rest(&mut self) -> String {
        while self.receive().await {}
        String::from_utf8(self.received.split().to_vec()).unwrap()
    }

    /// Shuts down the sending side and continues to read.
    pub(crate) async fn finish_sending(&mut self) {
        patiently("the end of what is sent", self.stream.shutdown()).await.unwrap();
    }

    /// Shuts down the sending side and drops the connection.
    pub(crate) async fn hang_up(mut self) {
        let _ = self.stream.shutdown().await;
    }
}

/// Returns the request of a valid handshake with `changes`: another value of a header, no such header, or an additional
/// one.
pub(crate) fn handshake(changes: &[(&str, Option<&str>)]) -> String {
    let mut headers = vec![
        ("Host", "localhost"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ];
    for (name, value) in changes {
        headers.retain(|(header, _)| header != name);
        headers.extend(value.map(|value| (*name, value)));
    }
    let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("GET /ws HTTP/1.1\r\n{}\r\n", lines.concat())
}

/// Returns a masked frame.
pub(crate) fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first_byte];
    match payload.len() {
        len @ ..126 => bytes.push(0x80 | u8::try_from(len).unwrap()),
        len @ ..65_536 => {
            bytes.push(0x80 | 0x7E);
            bytes.extend_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 0x7F);
            bytes.extend_from_slice(&u64::try_from(len).unwrap().to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Returns the lengths of header and payload of the server's frame at the start of `bytes`, if they are complete.
fn frame_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let length = *bytes.get(1)?;
    assert!(length < 0x80, "a server does not mask");
    match length {
        126 => Some((4, u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()).into())),
        127 => Some((10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap())).unwrap())),
        length => Some((2, length.into())),
    }
}
