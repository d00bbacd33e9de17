//! One cell of the matrix: a new server, its clients, and one measurement with a time limit.

use std::cell::{Cell as Counter, RefCell};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use procfs::ProcError;
use tickcast_core::domain::{Clock, SystemClock};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::compare::client::{Client, Group};
use crate::compare::intake::Intake;
use crate::compare::proxy::DelayProxy;
use crate::compare::result::{GroupResult, Measurement, Totals};
use crate::compare::server::{Cores, SYMBOLS, Server};
use crate::compare::tail::{Tail, lateness};
use crate::compare::transport::Transport;
use crate::connection::Meter;
use crate::process::Process;

/// Symbols that each client subscribes to.
pub(crate) const SYMBOLS_PER_CLIENT: usize = 10;
/// The longest wait until all clients are subscribed.
const READY_MAX: Duration = Duration::from_mins(1);
/// The market is up to date when it is late by less; longer than its steps.
const LATE_MAX: Duration = Duration::from_millis(100);
/// The time between two checks of a condition, and between two requests for the end of the stream.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The settings of one cell.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) transports: Vec<Transport>,
    /// Clients of each transport.
    pub(crate) clients: usize,
    /// Events per second of each client, on average.
    pub(crate) rate: f64,
    /// The delay of a proxy between clients and server, each way.
    pub(crate) delay: Option<Duration>,
    pub(crate) window: Duration,
}

/// The settings of every cell.
#[derive(Clone, Debug)]
pub(crate) struct Method {
    /// The server's program.
    pub(crate) program: PathBuf,
    /// The time from the last subscribed client to the window.
    pub(crate) warmup: Duration,
    /// The longest wait for the last events of the window, in addition to the interval of a poll.
    pub(crate) drain: Duration,
    /// The cores of server and generator.
    pub(crate) cores: Option<Cores>,
}

/// Measures a cell. Fails with one line if it is interrupted, or if server or clients do not work.
pub(crate) async fn measure(
    cell: &Cell,
    method: &Method,
    interrupts: &Rc<Counter<u32>>,
) -> Result<Measurement, String> {
    #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
    let rate_of_symbol = cell.rate / SYMBOLS_PER_CLIENT as f64;
    let server = Server::start(&method.program, rate_of_symbol, method.cores).await?;
    let proxy = match cell.delay {
        Some(delay) => Some(
            DelayProxy::start(server.address, delay).await.map_err(|err| format!("cannot start the proxy: {err}"))?,
        ),
        None => None,
    };
    let address = proxy.as_ref().map_or(server.address, DelayProxy::address);
    let mut run = Run::begin(cell, method, interrupts, address);
    let outcome = run.phases(&server).await;
    // Clients before the proxy, so that its connections end.
    run.tasks.shutdown().await;
    outcome.map_err(|err| format!("{} clients at {} events/s: {err}", cell.clients, cell.rate))
}

/// A running measurement of a cell.
struct Run<'a> {
    cell: &'a Cell,
    method: &'a Method,
    interrupts: &'a Rc<Counter<u32>>,
    groups: Vec<Rc<Group>>,
    clients: Vec<Rc<Client>>,
    /// The tasks of the clients; a task ends only with an error.
    tasks: JoinSet<Result<(), String>>,
}

impl<'a> Run<'a> {
    /// Starts the tasks of all clients.
    fn begin(cell: &'a Cell, method: &'a Method, interrupts: &'a Rc<Counter<u32>>, address: SocketAddr) -> Self {
        let (mut groups, mut clients, mut tasks) = (Vec::new(), Vec::new(), JoinSet::new());
        for transport in &cell.transports {
            let intake = RefCell::new(Intake::default());
            let group = Rc::new(Group { transport: *transport, intake, meter: Meter::default() });
            for index in 0..cell.clients {
                let first = index * SYMBOLS_PER_CLIENT;
                let names = (first..first + SYMBOLS_PER_CLIENT).map(|at| format!("SYM{:03}", at % SYMBOLS));
                let client = Rc::new(Client::new(&group, names.collect::<Vec<_>>().join(",")));
                clients.push(Rc::clone(&client));
                // The first requests of short polls are spread over the interval.
                let wait = transport.interval().mul_f64((index + 1) as f64 / cell.clients as f64);
                tasks.spawn_local(async move { client.run(address, wait).await });
            }
            groups.push(group);
        }
        Self { cell, method, interrupts, groups, clients, tasks }
    }

    async fn phases(&mut self, server: &Server) -> Result<Measurement, String> {
        let unwatched = |err: ProcError| format!("cannot watch the server: {err}");
        let (process, own) = (Process::new(server.pid()).map_err(unwatched)?, Process::own().map_err(unwatched)?);
        let clients = self.clients.clone();
        if !self.wait(READY_MAX, || clients.iter().all(|client| client.is_ready.get())).await? {
            return Err("not every client is subscribed in time".into());
        }
        // A server that was slow to start publishes events of the past, which belong to no window.
        let end = Instant::now() + READY_MAX;
        while lateness(server.address).await? > LATE_MAX {
            if Instant::now() >= end {
                return Err("the market is not up to date in time".into());
            }
            self.wait(LOOK_INTERVAL, || false).await?;
        }
        if !clients.is_empty() {
            let tail = Tail::ask(server.address).await?;
            let has_all = |client: &Rc<Client>| client.ledger.borrow().lacks(&client.symbols, &tail) == Some(0);
            if !self.wait(READY_MAX, || clients.iter().all(has_all)).await? {
                return Err("not every client is up to date in time".into());
            }
        }
        let setup: Vec<_> = self.groups.iter().map(|group| group.meter.traffic()).collect();
        // After one interval every client has polled once, so that each later poll is for a whole interval.
        let interval = self.cell.transports.iter().map(|transport| transport.interval()).max().unwrap_or_default();
        self.wait(self.method.warmup.max(interval), || false).await?;

        let (begun, from) = (Instant::now(), SystemClock.now().micros());
        let to = from + i64::try_from(self.cell.window.as_micros()).unwrap_or(i64::MAX / 2);
        self.groups.iter().for_each(|group| group.intake.borrow_mut().window = (from, to));
        let seen = |group: &Rc<Group>| (group.intake.borrow().events, group.meter.traffic());
        let before: Vec<_> = self.groups.iter().map(seen).collect();
        let (cpu, own_cpu) = (process.cpu_time().map_err(unwatched)?, own.cpu_time().map_err(unwatched)?);
        self.wait(self.cell.window, || false).await?;
        let cpu = process.cpu_time().map_err(unwatched)?.since(&cpu).total();
        let own_cpu = own.cpu_time().map_err(unwatched)?.since(&own_cpu).total();
        let took = begun.elapsed();
        let totals = self.groups.iter().map(seen).zip(before).zip(setup).map(|((after, before), setup)| Totals {
            events: after.0 - before.0,
            traffic: after.1 - before.1,
            setup,
        });
        let totals: Vec<_> = totals.collect();

        let drain = self.method.drain + interval + 4 * self.cell.delay.unwrap_or_default();
        let tail = self.close(server.address, to, drain).await?;
        Ok(Measurement { took, server_cpu: cpu, own_cpu, groups: self.results(&totals, to, &tail) })
    }

    /// Requests snapshots until the newest event is after `to`, then waits until every client has received the events of the
    /// snapshots, for at most `longest` in total. A loss at the end of the window leaves no gap in `seq`; the snapshots reveal it.
    async fn close(&mut self, address: SocketAddr, to: i64, longest: Duration) -> Result<Tail, String> {
        if self.clients.is_empty() {
            return Ok(Tail::default());
        }
        let end = Instant::now() + longest;
        let tail = loop {
            self.wait(LOOK_INTERVAL, || false).await?;
            let tail =
                Tail::ask(address).await.map_err(|err| format!("cannot request the end of the stream: {err}"))?;
            if tail.newest >= to || Instant::now() >= end {
                break tail;
            }
        };
        // The clients before this index are complete and stay so.
        let (complete, clients) = (Counter::new(0), self.clients.clone());
        let has_all = |client: &&Rc<Client>| client.ledger.borrow().lacks(&client.symbols, &tail) == Some(0);
        let done = || {
            complete.set(complete.get() + clients[complete.get()..].iter().take_while(has_all).count());
            complete.get() == clients.len()
        };
        self.wait(end.saturating_duration_since(Instant::now()), done).await?;
        Ok(tail)
    }

    fn results(&self, totals: &[Totals], to: i64, tail: &Tail) -> Vec<GroupResult> {
        let mut results = Vec::new();
        let clients = self.clients.chunks(self.cell.clients.max(1));
        for ((group, totals), clients) in self.groups.iter().zip(totals).zip(clients) {
            let intake = &mut *group.intake.borrow_mut();
            for client in clients {
                client.ledger.borrow().finish(&client.symbols, tail, intake);
            }
            let mut result = GroupResult::new(group.transport, totals, intake);
            let is_open = |client: &&Rc<Client>| tail.newest.max(client.ledger.borrow().newest) < to;
            result.open_ended = clients.iter().filter(is_open).count();
            result.digests = clients.iter().map(|client| client.ledger.borrow().digest()).collect();
            results.push(result);
        }
        results
    }

    /// Waits until `done` returns true or `longest` has passed; returns whether `done` returned true.
    async fn wait(&mut self, longest: Duration, done: impl Fn() -> bool) -> Result<bool, String> {
        let end = Instant::now() + longest;
        loop {
            if let Some(ended) = self.tasks.try_join_next() {
                return Err(ended.map_err(|err| err.to_string())?.err().unwrap_or_default());
            }
            if self.interrupts.get() > 0 {
                return Err("interrupted".into());
            }
            let left = end.saturating_duration_since(Instant::now());
            if done() || left.is_zero() {
                return Ok(done());
            }
            sleep(LOOK_INTERVAL.min(left)).await;
        }
    }
}
