//! The end of a stream: what the server itself says is the newest event of each symbol, asked over REST after the window.
//! With it a loss at the very end is seen, which leaves no hole behind it.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;

use serde::Deserialize;

use crate::http::{Piece, ResponseReader};
use crate::scan::{Object, scan};

/// How long the server may take to connect, and to each part of its answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of one read.
const READ_BYTES: usize = 64 << 10;

/// How far the stream had come at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail {
    /// The time stamp of the newest event of the whole market, in microseconds since 1970.
    pub(crate) newest: i64,
    seqs: HashMap<Box<[u8]>, u64>,
}

#[derive(Deserialize)]
struct Snapshot {
    seq: Numbers,
}

#[derive(Deserialize)]
struct Numbers {
    trades: u64,
}

/// Returns the number of the newest trade that a `snapshot` message names.
pub(crate) fn seq_of_snapshot(object: &Object<'_>) -> Option<u64> {
    serde_json::from_slice::<Snapshot>(object.raw).ok().map(|snapshot| snapshot.seq.trades)
}

impl Tail {
    /// Returns the number of the newest trade of this symbol.
    pub(crate) fn seq(&self, symbol: &str) -> Option<u64> {
        self.seqs.get(symbol.as_bytes()).copied()
    }

    /// Reads the answer of `/api/v1/snapshot`.
    fn parse(body: &[u8]) -> Result<Self, String> {
        let mut tail = Self::default();
        let mut is_whole = true;
        let scanned = scan(body, b"ts", &mut |object| {
            if object.kind == b"snapshot" {
                match (object.ts, seq_of_snapshot(object)) {
                    (Some(ts), Some(seq)) => {
                        tail.newest = tail.newest.max(ts);
                        tail.seqs.insert(object.symbol.into(), seq);
                    }
                    _ => is_whole = false,
                }
            }
        });
        if scanned.is_ok() && is_whole && !tail.seqs.is_empty() {
            Ok(tail)
        } else {
            Err("snapshots that make no sense".into())
        }
    }

    /// Asks a server for the snapshots of all symbols, all at one position of the stream.
    fn ask(address: SocketAddr) -> Result<Self, String> {
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).map_err(|err| err.to_string())?;
        stream.set_read_timeout(Some(TIMEOUT)).map_err(|err| err.to_string())?;
        let request = format!("GET /api/v1/snapshot HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).map_err(|err| err.to_string())?;
        let (mut reader, mut body, mut is_complete) = (ResponseReader::default(), Vec::new(), false);
        let mut chunk = vec![0; READ_BYTES];
        while !is_complete {
            let len = stream.read(&mut chunk).map_err(|err| err.to_string())?;
            if len == 0 {
                return Err("the server has closed the connection".into());
            }
            reader.take(&chunk[..len], |piece| {
                match piece {
                    Piece::Head(200) => {}
                    Piece::Head(status) => return Err(format!("status {status}")),
                    Piece::Data(data) => body.extend_from_slice(data),
                    Piece::End => is_complete = true,
                }
                Ok(())
            })?;
        }
        Self::parse(&body)
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, u64); N]> for Tail {
    fn from(seqs: [(&str, u64); N]) -> Self {
        let seqs = seqs.into_iter().map(|(symbol, seq)| (symbol.as_bytes().into(), seq));
        Self { newest: 0, seqs: seqs.collect() }
    }
}

/// A question on its way, on a thread of its own: the clients are served meanwhile.
#[derive(Debug)]
pub(crate) struct Asking(Receiver<Result<Tail, String>>);

impl Asking {
    /// Begins to ask the server at this address.
    pub(crate) fn begin(address: SocketAddr) -> Self {
        let (sender, receiver) = sync_channel(1);
        // Nobody waits for the answer any more when the run has failed meanwhile.
        std::thread::spawn(move || sender.send(Tail::ask(address)));
        Self(receiver)
    }

    /// Returns the answer, once it is there.
    pub(crate) fn answer(&self) -> Option<Result<Tail, String>> {
        match self.0.try_recv() {
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err("nobody asked".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_numbers_of_all_symbols_and_the_newest_time_are_read() {
        let body = br#"{"epoch":"e","offset":9,"snapshots":[
            {"type":"snapshot","symbol":"A","offset":9,"ts":70,"seq":{"trades":7,"quotes":1,"bars.1s":2}},
            {"type":"snapshot","symbol":"B","offset":9,"ts":60,"seq":{"trades":0,"quotes":3}}]}"#;
        let tail = Tail::parse(body).unwrap();
        assert_eq!((tail.newest, tail.seq("A"), tail.seq("B"), tail.seq("C")), (70, Some(7), Some(0), None));
    }

    #[test]
    fn what_is_no_snapshot_is_an_error() {
        for body in [
            &br#"{"snapshots":[]}"#[..],
            br#"{"snapshots":[{"type":"snapshot","symbol":"A","ts":1,"seq":{}}]}"#,
            br#"{"snapshots":[{"type":"snapshot","symbol":"A","ts":1,"seq":{"trades":7}}"#,
        ] {
            assert_eq!(Tail::parse(body).unwrap_err(), "snapshots that make no sense");
        }
    }

    fn asked(answer: &'static [u8]) -> Result<Tail, String> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            stream.write_all(answer).unwrap();
        });
        let answer = Asking::begin(address).0.recv().unwrap();
        server.join().unwrap();
        answer
    }

    #[test]
    fn a_server_is_asked_and_its_failures_are_named() {
        let body = r#"{"snapshots":[{"type":"snapshot","symbol":"A","ts":70,"seq":{"trades":7}}]}"#;
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        assert_eq!(asked(answer.leak().as_bytes()).unwrap().seq("A"), Some(7));
        assert_eq!(asked(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").unwrap_err(), "status 503");
        assert_eq!(asked(b"HTTP/1.1 200 OK\r\n").unwrap_err(), "the server has closed the connection");
    }
}
