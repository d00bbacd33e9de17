//! One socket of the floor: bytes in until a handshake and then frames, one text frame out that grows until it is sent.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::handshake;

/// Room for the header of a text frame, enough for 65,535 bytes.
const HEADER: usize = 4;
/// The most bytes of an incomplete request or frame; a client over the limit is closed.
const INBOX_MAX: usize = 256 * 1024;
/// A frame of this size is sent before the end of its window.
const FRAME_MAX: usize = 60_000;

/// One connection.
pub(crate) struct Client {
    socket: OwnedFd,
    inbox: Vec<u8>,
    /// Whether the handshake is complete.
    open: bool,
    /// The next frame: space for its header, then its payload without the last bracket.
    frame: Vec<u8>,
    /// Bytes that the socket did not accept.
    rest: Vec<u8>,
    /// Whether the last write was less than a window ago.
    pub(crate) window: bool,
}

impl Client {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self { socket, inbox: Vec::new(), open: false, frame: Vec::new(), rest: Vec::new(), window: false }
    }

    /// Adds a message; returns whether it is the first unsent one.
    pub(crate) fn push(&mut self, message: &[u8]) -> bool {
        if self.frame.len() > FRAME_MAX {
            self.send();
        }
        let first = self.frame.is_empty();
        if first {
            self.frame.extend_from_slice(&[0, 0, 0, 0, b'[']);
        } else {
            self.frame.push(b',');
        }
        self.frame.extend_from_slice(message);
        first
    }

    /// Returns whether there is an unsent message.
    pub(crate) fn has_news(&self) -> bool {
        !self.frame.is_empty()
    }

    /// Sends all unsent messages as one frame; returns false if the connection is lost.
    pub(crate) fn send(&mut self) -> bool {
        if !self.rest.is_empty() || self.frame.is_empty() {
            return true;
        }
        self.frame.push(b']');
        let payload = self.frame.len() - HEADER;
        let start = match u16::try_from(payload) {
            Ok(len) if len < 126 => {
                self.frame[2..HEADER].copy_from_slice(&[0x81, len.to_be_bytes()[1]]);
                2
            }
            Ok(len) => {
                self.frame[..2].copy_from_slice(&[0x81, 126]);
                self.frame[2..HEADER].copy_from_slice(&len.to_be_bytes());
                0
            }
            // Too far behind: the connection is closed.
            Err(_) => return false,
        };
        let alive = match send(&self.socket, &self.frame[start..], SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(sent) => {
                self.rest.extend_from_slice(&self.frame[start + sent..]);
                true
            }
            Err(Errno::AGAIN) => {
                self.rest.extend_from_slice(&self.frame[start..]);
                true
            }
            Err(_) => false,
        };
        self.frame.clear();
        alive
    }

    /// Sends the remaining bytes; returns false if the connection is lost.
    pub(crate) fn on_writable(&mut self) -> bool {
        while !self.rest.is_empty() {
            match send(&self.socket, &self.rest, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(sent) => drop(self.rest.drain(..sent)),
                Err(Errno::AGAIN) => return true,
                Err(_) => return false,
            }
        }
        // Messages were added to the frame while bytes remained; no later step sends them.
        !self.has_news() || self.window || self.send()
    }

    /// Reads all available bytes and calls `each` with every message; returns false if the connection is lost.
    pub(crate) fn on_readable(&mut self, mut each: impl FnMut(&[u8])) -> bool {
        let mut chunk = [0; 16 * 1024];
        loop {
            match recv(&self.socket, &mut chunk, RecvFlags::DONTWAIT) {
                Ok((0, _)) => return false,
                Ok((len, _)) => self.inbox.extend_from_slice(&chunk[..len]),
                Err(Errno::AGAIN) => break,
                Err(_) => return false,
            }
            if self.inbox.len() > INBOX_MAX {
                return false;
            }
        }
        if !self.open {
            let Some((answer, len)) = handshake::answer(&self.inbox) else { return true };
            self.inbox.drain(..len);
            self.open = true;
            if send(&self.socket, answer.as_bytes(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT) != Ok(answer.len()) {
                return false;
            }
        }
        while let Some((opcode, payload, len)) = read_frame(&self.inbox) {
            match opcode {
                1 => each(&payload),
                8 => return false,
                _ => {}
            }
            self.inbox.drain(..len);
        }
        if self.inbox.is_empty() {
            self.inbox = Vec::new();
        }
        true
    }
}

/// Returns opcode, payload and length of the first frame; `None` if it is incomplete.
fn read_frame(bytes: &[u8]) -> Option<(u8, Vec<u8>, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (len, at) = match second & 0x7f {
        126 => (u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?).into(), 4),
        127 => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10),
        len => (usize::from(len), 2),
    };
    let mask = bytes.get(at..at + 4)?;
    let payload = bytes.get(at + 4..(at + 4).checked_add(len)?)?;
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    Some((first & 0x0f, payload, at + 4 + len))
}
