//! The real application, started inside the test process on a free port, with a thread and an actix system of its own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, Once, PoisonError, mpsc};
use std::thread::JoinHandle;

use actix::Recipient;
use tickcast::app::{Application, Settings};
use tickcast::domain::{Clock, ManualClock, SystemClock, Timestamp};
use tickcast::feed::Batch;
use tickcast::metrics::SharedMetrics;
use tokio::sync::oneshot;

use crate::patience::PATIENCE;

/// Where manual clocks start: Monday 2026-03-02, 15:04:05.123456 UTC, far from the end of a day.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_772_463_845_123_456);

/// What threads of servers have said while they panicked. Whatever a client does, none must.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A running server. Ends in order when dropped, and fails the test when that, or anything on its threads, panicked.
pub(crate) struct TestServer {
    /// Of HTTP, or of HTTPS when that is all there is.
    pub(crate) address: SocketAddr,
    pub(crate) tls_address: Option<SocketAddr>,
    pub(crate) metrics: SharedMetrics,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the application on a free port with two workers, a lively market and little history, and
/// what `configure` changes of that.
pub(crate) fn spawn_app(configure: impl FnOnce(&mut Settings)) -> TestServer {
    spawn(Arc::new(SystemClock), None, configure)
}

/// Starts the application with a clock that stands still: nothing happens on the market until the test moves it.
pub(crate) fn spawn_app_at_rest(configure: impl FnOnce(&mut Settings)) -> (TestServer, Arc<ManualClock>) {
    spawn_app_at(START, configure)
}

/// Starts the application with a clock that stands still at this moment.
pub(crate) fn spawn_app_at(start: Timestamp, configure: impl FnOnce(&mut Settings)) -> (TestServer, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(start));
    let configure = |settings: &mut Settings| {
        // Such a clock leaps by hours, and the market catches up.
        settings.feed.catch_up_max_ms = 86_400_000;
        configure(settings);
    };
    (spawn(clock.clone(), None, configure), clock)
}

/// Starts the application; `receiver` is attached to the feed before anything happens.
pub(crate) fn spawn(
    clock: Arc<dyn Clock>,
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
            let application = Application::start(&settings, clock).expect("the settings of a test are good");
            if let Some(receiver) = receiver {
                application.attach(receiver).await;
            }
            // The test may have failed meanwhile.
            let _ = started.send((application.address(), application.tls_address(), application.metrics()));
            let shutdown = async {
                let _ = stopped.await;
            };
            application.run(shutdown).await.expect("the server ends without an error");
        });
    });
    let (address, tls_address, metrics) = starting.recv_timeout(PATIENCE).expect("the server starts");
    let address = address.or(tls_address).expect("one of them is served");
    TestServer { address, tls_address, metrics, stop: Some(stop), thread: Some(thread) }
}

impl TestServer {
    /// Asks the server to end, as SIGTERM does, and goes on.
    pub(crate) fn shut_down(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Returns how many sessions there are.
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
        assert!(!matches!(ended, Some(Err(_))), "the server did not end in order");
    }
}

/// Keeps what panics on actix threads; those within tasks would otherwise only be printed.
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
