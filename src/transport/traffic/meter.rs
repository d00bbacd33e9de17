//! Counts the bytes and CPU time of one connection, and charges them to the account of a client.
//!
//! A request may name a client; the next one on the same connection may name another. Bytes read between two requests belong to
//! the head of the next one, bytes written to the response of the last one. This is right for clients that wait for a response
//! before the next request.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::sync::Arc;

use crate::transport::connection::WriteProgress;
use crate::transport::traffic::account::{Account, Carried};
use crate::transport::traffic::cpu::ThreadTime;

/// The meter of one connection. Without an account it only counts the bytes read.
#[derive(Debug, Default)]
pub(in crate::transport) struct Meter {
    account: RefCell<Option<Arc<Account>>>,
    /// Whether a request has begun on this connection. All bytes before that belong to the first one.
    used: Cell<bool>,
    /// Whether the current request is the first one.
    first: Cell<bool>,
    /// Whether bytes read belong to the current request, as after the opening of a WebSocket.
    upgraded: Cell<bool>,
    /// Costs of the next request.
    ahead: Cell<Carried>,
    /// Costs of the current request, if it will be charged.
    head: Cell<Carried>,
    working: Cell<Option<ThreadTime>>,
    pace: WriteProgress,
}

impl Meter {
    /// Begins a request, without an account until [`Meter::charge`].
    pub(in crate::transport) fn begin_request(&self) {
        self.first.set(!self.used.replace(true));
        self.upgraded.set(false);
        self.head.set(self.ahead.take());
        self.account.take();
    }

    /// Returns how fast the socket accepts bytes.
    pub(in crate::transport) const fn pace(&self) -> &WriteProgress {
        &self.pace
    }

    /// Charges the current request and its response to an account.
    pub(super) fn charge(&self, account: &Arc<Account>) {
        account.begin_request(self.first.get());
        account.carry(self.head.take());
        if self.working.get().is_none() {
            self.working.set(Some(ThreadTime::now()));
        }
        self.account.replace(Some(account.clone()));
    }

    /// Makes all further bytes read belong to the current request.
    pub(super) fn upgrade(&self) {
        self.upgraded.set(true);
    }

    /// Counts bytes read from the socket: on the wire, and of HTTP. With TLS they are counted separately, otherwise they are
    /// equal.
    pub(in crate::transport) fn read(&self, wire: usize, plain: usize) {
        let (wire, plain) = (wire as u64, plain as u64);
        if self.upgraded.get()
            && let Some(account) = &*self.account.borrow()
        {
            return account.read(wire, plain);
        }
        let mut ahead = self.ahead.get();
        ahead.wire_up += wire;
        ahead.plain_up += plain;
        self.ahead.set(ahead);
    }

    /// Counts bytes written to the socket, like [`Meter::read`].
    pub(in crate::transport) fn write(&self, wire: usize, plain: usize) {
        let (wire, plain) = (wire as u64, plain as u64);
        if let Some(account) = &*self.account.borrow() {
            account.write(wire, plain);
        } else if !self.used.get() {
            let mut ahead = self.ahead.get();
            ahead.wire_down += wire;
            ahead.plain_down += plain;
            self.ahead.set(ahead);
        }
    }

    /// Reads the memory that a write needs, see [`SessionWriter::load`](crate::hub::SessionWriter::load).
    pub(in crate::transport) fn load(&self) {
        black_box((self.used.get(), self.account.borrow().is_some(), self.pace.is_waiting()));
    }

    /// Begins work on this connection. Reads the clock only if an account is charged, or may be soon.
    pub(in crate::transport) fn begin_work(&self) {
        if !self.used.get() || self.account.borrow().is_some() {
            self.working.set(Some(ThreadTime::now()));
        }
    }

    /// Ends work on this connection: it was for the current request.
    pub(in crate::transport) fn end_work(&self) {
        let Some(since) = self.working.take() else { return };
        if let Some(account) = &*self.account.borrow() {
            account.work(since.elapsed_ns());
        } else if !self.used.get() {
            let mut ahead = self.ahead.get();
            ahead.cpu_ns += since.elapsed_ns();
            self.ahead.set(ahead);
        }
    }
}

impl Drop for Meter {
    /// Charges bytes after the last request, such as the end of TLS, to that request.
    fn drop(&mut self) {
        if let Some(account) = &*self.account.borrow() {
            account.carry(self.ahead.get());
        }
    }
}
