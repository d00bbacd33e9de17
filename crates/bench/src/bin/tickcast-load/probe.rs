//! One connection before all others, to find out whether there is a server at all: so that a mistake in the address is an
//! error and not a measurement.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::frame;
use crate::handshake;
use crate::options::Plan;

/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Opens one session and closes it again.
///
/// # Errors
///
/// Returns why the server gives none, in one line.
pub(crate) fn probe(plan: &Plan) -> Result<(), String> {
    let unreachable = |err: io::Error| {
        let reason = if err.kind() == io::ErrorKind::WouldBlock { "no answer in time".into() } else { err.to_string() };
        format!("cannot reach {}: {reason}", plan.url)
    };
    let mut stream = TcpStream::connect_timeout(&plan.target.address, TIMEOUT).map_err(unreachable)?;
    stream.set_read_timeout(Some(TIMEOUT)).map_err(unreachable)?;
    let request = handshake::request(&plan.target, plan.subprotocol.as_deref());
    stream.write_all(request.as_bytes()).map_err(unreachable)?;
    let (mut answer, mut chunk) = (Vec::new(), [0; 4_096]);
    loop {
        let len = stream.read(&mut chunk).map_err(unreachable)?;
        answer.extend_from_slice(&chunk[..len]);
        let accepted = handshake::accept(&answer).map_err(|err| format!("{} opens no WebSocket: {err}", plan.url))?;
        if accepted.is_some() {
            break;
        }
        if len == 0 {
            return Err(format!("{} opens no WebSocket: the connection was closed", plan.url));
        }
    }
    let mut close = Vec::new();
    frame::append_frame(&mut close, frame::CLOSE, &1000_u16.to_be_bytes(), [1, 2, 3, 4]);
    // The server is there: whether it takes the goodbye does not matter.
    let _ = stream.write_all(&close);
    Ok(())
}
