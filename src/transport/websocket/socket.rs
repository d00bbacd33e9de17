//! `SessionSocket`: the connection of one session. It owns the socket after the handover: the session reads its frames from it,
//! and the outbox of the session is written to it.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::io;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};

use crate::faults::Installed;
use crate::hub::{SessionKey, SessionWriter, SharedOutbox, SharedRouter};
use crate::metrics::SharedMetrics;
use crate::protocol::Dialect;
use crate::transport::connection::state::ConnectionState;
use crate::transport::connection::{Channel, Handover, Upgraded};
use crate::transport::faults::{Faulty, FaultySink};
use crate::transport::traffic::Account;
use crate::transport::websocket::identity::Identity;
use crate::transport::websocket::measured::Measured;
use crate::transport::websocket::recorder::Recorder;
use crate::transport::websocket::serving::Serving;
use crate::transport::websocket::writer::FrameWriter;

/// Capacity of the buffer into which the sessions of a thread read.
const READ_BUFFER_BYTES: usize = 65_536;
/// The least free part of that buffer for one read.
const READ_BYTES_MIN: usize = 16_384;

thread_local! {
    /// The sessions of a thread read into one buffer. Frames are decoded from it in place; only a session with an unfinished
    /// frame copies those bytes.
    static READ: RefCell<BytesMut> = RefCell::default();
    /// The sessions of a thread encode into one buffer.
    pub(super) static WRITE: RefCell<BytesMut> = RefCell::default();
}

/// The connection of one session.
pub(super) struct SessionSocket<D> {
    pub(super) link: RefCell<Link>,
    /// The time before which the session must not read its next frame, if there is one.
    pause: Cell<Option<Instant>>,
    /// Wakes the session, which reads.
    pub(super) reader: RefCell<Option<Waker>>,
    outbox: SharedOutbox,
    metrics: SharedMetrics,
    pub(super) write_bytes_max: usize,
    account: Option<Arc<Account>>,
    recorder: Option<Box<dyn Recorder>>,
    /// The session as rules of faults see it.
    pub(super) identity: Identity,
    dialect: PhantomData<fn() -> D>,
}

/// The connection before, during and after the session.
pub(super) enum Link {
    /// The response that opens the session is being written.
    Awaited,
    Open(Box<Open>),
    Ended,
}

/// Result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// More may be due.
    Some,
    /// The outbox is finished and empty: the connection ends.
    Everything,
    /// A fault ends the connection before that.
    Cut,
}

pub(super) struct Open {
    pub(super) channel: Channel,
    state: Rc<ConnectionState>,
    /// Wakes the task of the connection.
    pub(super) task: Option<Waker>,
    /// Bytes that were read together with the request.
    read: Option<Box<BytesMut>>,
    /// The rest of the last write. While there is one the outbox is not drained. Boxed, because most sockets have none.
    unsent: Option<Box<BytesMut>>,
    /// The error of a write from the hub, which the system reports once.
    pub(super) failed: Option<Box<io::Error>>,
    measured: Measured,
    /// Faults on request; `None` for nearly all sessions.
    pub(super) faulty: Option<Box<Faulty>>,
}

impl<D: Dialect> SessionSocket<D> {
    /// Returns the socket of a session that has not been opened yet. It writes about `write_bytes_max` bytes at once.
    pub(super) fn new(
        outbox: SharedOutbox,
        metrics: SharedMetrics,
        write_bytes_max: usize,
        account: Option<Arc<Account>>,
        recorder: Option<Box<dyn Recorder>>,
        identity: Identity,
    ) -> Rc<Self> {
        let (link, pause, reader) = (RefCell::new(Link::Awaited), Cell::default(), RefCell::default());
        Rc::new(Self {
            link,
            pause,
            reader,
            outbox,
            metrics,
            write_bytes_max,
            account,
            recorder,
            identity,
            dialect: PhantomData,
        })
    }

    /// Returns the outbox of the session.
    pub(super) fn outbox(&self) -> &SharedOutbox {
        &self.outbox
    }

    /// Returns the account that is charged for the session.
    pub(super) fn account(&self) -> Option<&Arc<Account>> {
        self.account.as_ref()
    }

    /// Returns the time before which the session must not read its next frame.
    pub(super) fn pause(&self) -> &Cell<Option<Instant>> {
        &self.pause
    }

    /// Returns the handover of the connection to this session, `key` of the router. After its last byte the client has this time
    /// to end its side.
    pub(super) fn handover(self: Rc<Self>, router: SharedRouter, key: SessionKey, close_timeout: Duration) -> Handover {
        let serving = Serving::new(self, close_timeout);
        Handover::new(move |Upgraded { channel, read, state }| {
            let socket = serving.socket();
            let read = Some(read).filter(|read| !read.is_empty()).map(Box::new);
            let faulty = socket.begin_faults();
            let measured = Measured::default();
            let open = Open { channel, state, task: None, read, unsent: None, failed: None, measured, faulty };
            socket.link.replace(Link::Open(Box::new(open)));
            router.borrow_mut().attach_writer(key, &socket.outbox, socket.clone());
            socket.wake_reader();
            Box::pin(serving)
        })
    }

    /// Returns bytes of the client; `None` after the last ones.
    pub(super) fn poll_read(&self, cx: &mut Context<'_>) -> Poll<Option<BytesMut>> {
        self.keep_reader(cx);
        let bytes = match &mut *self.link.borrow_mut() {
            Link::Awaited => return Poll::Pending,
            Link::Ended => None,
            Link::Open(open) => {
                let bytes = ready!(open.poll_read(cx));
                if bytes.is_some() && open.faulty.as_ref().is_some_and(|faulty| faulty.is_deaf()) {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                bytes
            }
        };
        if let (Some(bytes), Some(recorder)) = (&bytes, &self.recorder) {
            recorder.client(bytes);
        }
        Poll::Ready(bytes)
    }

    /// Does the next write. Pending while nothing is due or the socket accepts no more.
    pub(super) fn poll_write(&self, cx: &mut Context<'_>, now: Instant) -> Poll<io::Result<Written>> {
        let mut link = self.link.borrow_mut();
        let Link::Open(open) = &mut *link else { return Poll::Ready(Ok(Written::Everything)) };
        if let Some(mut faulty) = open.faulty.take() {
            let written = self.poll_faulty(open, &mut faulty, cx, now);
            open.faulty = Some(faulty).filter(|faulty| !faulty.is_over());
            return written;
        }
        ready!(open.poll_unsent(cx))?;
        open.measured.finish(&self.metrics);
        WRITE.with_borrow_mut(|buffer| {
            let drained = ready!(self.poll_drain(cx, now, buffer, None));
            if !drained {
                return open.poll_shutdown(cx).map_ok(|()| Written::Everything);
            }
            open.measured.begin();
            let written = ready!(open.poll_write(cx, buffer));
            open.measured.finish(&self.metrics);
            Poll::Ready(written.map(|()| Written::Some))
        })
    }

    /// Drains the outbox into the buffer, up to one write. Returns false if the outbox is finished.
    pub(super) fn poll_drain(
        &self,
        cx: &Context<'_>,
        now: Instant,
        buffer: &mut BytesMut,
        faulty: Option<&mut Faulty>,
    ) -> Poll<bool> {
        // Nothing of another session may be left in it, even if its drain has panicked.
        buffer.clear();
        if buffer.capacity() > 2 * self.write_bytes_max {
            *buffer = BytesMut::new();
        }
        let mut faulty = faulty;
        let bytes_max = self.write_bytes_max;
        let bytes_max = faulty.as_mut().map_or(bytes_max, |faulty| faulty.write_bytes_max(bytes_max, now));
        let mut writer = FrameWriter::<D>::new(buffer, bytes_max);
        let mut outbox = self.outbox.borrow_mut();
        let drained = ready!(match faulty {
            None => outbox.poll_drain(cx, now, &mut writer),
            Some(faulty) => outbox.poll_drain(cx, now, &mut FaultySink::<D, _>::new(&mut writer, faulty, now)),
        });
        let Some(events) = drained else { return Poll::Ready(false) };
        let payload = writer.finish();
        outbox.count_bytes(buffer.len());
        drop(outbox);
        self.metrics.events_delivered.inc_by(events);
        if let Some(account) = &self.account {
            account.sent(events, payload, buffer.len() - payload);
        }
        if let Some(recorder) = &self.recorder {
            recorder.server(buffer);
        }
        Poll::Ready(true)
    }
}

impl Open {
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<BytesMut>> {
        if let Some(read) = self.read.take() {
            return Poll::Ready(Some(*read));
        }
        let meter = self.channel.meter().clone();
        meter.begin_work();
        let result = READ.with_borrow_mut(|buffer| {
            if buffer.capacity() - buffer.len() < READ_BYTES_MIN {
                buffer.reserve(READ_BUFFER_BYTES);
            }
            pin!(self.channel.read_buf(buffer)).poll(cx).map_ok(|_| buffer.split())
        });
        meter.end_work();
        match ready!(result) {
            Ok(bytes) if !bytes.is_empty() => Poll::Ready(Some(bytes)),
            // The client has disconnected.
            Ok(_) | Err(_) => {
                self.state.half_close();
                Poll::Ready(None)
            }
        }
    }

    /// Writes the rest of the last write.
    pub(super) fn poll_unsent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(unsent) = self.unsent.as_mut().filter(|unsent| !unsent.is_empty()) {
            let result = Pin::new(&mut self.channel).poll_write(cx, unsent);
            self.state.written(result.is_pending());
            unsent.advance(accepted(ready!(result))?);
        }
        self.unsent = None;
        self.poll_flush(cx)
    }

    /// Writes these bytes; keeps the rest if the socket does not accept all.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, mut bytes: &[u8]) -> Poll<io::Result<()>> {
        while !bytes.is_empty() {
            let result = self.channel.poll_send(cx, bytes);
            self.state.written(result.is_pending());
            match result {
                Poll::Ready(len) => bytes = &bytes[accepted(len)?..],
                Poll::Pending => {
                    self.unsent = Some(Box::new(BytesMut::from(bytes)));
                    return Poll::Pending;
                }
            }
        }
        self.poll_flush(cx)
    }

    /// Ends the server's side of the connection.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_shutdown(cx)
    }

    /// Returns whether the connection must end by a reset.
    pub(super) fn is_given_up(&self) -> bool {
        self.channel.meter().pace().is_given_up()
    }

    /// Writes what TLS has buffered.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.channel).poll_flush(cx);
        if self.channel.is_tls() {
            self.state.written(result.is_pending());
        }
        result
    }
}

impl<D: Dialect> SessionWriter for SessionSocket<D> {
    fn write(&self, now: Instant) -> bool {
        let (task, meter) = match &mut *self.link.borrow_mut() {
            // The task of the connection waits until the socket accepts the rest of the last write. Its waker is borrowed, because
            // a copy costs two atomic operations for each write.
            Link::Open(open) if open.unsent.is_none() && open.failed.is_none() => {
                (std::mem::take(&mut open.task), open.channel.meter().clone())
            }
            _ => return false,
        };
        let Some(task) = task else { return false };
        let mut cx = Context::from_waker(&task);
        meter.begin_work();
        let written = self.poll_write(&mut cx, now);
        meter.end_work();
        let (is_due, failed) = match written {
            Poll::Pending => (false, None),
            Poll::Ready(Ok(Written::Some)) => (self.outbox.borrow_mut().is_due(&cx), None),
            // The task ends the connection.
            Poll::Ready(Ok(Written::Everything | Written::Cut)) => {
                task.wake_by_ref();
                (false, None)
            }
            Poll::Ready(Err(err)) => {
                task.wake_by_ref();
                (false, Some(Box::new(err)))
            }
        };
        if let Link::Open(open) = &mut *self.link.borrow_mut() {
            (open.task, open.failed) = (Some(task), failed);
        }
        is_due
    }

    fn load(&self) {
        self.outbox.borrow().load();
        if let Link::Open(open) = &*self.link.borrow() {
            open.channel.meter().load();
            black_box((open.task.is_some(), open.unsent.is_some(), open.state.is_jammed()));
        }
        black_box((self.account.is_some(), self.recorder.is_some()));
    }

    fn rules_changed(&self, rules: &[Arc<Installed>], fresh: &[Arc<Installed>], now: Instant) {
        self.meet_rules(rules, fresh, now);
    }

    fn detach(&self) {
        if let Link::Open(open) = &*self.link.borrow()
            && let Some(task) = &open.task
        {
            task.wake_by_ref();
        }
    }
}

/// Returns the number of bytes that a write was accepted for, at least one.
fn accepted(result: io::Result<usize>) -> io::Result<usize> {
    result.and_then(|len| if len > 0 { Ok(len) } else { Err(io::ErrorKind::WriteZero.into()) })
}
