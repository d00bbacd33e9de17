//! What one connection carries, and whose account it goes to.
//!
//! A connection is nobody's until a request on it names a client; with the next request it may be another's. What is read
//! between two requests is the next one's head, what is written is the last one's answer: true for every client that waits
//! for an answer before it asks again.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::transport::connection::WriteProgress;
use crate::transport::traffic::account::{Account, Carried};
use crate::transport::traffic::cpu::ThreadTime;

/// The meter of one connection. While nobody's account is charged it only adds up what is read.
#[derive(Debug, Default)]
pub(in crate::transport) struct Meter {
    account: RefCell<Option<Arc<Account>>>,
    /// Whether a request has begun on this connection: before that, everything is the first one's.
    used: Cell<bool>,
    /// Whether the present request is the first one.
    first: Cell<bool>,
    /// Whether what is read belongs to the present request, as after the opening of a WebSocket.
    upgraded: Cell<bool>,
    /// What belongs to the next request.
    ahead: Cell<Carried>,
    /// What belongs to the present request, should it be charged.
    head: Cell<Carried>,
    working: Cell<Option<ThreadTime>>,
    pace: WriteProgress,
}

impl Meter {
    /// Begins a request, which is nobody's until [`Meter::charge`].
    pub(in crate::transport) fn begin_request(&self) {
        self.first.set(!self.used.replace(true));
        self.upgraded.set(false);
        self.head.set(self.ahead.take());
        self.account.take();
    }

    /// Returns at which pace the socket takes what is written.
    pub(in crate::transport) const fn pace(&self) -> &WriteProgress {
        &self.pace
    }

    /// Charges the present request and its answer to an account.
    pub(super) fn charge(&self, account: &Arc<Account>) {
        account.begin_request(self.first.get());
        account.carry(self.head.take());
        if self.working.get().is_none() {
            self.working.set(Some(ThreadTime::now()));
        }
        self.account.replace(Some(account.clone()));
    }

    /// Makes what is read from now on the present request's.
    pub(super) fn upgrade(&self) {
        self.upgraded.set(true);
    }

    /// Counts bytes from the socket: those on the wire, and those that TLS has made of them, or both where there is none.
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

    /// Counts bytes to the socket, as [`Meter::read`] does.
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

    /// Begins work on this connection. The clock is looked at only if an account is charged, or may be soon.
    pub(super) fn begin_work(&self) {
        if !self.used.get() || self.account.borrow().is_some() {
            self.working.set(Some(ThreadTime::now()));
        }
    }

    /// Ends work on this connection: it was for the request that is the present one now.
    pub(super) fn end_work(&self) {
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
    /// What no request has followed, as the end of TLS, is the last one's.
    fn drop(&mut self) {
        if let Some(account) = &*self.account.borrow() {
            account.carry(self.ahead.get());
        }
    }
}
