//! A TCP proxy on loopback that delays all bytes in both directions, like a long network path.
//!
//! Each direction has a thread that reads and one that writes, and a bounded queue between them. When the queue is full the reader
//! blocks, and TCP flow control slows the sender down.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, sleep};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The most bytes of one read.
const READ_BYTES: usize = 16 << 10;
/// The most delayed reads of one connection and direction.
const READS_MAX: usize = 1_024;

/// A running proxy. When dropped it accepts no more connections; open ones end when either side closes.
#[derive(Debug)]
pub(crate) struct DelayProxy {
    /// The address at which it listens.
    pub(crate) address: SocketAddr,
    _accepting: JoinSet<()>,
}

impl DelayProxy {
    /// Starts a proxy to `target` with the delay `delay` each way. Fails if there is no socket.
    pub(crate) async fn start(target: SocketAddr, delay: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mut accepting = JoinSet::new();
        accepting.spawn_local(async move {
            while let Ok((client, _)) = listener.accept().await {
                // On failure both sides are dropped, which closes the client's connection.
                let _ = client.into_std().and_then(|client| carry(client, target, delay));
            }
        });
        Ok(Self { address, _accepting: accepting })
    }
}

fn carry(client: TcpStream, target: SocketAddr, delay: Duration) -> io::Result<()> {
    // The TCP handshake with the server is not delayed; the first answer is.
    let server = TcpStream::connect(target)?;
    client.set_nonblocking(false)?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    lane(client.try_clone()?, server.try_clone()?, delay)?;
    lane(server, client, delay)
}

/// Carries one direction.
fn lane(source: TcpStream, target: TcpStream, delay: Duration) -> io::Result<()> {
    let (sender, receiver) = sync_channel(READS_MAX);
    Builder::new().name("proxy read".into()).spawn(move || read(source, &sender, delay))?;
    Builder::new().name("proxy write".into()).spawn(move || write(target, &receiver))?;
    Ok(())
}

fn read(mut source: TcpStream, sender: &SyncSender<(Instant, Vec<u8>)>, delay: Duration) {
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(len @ 1..) = source.read(&mut buffer) {
        if sender.send((Instant::now() + delay, buffer[..len].to_vec())).is_err() {
            break;
        }
    }
    let _ = source.shutdown(Shutdown::Read);
}

fn write(mut target: TcpStream, receiver: &Receiver<(Instant, Vec<u8>)>) {
    for (due, bytes) in receiver {
        sleep(due.saturating_duration_since(Instant::now()));
        if target.write_all(&bytes).is_err() {
            // The closed queue ends the reader of this direction.
            break;
        }
    }
    let _ = target.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    /// Returns a connection that is carried to this address.
    fn through(target: SocketAddr, delay: Duration) -> TcpStream {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _ = carry(listener.accept().unwrap().0, target, delay);
        stream
    }

    /// An echo server for one client.
    fn echo() -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let serve = move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut writer = stream.try_clone().unwrap();
            io::copy(&mut stream, &mut writer).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        };
        (address, std::thread::spawn(serve))
    }

    #[test]
    fn a_round_trip_takes_twice_the_delay_and_bytes_keep_their_order() {
        let delay = Duration::from_millis(15);
        let (address, server) = echo();
        let mut stream = through(address, delay);
        let mut answer = [0; 4];
        for question in [b"one.", b"two."] {
            let asked = Instant::now();
            stream.write_all(question).unwrap();
            stream.read_exact(&mut answer).unwrap();
            assert!(asked.elapsed() >= 2 * delay);
            assert_eq!(&answer, question);
        }
        // Many messages are delayed at the same time, not one after the other.
        let long: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let (mut writer, sent) = (stream.try_clone().unwrap(), long.clone());
        let sender = std::thread::spawn(move || {
            writer.write_all(&sent).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        assert!(back == long, "{} bytes of {}", back.len(), long.len());
        sender.join().unwrap();
        server.join().unwrap();
    }

    #[test]
    fn a_refused_connection_to_the_server_closes_the_client() {
        let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let mut stream = through(closed, Duration::ZERO);
        assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
    }
}
