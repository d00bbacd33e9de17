//! One cell of the matrix: a server of its own, its clients, and one measurement, bounded in time.

use std::cell::Cell as Counter;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};
use tickcast_core::domain::{Clock, SystemClock};

use crate::client::{Client, Group, Traffic};
use crate::intake::Intake;
use crate::interrupt::Interrupt;
use crate::process::Process;
use crate::proxy::DelayProxy;
use crate::result::{GroupResult, Measurement, Totals};
use crate::server::{Cores, SYMBOLS, Server};
use crate::tail::{Asking, Tail};
use crate::transport::Transport;

/// The longest wait in one turn.
const TURN_MAX: Duration = Duration::from_millis(50);
/// Events of one turn.
const EVENTS_MAX: usize = 1_024;
/// How long the clients may take until all of them are served.
const READY_MAX: Duration = Duration::from_mins(1);
/// The time between two questions for the end of the stream.
const TAIL_INTERVAL: Duration = Duration::from_millis(20);
/// The token of signals, beyond those of clients.
const WAKER: Token = Token(usize::MAX - 1);

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    /// The transports; each has as many clients.
    pub(crate) transports: Vec<Transport>,
    /// How many.
    pub(crate) clients: usize,
    /// Events per second of each client, on average.
    pub(crate) rate: f64,
    /// What a proxy between them and the server adds, each way.
    pub(crate) delay: Option<Duration>,
    /// How long it is measured.
    pub(crate) window: Duration,
}

/// How every cell is measured.
#[derive(Clone, Debug)]
pub(crate) struct Method {
    /// The server's program.
    pub(crate) program: PathBuf,
    /// Fixes the market.
    pub(crate) seed: u64,
    /// Symbols of each client.
    pub(crate) symbols_per_client: usize,
    /// From the last client that is served to the window.
    pub(crate) warmup: Duration,
    /// How long the events of the window may take at the most, beyond the interval of a poll.
    pub(crate) drain: Duration,
    /// The cores of server and generator.
    pub(crate) cores: Option<Cores>,
}

/// What all cells share: the poll, and the signal that ends the run.
#[derive(Debug)]
pub(crate) struct Bench {
    poll: Poll,
    interrupt: Interrupt,
    buffer: Vec<u8>,
}

impl Bench {
    /// Returns a bench.
    ///
    /// # Errors
    ///
    /// Returns what the system refuses.
    pub(crate) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let interrupt = Interrupt::listen(Waker::new(poll.registry(), WAKER)?)?;
        Ok(Self { poll, interrupt, buffer: Vec::new() })
    }

    /// Measures a cell.
    ///
    /// # Errors
    ///
    /// Returns what kept it from being measured, in one line.
    pub(crate) fn measure(&mut self, cell: &Cell, method: &Method) -> Result<Measurement, String> {
        #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
        let rate_of_symbol = cell.rate / method.symbols_per_client as f64;
        let server = Server::start(&method.program, rate_of_symbol, method.seed, method.cores)?;
        let proxy = cell.delay.map(|delay| DelayProxy::start(server.address, delay)).transpose();
        let proxy = proxy.map_err(|err| format!("cannot start the proxy: {err}"))?;
        let address = proxy.as_ref().map_or(server.address, DelayProxy::address);
        let mut run = Run::new(self, cell, method);
        let outcome = run.connect(address).and_then(|()| run.phases(&server));
        // The clients go before the proxy, so that its connections end.
        drop(run);
        outcome.map_err(|err| format!("{} clients at {} events/s: {err}", cell.clients, cell.rate))
    }
}

/// A cell that is being measured.
struct Run<'a> {
    bench: &'a mut Bench,
    cell: &'a Cell,
    method: &'a Method,
    groups: Vec<Group>,
    clients: Vec<Client>,
    /// When which client of short polls asks again.
    asks: BinaryHeap<Reverse<(Instant, usize)>>,
    /// Clients that had more to read than a turn takes.
    unread: Vec<usize>,
}

impl<'a> Run<'a> {
    fn new(bench: &'a mut Bench, cell: &'a Cell, method: &'a Method) -> Self {
        let group =
            |transport: &Transport| Group { transport: *transport, intake: Intake::new(), traffic: Traffic::default() };
        let groups = cell.transports.iter().map(group).collect();
        Self { bench, cell, method, groups, clients: Vec::new(), asks: BinaryHeap::new(), unread: Vec::new() }
    }

    fn connect(&mut self, address: SocketAddr) -> Result<(), String> {
        let started = Instant::now();
        for number in 0..self.cell.transports.len() * self.cell.clients {
            let (group, index) = (&mut self.groups[number / self.cell.clients], number % self.cell.clients);
            let first = index * self.method.symbols_per_client;
            let names = (first..first + self.method.symbols_per_client).map(|at| format!("SYM{:03}", at % SYMBOLS));
            let symbols = names.collect::<Vec<_>>().join(",");
            let registry = (self.bench.poll.registry(), Token(number));
            let client = Client::connect(address, symbols, registry, group);
            self.clients.push(client.map_err(|err| format!("cannot connect: {err}"))?);
            if let Transport::ShortPoll(interval) = group.transport {
                // They ask one after the other, spread over the interval.
                let share = interval.mul_f64((index + 1) as f64 / self.cell.clients as f64);
                self.asks.push(Reverse((started + share, number)));
            }
        }
        Ok(())
    }

    fn phases(&mut self, server: &Server) -> Result<Measurement, String> {
        let unwatched = |err: io::Error| format!("cannot watch the server: {err}");
        if !self.turn_until(READY_MAX, |run| run.clients.iter().all(|client| client.is_ready))? {
            return Err("not every client is served in time".into());
        }
        let setup: Vec<_> = self.groups.iter().map(|group| group.traffic).collect();
        let intervals = self.cell.transports.iter().filter_map(|transport| match transport {
            Transport::ShortPoll(interval) => Some(*interval),
            _ => None,
        });
        // Then every client has asked in its turn, and each of its polls is for one interval.
        let interval = intervals.max().unwrap_or_default();
        self.turn_until(self.method.warmup.max(interval), |_| false)?;

        let (process, own) = (Process::new(server.pid()), Process::own());
        let (begun, from) = (Instant::now(), SystemClock.now().micros());
        let to = from + i64::try_from(self.cell.window.as_micros()).unwrap_or(i64::MAX / 2);
        self.groups.iter_mut().for_each(|group| group.intake.window = (from, to));
        let before: Vec<_> = self.groups.iter().map(|group| (group.intake.events, group.traffic)).collect();
        let (cpu, own_cpu) = (process.cpu_time().map_err(unwatched)?, own.cpu_time().map_err(unwatched)?);
        self.turn_until(self.cell.window, |_| false)?;
        let cpu = process.cpu_time().map_err(unwatched)?.since(&cpu).total();
        let own_cpu = own.cpu_time().map_err(unwatched)?.since(&own_cpu).total();
        let took = begun.elapsed();
        let totals: Vec<_> = self
            .groups
            .iter()
            .zip(before)
            .zip(setup)
            .collect::<Vec<_>>()
            .into_iter()
            .map(|((group, (events, traffic)), setup)| Totals {
                events: group.intake.events - events,
                traffic: group.traffic.since(&traffic),
                setup,
            })
            .collect();

        let drain = self.method.drain + interval + 4 * self.cell.delay.unwrap_or_default();
        let tail = self.close(server.address, to, drain)?;
        Ok(Measurement { took, server_cpu: cpu, own_cpu, groups: self.results(&totals, to, &tail) })
    }

    /// Asks the server how far its stream has come until that is behind `to`, then waits until every client has as much, both
    /// together for `longest` at the most: so it is known what they should have, and no loss is the last one seen.
    fn close(&mut self, address: SocketAddr, to: i64, longest: Duration) -> Result<Tail, String> {
        if self.clients.is_empty() {
            return Ok(Tail::default());
        }
        let unknown = |err: String| format!("cannot tell the end of the stream: {err}");
        let end = Instant::now() + longest;
        let tail = loop {
            let asking = Asking::begin(address);
            let mut answer = None;
            while answer.is_none() {
                self.turn_until(TAIL_INTERVAL, |_| false)?;
                answer = asking.answer();
            }
            let tail = answer.unwrap_or_else(|| Err("no answer".into())).map_err(unknown)?;
            if tail.newest >= to || Instant::now() >= end {
                break tail;
            }
        };
        // Those before this one have everything, which stays so.
        let complete = Counter::new(0);
        self.turn_until(end.saturating_duration_since(Instant::now()), |run| {
            let rest = run.clients[complete.get()..].iter();
            complete.set(complete.get() + rest.take_while(|client| client.lacks(&tail) == Some(0)).count());
            complete.get() == run.clients.len()
        })?;
        Ok(tail)
    }

    fn results(&mut self, totals: &[Totals], to: i64, tail: &Tail) -> Vec<GroupResult> {
        let mut results = Vec::new();
        let clients = self.clients.chunks(self.cell.clients.max(1));
        for ((group, totals), clients) in self.groups.iter_mut().zip(totals).zip(clients) {
            for client in clients {
                client.finish(tail, &mut group.intake);
            }
            let mut result = GroupResult::new(group.transport, totals, &group.intake);
            let is_open = |client: &&Client| tail.newest.max(client.ledger.newest) < to;
            result.open_ended = clients.iter().filter(is_open).count();
            result.digests = clients.iter().map(|client| client.ledger.digest).collect();
            results.push(result);
        }
        results
    }

    /// Takes turns until it is done, or so long; returns whether it is done.
    fn turn_until(&mut self, longest: Duration, done: impl Fn(&Self) -> bool) -> Result<bool, String> {
        let end = Instant::now() + longest;
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(done(self));
            }
            self.turn(&mut events, end - now)?;
            if self.bench.interrupt.count_so_far() > 0 {
                return Err("interrupted".into());
            }
            if done(self) {
                return Ok(true);
            }
        }
    }

    fn turn(&mut self, events: &mut Events, longest: Duration) -> Result<(), String> {
        let now = Instant::now();
        let next = self.asks.peek().map_or(TURN_MAX, |Reverse((due, _))| due.saturating_duration_since(now));
        let timeout = if self.unread.is_empty() { next.min(TURN_MAX).min(longest) } else { Duration::ZERO };
        match self.bench.poll.poll(events, Some(timeout)) {
            Err(err) if err.kind() != io::ErrorKind::Interrupted => return Err(format!("cannot wait: {err}")),
            _ => {}
        }
        for number in std::mem::take(&mut self.unread) {
            self.serve(number, true)?;
        }
        for event in events.iter().filter(|event| event.token() != WAKER) {
            self.serve(event.token().0, event.is_readable() || event.is_read_closed() || event.is_error())?;
        }
        let now = Instant::now();
        while let Some(Reverse((due, number))) = self.asks.peek().copied().filter(|Reverse((due, _))| *due <= now) {
            self.asks.pop();
            let (client, group) = (&mut self.clients[number], &mut self.groups[number / self.cell.clients]);
            if let Transport::ShortPoll(interval) = group.transport {
                // An answer that is late is waited for: a client has one question at a time.
                if !client.is_asking {
                    client.ask(group).map_err(|err| format!("{}: {err}", group.transport.label()))?;
                }
                self.asks.push(Reverse(((due + interval).max(now), number)));
            }
        }
        Ok(())
    }

    fn serve(&mut self, number: usize, is_readable: bool) -> Result<(), String> {
        let Some(client) = self.clients.get_mut(number) else { return Ok(()) };
        let group = &mut self.groups[number / self.cell.clients];
        let named =
            |err: String| format!("{}: {err}", Transport::label(self.cell.transports[number / self.cell.clients]));
        client.flush(group).map_err(named)?;
        if is_readable && client.read(&mut self.bench.buffer, group).map_err(named)? {
            self.unread.push(number);
        }
        Ok(())
    }
}
