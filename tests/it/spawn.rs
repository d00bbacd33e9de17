//! The real application, started inside the test process on a free port, with a thread and an actix system of its own.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, mpsc};
use std::thread::JoinHandle;

use actix::Recipient;
use actix_web::web::ServiceConfig;
use tickcast::access::Keys;
use tickcast::app::{Application, Opened, Settings, StartError};
use tickcast::domain::{Clock, ManualClock, SystemClock, Timestamp};
use tickcast::feed::{Batch, Source};
use tickcast::metrics::SharedMetrics;
use tokio::sync::oneshot;

use crate::patience::PATIENCE;

/// Start of manual clocks: Monday 2026-03-02, 15:04:05.123456 UTC, far from the end of a day.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_772_463_845_123_456);

/// Messages of panics on server threads. No client must be able to cause one.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A running server. Shuts down when dropped, and fails the test if the shutdown or any of its threads panicked.
pub(crate) struct TestServer {
    /// Address of HTTP, or of HTTPS if only that is served.
    pub(crate) address: SocketAddr,
    pub(crate) tls_address: Option<SocketAddr>,
    /// Address of the listener of the operators.
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) metrics: SharedMetrics,
    pub(crate) keys: Arc<Keys>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the application on a free port with two workers, a busy market, a short history, and the changes of
/// `configure`.
pub(crate) fn spawn_app(configure: impl FnOnce(&mut Settings)) -> TestServer {
    spawn(Arc::new(SystemClock), None, configure)
}

/// Starts the application with a clock that stands still: no event happens until the test advances it.
pub(crate) fn spawn_app_at_rest(configure: impl FnOnce(&mut Settings)) -> (TestServer, Arc<ManualClock>) {
    spawn_app_at(START, configure)
}

/// Starts the application with a clock that stands still at this time.
pub(crate) fn spawn_app_at(start: Timestamp, configure: impl FnOnce(&mut Settings)) -> (TestServer, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(start));
    let configure = |settings: &mut Settings| {
        // The test's clock jumps by hours, and the market must catch up.
        settings.feed.catch_up_max_ms = 86_400_000;
        configure(settings);
    };
    (spawn(clock.clone(), None, configure), clock)
}

/// Starts the application with more routes, otherwise as [`spawn_app`].
pub(crate) fn spawn_app_with(routes: fn(&mut ServiceConfig), configure: impl FnOnce(&mut Settings)) -> TestServer {
    spawn_with(routes, Arc::new(SystemClock), None, configure)
}

/// Starts the application; `receiver` is attached to the feed before the first event.
pub(crate) fn spawn(
    clock: Arc<dyn Clock>,
    receiver: Option<Recipient<Batch>>,
    configure: impl FnOnce(&mut Settings),
) -> TestServer {
    spawn_with(|_| {}, clock, receiver, configure)
}

/// Starts the application with a market that the test has made, otherwise as [`spawn`].
pub(crate) fn spawn_market<S: Source + Send>(
    clock: Arc<dyn Clock>,
    open: impl FnOnce(&Settings, Timestamp, &SharedMetrics) -> Opened<S> + Send + 'static,
    configure: impl FnOnce(&mut Settings),
) -> TestServer {
    begin(move |settings| Application::start_market(settings, clock, open), None, configure)
}

fn spawn_with(
    routes: fn(&mut ServiceConfig),
    clock: Arc<dyn Clock>,
    receiver: Option<Recipient<Batch>>,
    configure: impl FnOnce(&mut Settings),
) -> TestServer {
    begin(move |settings| Application::start_with(settings, clock, routes), receiver, configure)
}

fn begin(
    start: impl FnOnce(&Settings) -> Result<Application, StartError> + Send + 'static,
    receiver: Option<Recipient<Batch>>,
    configure: impl FnOnce(&mut Settings),
) -> TestServer {
    record_panics();
    let mut settings = Settings::default();
    settings.server.port = 0;
    settings.server.tls.port = 0;
    settings.server.workers = 2;
    settings.server.drain_ms = 0;
    settings.feed.events_per_second = 500.0;
    settings.history.bars_max = 10;
    configure(&mut settings);
    let (started, starting) = mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let application = start(&settings).expect("valid settings");
            if let Some(receiver) = receiver {
                application.attach(receiver).await;
            }
            // If the test has failed, nobody receives this.
            let _ = started.send((
                application.address(),
                application.tls_address(),
                application.admin_address(),
                application.metrics(),
                application.keys(),
            ));
            let shutdown = async {
                let _ = stopped.await;
            };
            application.run(shutdown).await.expect("the server ends without an error");
        });
    });
    let (address, tls_address, admin, metrics, keys) = starting.recv_timeout(PATIENCE).expect("the server starts");
    let address = address.or(tls_address).expect("one of them is served");
    TestServer { address, tls_address, admin, metrics, keys, stop: Some(stop), thread: Some(thread) }
}

/// Returns an address of the loopback that no other server of the tests listens on: a listener of the operators has no free port of
/// its own.
pub(crate) fn loopback_host() -> String {
    static NUMBER: AtomicU8 = AtomicU8::new(1);
    let (process, number) = (std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    format!("127.{}.{}.{number}", 1 + process / 256 % 250, process % 256)
}

/// Gives the server a listener of the operators.
pub(crate) fn with_operators(settings: &mut Settings) {
    settings.admin.host = loopback_host();
    settings.admin.port = 9_100;
}

impl TestServer {
    /// Begins a shutdown, as SIGTERM does.
    pub(crate) fn shut_down(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Returns whether the server has shut down.
    pub(crate) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Returns the number of sessions.
    pub(crate) fn sessions(&self) -> i64 {
        self.metrics.sessions.get()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.shut_down();
        let ended = self.thread.take().map(JoinHandle::join);
        if std::thread::panicking() {
            return;
        }
        let panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(panics.is_empty(), "a thread of a server panicked: {panics:?}");
        assert!(!matches!(ended, Some(Err(_))), "the server did not shut down");
    }
}

/// Records panics on actix threads; within tasks they would otherwise only be printed.
fn record_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().name().is_some_and(|name| name.starts_with("actix")) {
                PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(info.to_string());
            }
            print(info);
        }));
    });
}
