//! The session actor of the service with an echoing message handler: it sends every text and binary message back.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tickcast::app::{Application, Settings};
use tickcast::domain::SystemClock;
use tickcast::hub::Control;
use tickcast::protocol::CloseReason;
use tickcast::protocol::native::Native;
use tickcast::session::Session;
use tickcast::transport::{MessageHandler, Opening, websocket};
use tokio::sync::oneshot;

use crate::patience::PATIENCE;

/// Longest message of the cases, and the largest value that can be configured.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Sends every message back, through the outbox of a session without subscriptions.
struct Echo(Session);

impl Echo {
    fn answer(&self, message: Control, now: Instant) -> Result<(), CloseReason> {
        self.0.outbox().borrow_mut().push_control(message, now)
    }
}

impl MessageHandler for Echo {
    type Dialect = Native;

    const BINARY: bool = true;

    fn open(session: Session, _: Opening<'_>, _: Instant) -> Self {
        Self(session)
    }

    fn text(&mut self, text: &str, now: Instant) -> Result<(), CloseReason> {
        self.answer(Control::Text(Bytes::copy_from_slice(text.as_bytes())), now)
    }

    fn binary(&mut self, payload: &[u8], now: Instant) -> Result<(), CloseReason> {
        self.answer(Control::Binary(Bytes::copy_from_slice(payload)), now)
    }

    fn heartbeat(&self, _: Instant) -> Result<(), CloseReason> {
        Ok(())
    }

    fn pause(&mut self, _: Instant) -> Duration {
        Duration::ZERO
    }
}

/// The service with an echo at `/echo`, on a free port and a thread of its own. Shuts down when dropped.
pub(crate) struct EchoServer {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl EchoServer {
    pub(crate) fn start() -> Self {
        let mut settings = Settings::default();
        settings.server.port = 0;
        settings.server.drain_ms = 0;
        settings.history.bars_max = 10;
        settings.session.message_bytes_max = MESSAGE_BYTES_MAX;
        // A whole message is queued as one answer; by default the process permits no more than one of that size.
        settings.push.waiting_bytes_max = 4 * MESSAGE_BYTES_MAX;
        let (started, starting) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let echo = |config: &mut actix_web::web::ServiceConfig| {
                    config.service(websocket::<Echo>("/echo"));
                };
                let application = Application::start_with(&settings, Arc::new(SystemClock), echo);
                let application = application.expect("valid settings");
                // If the test has failed, nobody receives this.
                let _ = started.send(application.address().expect("HTTP is served"));
                let shutdown = async {
                    let _ = stopped.await;
                };
                application.run(shutdown).await.expect("the server ends without an error");
            });
        });
        let address = starting.recv_timeout(PATIENCE).expect("the server starts");
        Self { address, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        // The server may have failed already.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || !matches!(ended, Some(Err(_))), "the server did not shut down");
    }
}
