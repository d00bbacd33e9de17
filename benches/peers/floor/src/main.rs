//! The floor: a bare epoll loop with an index of subscribers and one `send` for each socket and step, or, with
//! `COALESCE_MS`, for each socket and window. A lower bound for the cost of any WebSocket push server.
//!
//! It does not answer pings, check UTF-8, enforce limits or send close frames: the benchmark measures only the delivery of events.

mod client;
mod handshake;

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use peer_market::{Market, Settings, Symbols, now_micros};
use rustix::event::{Timespec, epoll};
use rustix::net::{self, SocketAddrV4, SocketFlags, sockopt};

use crate::client::Client;

/// The epoll token of the listening socket.
const LISTENER: u64 = u64::MAX;
const BACKLOG: i32 = 4096;

fn main() -> io::Result<()> {
    let settings = Settings::read();
    let listener = net::socket_with(
        net::AddressFamily::INET,
        net::SocketType::STREAM,
        SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
        None,
    )?;
    net::bind(&listener, &SocketAddrV4::new([127, 0, 0, 1].into(), settings.port))?;
    net::listen(&listener, BACKLOG)?;
    let address = SocketAddrV4::try_from(net::getsockname(&listener)?)?;
    println!("listening {}", address.port());
    Floor::new(&settings, listener)?.run()
}

struct Floor {
    epoll: OwnedFd,
    listener: OwnedFd,
    step: Duration,
    coalesce: Duration,
    market: Market,
    symbols: Symbols,
    subscribers: Vec<Vec<usize>>,
    clients: Vec<Option<Client>>,
    free: Vec<usize>,
    /// Clients with new messages and no open window.
    due: Vec<usize>,
    /// Open windows by their end; all have the same length.
    windows: VecDeque<(Instant, usize)>,
}

impl Floor {
    fn new(settings: &Settings, listener: OwnedFd) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        Ok(Self {
            epoll,
            listener,
            step: settings.step,
            coalesce: settings.coalesce,
            market: Market::new(settings),
            symbols: Symbols::new(settings.symbols),
            subscribers: vec![Vec::new(); settings.symbols],
            clients: Vec::new(),
            free: Vec::new(),
            due: Vec::new(),
            windows: VecDeque::new(),
        })
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(1_024);
        let mut next_step = Instant::now();
        loop {
            let wait = next_step.saturating_duration_since(Instant::now());
            let wait = Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() };
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&wait)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(err) => return Err(err.into()),
            }
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    key => self.on_event(usize::try_from(key).expect("keys are indexes"), event.flags),
                }
            }
            let now = Instant::now();
            if now >= next_step {
                self.take_step(now);
                // The next step includes the trades of missed steps.
                next_step = (next_step + self.step).max(now);
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        while let Ok(socket) = net::accept_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            sockopt::set_tcp_nodelay(&socket, true)?;
            let key = self.free.pop().unwrap_or(self.clients.len());
            let flags =
                epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
            epoll::add(&self.epoll, &socket, epoll::EventData::new_u64(key as u64), flags)?;
            if key == self.clients.len() {
                self.clients.push(None);
            }
            self.clients[key] = Some(Client::new(socket));
        }
        Ok(())
    }

    fn on_event(&mut self, key: usize, flags: epoll::EventFlags) {
        let Some(client) = self.clients[key].as_mut() else { return };
        let mut alive = true;
        if flags.contains(epoll::EventFlags::OUT) {
            alive = client.on_writable();
        }
        if alive && flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::HUP) {
            let (symbols, subscribers) = (&self.symbols, &mut self.subscribers);
            alive = client.on_readable(|message| {
                for symbol in symbols.wanted(message).unwrap_or_default() {
                    if !subscribers[symbol].contains(&key) {
                        subscribers[symbol].push(key);
                    }
                }
            });
        }
        if !alive {
            self.remove(key);
        }
    }

    /// Drops a client, which closes its socket.
    fn remove(&mut self, key: usize) {
        self.clients[key] = None;
        for list in &mut self.subscribers {
            list.retain(|other| *other != key);
        }
        self.due.retain(|other| *other != key);
        self.windows.retain(|(_, other)| *other != key);
        self.free.push(key);
    }

    /// Adds the due trades to the frames of their subscribers, and sends the frames whose window has ended.
    fn take_step(&mut self, now: Instant) {
        let now_micros = now_micros();
        let mut text = Vec::with_capacity(160);
        while let Some(symbol) = self.market.take_due(now_micros, &mut text) {
            for key in &self.subscribers[symbol] {
                let client = self.clients[*key].as_mut().expect("subscribers are clients");
                if client.push(&text) && !client.window {
                    self.due.push(*key);
                }
            }
        }
        let mut gone = Vec::new();
        while let Some((end, key)) = self.windows.front().copied()
            && end <= now
        {
            self.windows.pop_front();
            let client = self.clients[key].as_mut().expect("windows are of clients");
            client.window = client.has_news();
            if client.window {
                self.windows.push_back((now + self.coalesce, key));
                if !client.send() {
                    gone.push(key);
                }
            }
        }
        for key in self.due.drain(..) {
            let client = self.clients[key].as_mut().expect("who is due is a client");
            if !self.coalesce.is_zero() {
                client.window = true;
                self.windows.push_back((now + self.coalesce, key));
            }
            if !client.send() {
                gone.push(key);
            }
        }
        for key in gone {
            if self.clients[key].is_some() {
                self.remove(key);
            }
        }
    }
}
