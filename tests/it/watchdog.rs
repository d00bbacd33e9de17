//! The watchdog: the server ends if a part of it has ended, and is not ready if a part makes no progress.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, mpsc};

use actix_web::{HttpResponse, web};
use rustix::process::{ForeignRawFd, Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use tickcast::app::{Application, Settings};
use tickcast::domain::{Clock, Reading, SystemClock};

use crate::client::Client;
use crate::command::{Process, spawn_binary};
use crate::http::get;
use crate::patience::{PATIENCE, patiently};
use crate::raw::RawClient;

/// State of a gate, by which a test controls the threads of an embedded server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// Threads pass.
    Calm,
    /// Threads block at the gate.
    Held,
    /// Threads panic at the gate.
    Deadly,
}

#[derive(Default)]
struct Gate {
    mood: Mutex<Option<Mood>>,
    changed: Condvar,
}

impl Gate {
    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = Some(mood);
        self.changed.notify_all();
    }

    fn pass(&self) {
        let held = |mood: &mut Option<Mood>| *mood == Some(Mood::Held);
        let mood = *self.changed.wait_while(self.mood.lock().unwrap(), held).unwrap();
        if mood == Some(Mood::Deadly) {
            // Like a panic, but without the hook by which the tests find panics of other servers.
            std::panic::resume_unwind(Box::new("for the test"));
        }
    }
}

/// The clock of the machine behind a gate. The feed reads it every millisecond.
struct GatedClock(Arc<Gate>);

impl Clock for GatedClock {
    fn read(&self) -> Reading {
        self.0.pass();
        SystemClock.read()
    }
}

/// A server whose result the test checks.
struct Embedded {
    address: std::net::SocketAddr,
    result: mpsc::Receiver<std::io::Result<()>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Embedded {
    /// Starts a server with these routes on two workers, and with its clock behind this gate.
    fn start(gate: &Arc<Gate>, routes: impl Fn(&mut web::ServiceConfig) + Send + Sync + 'static) -> Self {
        let mut settings = Settings::default();
        settings.server.port = 0;
        settings.server.workers = 2;
        settings.server.drain_ms = 0;
        settings.server.behind_max_ms = 200;
        settings.feed.events_per_second = 500.0;
        settings.history.bars_max = 10;
        let clock = Arc::new(GatedClock(gate.clone()));
        let (started, starting) = mpsc::channel();
        let (ended, result) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let application = Application::start_with(&settings, clock, routes).unwrap();
                started.send(application.address().unwrap()).unwrap();
                let stopped = async {
                    let _ = stopped.await;
                };
                let _ = ended.send(application.run(stopped).await);
            });
        });
        Self { address: starting.recv_timeout(PATIENCE).unwrap(), result, stop: Some(stop) }
    }

    /// Returns the error with which the server ended.
    async fn failure(self) -> String {
        let result = actix_web::rt::task::spawn_blocking(move || self.result.recv_timeout(PATIENCE));
        result.await.unwrap().unwrap().expect_err("the server does not run any more").to_string()
    }
}

async fn ready_is(client: &mut RawClient, status: u16) -> String {
    let asking = async {
        loop {
            let answer = client.request("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
            if answer.status == status {
                return answer.body;
            }
        }
    };
    patiently("another answer", asking).await
}

#[actix_web::test]
async fn if_the_feed_panics_the_server_ends_with_an_error() {
    let gate = Arc::<Gate>::default();
    let server = Embedded::start(&gate, |_| {});
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades"]).await;
    client.events(10).await;
    gate.set(Mood::Deadly);
    assert_eq!(server.failure().await, "the feed has ended");
}

#[actix_web::test]
async fn if_the_thread_of_a_hub_ends_the_server_ends_with_an_error() {
    let gate = Arc::<Gate>::default();
    let end = || async {
        actix::Arbiter::current().stop();
        HttpResponse::Ok().finish()
    };
    let server = Embedded::start(&gate, move |config| {
        config.route("/end", web::get().to(end));
    });
    let mut client = RawClient::connect(server.address).await;
    client.send(b"GET /end HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let failure = server.failure().await;
    assert!(failure.starts_with("the hub of worker ") && failure.ends_with(" has ended"), "{failure}");
}

#[actix_web::test]
async fn while_the_feed_stands_still_the_server_is_not_ready() {
    let gate = Arc::<Gate>::default();
    let mut server = Embedded::start(&gate, |_| {});
    let address = server.address;
    assert_eq!(get(address, "/readyz").await.status, 200);
    gate.set(Mood::Held);
    let red = async {
        loop {
            let answer = get(address, "/readyz").await;
            if answer.status == 503 {
                return answer;
            }
        }
    };
    let red = patiently("the feed to be missed", red).await;
    assert_eq!(red.problem()["detail"], "the feed stands still");
    assert_eq!(get(address, "/healthz").await.status, 200);
    gate.set(Mood::Calm);
    let ready = async { while get(address, "/readyz").await.status != 200 {} };
    patiently("the feed to be back", ready).await;
    drop(server.stop.take());
}

#[actix_web::test]
async fn while_one_hub_stands_still_the_server_is_not_ready_on_any_worker() {
    let gate = Arc::<Gate>::default();
    let held = Arc::<Gate>::default();
    held.set(Mood::Held);
    let route = held.clone();
    let hold = move || {
        // This blocks the whole thread, like an endless loop.
        route.pass();
        async { HttpResponse::Ok().finish() }
    };
    let server = Embedded::start(&gate, move |config| {
        config.route("/hold", web::get().to(hold.clone()));
    });
    // The kernel gives connections to the workers in turn.
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = RawClient::connect(server.address).await;
        ready_is(&mut client, 200).await;
        clients.push(client);
    }
    let [mut stuck, mut other] = clients.try_into().ok().unwrap();
    stuck.send(b"GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let body = ready_is(&mut other, 503).await;
    assert!(body.contains("the hub of worker ") && body.contains("events behind the feed"), "{body}");
    held.set(Mood::Calm);
    ready_is(&mut other, 200).await;
    assert_eq!(stuck.request("").await.status, 200);
}

/// Returns the process's own listening socket, taken as a debugger does.
fn listener_of(process: &Process) -> OwnedFd {
    let id = process.id();
    let suffix = format!(":{:04X}", process.address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let listening = table.lines().find_map(|line| {
        let columns: Vec<_> = line.split_whitespace().collect();
        (columns[1].ends_with(&suffix) && columns[3] == "0A").then(|| columns[9].to_owned())
    });
    let link = format!("socket:[{}]", listening.expect("it listens"));
    let descriptors = std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().map(|entry| entry.unwrap());
    let descriptor = descriptors
        .filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|target| target.to_string_lossy() == link))
        .map(|entry| entry.file_name().to_string_lossy().parse::<ForeignRawFd>().unwrap())
        .next();
    let pid = pidfd_open(Pid::from_raw(id.try_into().unwrap()).unwrap(), PidfdFlags::empty()).unwrap();
    pidfd_getfd(pid.as_fd(), descriptor.unwrap(), PidfdGetfdFlags::empty()).unwrap()
}

#[actix_web::test]
async fn when_a_listener_ends_the_process_ends_with_one_line_and_code_1() {
    let process = spawn_binary(&[], &[]).await;
    let listener = socket2::Socket::from(listener_of(&process));
    listener.shutdown(std::net::Shutdown::Both).unwrap();
    let ended = process.ended().await;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let failures: Vec<_> = ended.stderr.lines().filter(|line| line.contains("the server failed")).collect();
    assert_eq!(failures.len(), 1, "{ended:?}");
    assert!(failures[0].contains("the listener of 127.0.0.1:"), "{}", failures[0]);
}
