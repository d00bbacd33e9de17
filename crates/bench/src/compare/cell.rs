//! One cell of the matrix: a new server, its clients, and one measurement with a time limit.

use std::cell::{Cell as Counter, RefCell};
use std::hash::Hasher;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::OptionFuture;
use procfs::ProcError;
use tickcast_core::domain::{Clock, SystemClock};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::compare::client::{Client, Group, Transport};
use crate::compare::options::Plan;
use crate::compare::proxy::DelayProxy;
use crate::compare::result::{GroupResult, Sample};
use crate::compare::server::{SYMBOLS, Server};
use crate::compare::tail::{Tail, lateness};
use crate::connection::{Meter, Traffic};
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

/// Measures a cell. Returns a sample without a result, and the result of each transport. Fails with one line if it is interrupted,
/// or if server or clients do not work.
pub(crate) async fn measure(
    cell: &Cell,
    plan: &Plan,
    interrupts: &Rc<Counter<u32>>,
) -> Result<(Sample, Vec<GroupResult>), String> {
    #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
    let rate_of_symbol = cell.rate / SYMBOLS_PER_CLIENT as f64;
    let server = Server::start(&plan.arguments.server, rate_of_symbol, plan.cores).await?;
    let proxy = OptionFuture::from(cell.delay.map(|delay| DelayProxy::start(server.address, delay))).await;
    let proxy = proxy.transpose().map_err(|err| format!("cannot start the proxy: {err}"))?;
    let address = proxy.as_ref().map_or(server.address, |proxy| proxy.address);
    let mut run = Run::begin(cell, plan, interrupts, address);
    let outcome = run.phases(&server).await;
    // Clients before the proxy, so that its connections end.
    run.tasks.shutdown().await;
    outcome.map_err(|err| format!("{} clients at {} events/s: {err}", cell.clients, cell.rate))
}

/// A running measurement of a cell.
struct Run<'a> {
    cell: &'a Cell,
    plan: &'a Plan,
    interrupts: &'a Rc<Counter<u32>>,
    groups: Vec<Rc<Group>>,
    clients: Vec<Rc<Client>>,
    /// The tasks of the clients; a task ends only with an error.
    tasks: JoinSet<Result<(), String>>,
}

impl<'a> Run<'a> {
    /// Starts the tasks of all clients.
    fn begin(cell: &'a Cell, plan: &'a Plan, interrupts: &'a Rc<Counter<u32>>, address: SocketAddr) -> Self {
        let (mut groups, mut clients, mut tasks) = (Vec::new(), Vec::new(), JoinSet::new());
        for transport in &cell.transports {
            let group = Rc::new(Group { transport: *transport, intake: RefCell::default(), meter: Meter::default() });
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
        Self { cell, plan, interrupts, groups, clients, tasks }
    }

    async fn phases(&mut self, server: &Server) -> Result<(Sample, Vec<GroupResult>), String> {
        let unwatched = |err: ProcError| format!("cannot watch the server: {err}");
        let (process, own) = (Process::new(server.pid()).map_err(unwatched)?, Process::own().map_err(unwatched)?);
        let clients = self.clients.clone();
        if !self.wait(READY_MAX, || clients.iter().all(|client| client.ledger.borrow().is_subscribed)).await? {
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
            if !self.wait(READY_MAX, || clients.iter().all(|client| client.is_up_to(&tail))).await? {
                return Err("not every client is up to date in time".into());
            }
        }
        let setup: Vec<_> = self.groups.iter().map(|group| group.meter.traffic()).collect();
        // After one interval every client has polled once, so that each later poll is for a whole interval.
        let interval = self.cell.transports.iter().map(|transport| transport.interval()).max().unwrap_or_default();
        self.wait(self.plan.arguments.warmup_s.max(interval), || false).await?;

        let (begun, from) = (Instant::now(), SystemClock.now().micros());
        let to = from + i64::try_from(self.cell.window.as_micros()).unwrap_or(i64::MAX / 2);
        self.groups.iter().for_each(|group| group.intake.borrow_mut().window = (from, to));
        let seen = |group: &Rc<Group>| (group.intake.borrow().result.events, group.meter.traffic());
        let before: Vec<_> = self.groups.iter().map(seen).collect();
        let (cpu, own_cpu) = (process.cpu_time().map_err(unwatched)?, own.cpu_time().map_err(unwatched)?);
        self.wait(self.cell.window, || false).await?;
        let cpu = process.cpu_time().map_err(unwatched)?.since(&cpu).total();
        let own_cpu = own.cpu_time().map_err(unwatched)?.since(&own_cpu).total();
        let window_s = begun.elapsed().as_secs_f64();
        let sample = Sample {
            clients: self.cell.clients,
            rate: self.cell.rate,
            round_trip_ms: self.cell.delay.unwrap_or_default().as_secs_f64() * 2e3,
            window_s,
            server_cpu_us: cpu.as_secs_f64() * 1e6,
            generator_cpu: own_cpu.as_secs_f64() / window_s,
            ..Sample::default()
        };
        let counts = self.groups.iter().map(seen).zip(before).zip(setup);
        let counts = counts.map(|((now, before), setup)| (now.0 - before.0, now.1 - before.1, setup)).collect();

        let drain = self.plan.arguments.drain_s + interval + 4 * self.cell.delay.unwrap_or_default();
        let tail = self.close(server.address, to, drain).await?;
        Ok((sample, self.results(counts, to, &tail)))
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
        let (clients, left) = (self.clients.clone(), end.saturating_duration_since(Instant::now()));
        self.wait(left, || clients.iter().all(|client| client.is_up_to(&tail))).await?;
        Ok(tail)
    }

    /// Returns the results of the transports. `counts` are the events and the traffic of the window, and the traffic before it.
    fn results(&self, counts: Vec<(u64, Traffic, Traffic)>, to: i64, tail: &Tail) -> Vec<GroupResult> {
        let mut results = Vec::new();
        let clients = self.clients.chunks(self.cell.clients.max(1));
        for ((group, (events, traffic, setup)), clients) in self.groups.iter().zip(counts).zip(clients) {
            for client in clients {
                client.finish(tail);
            }
            let intake = &mut *group.intake.borrow_mut();
            let percentile = |(name, at): (&str, f64)| (name.to_owned(), intake.latency.value_at_percentile(at));
            let percentiles = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p999", 99.9), ("max", 100.0)];
            let is_open = |client: &&Rc<Client>| tail.newest.max(client.ledger.borrow().newest) < to;
            results.push(GroupResult {
                transport: group.transport.label(),
                is_poll: group.transport.is_poll(),
                events,
                events_different: intake.different.len() as u64,
                requests: traffic.requests,
                connections: setup.connections,
                bytes_up: traffic.bytes_up,
                bytes_down: traffic.bytes_down,
                setup_bytes: setup.bytes_up + setup.bytes_down,
                latency_us: percentiles.map(percentile).into(),
                open_ended: clients.iter().filter(is_open).count(),
                digests: clients.iter().map(|client| client.ledger.borrow().digest.finish()).collect(),
                ..std::mem::take(&mut intake.result)
            });
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
