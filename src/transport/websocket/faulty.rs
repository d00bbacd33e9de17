//! The socket of a session with faults on request: its writes, which the faults hold back, cut off or forbid.

use std::io;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::protocol::Dialect;
use crate::transport::faults::{Faulty, Stall, Step};
use crate::transport::websocket::socket::{Link, Open, SessionSocket, WRITE, Written};

impl<D: Dialect> SessionSocket<D> {
    /// Calls `change` with the faults of the session, once it has a connection, and wakes its task.
    pub(super) fn change_faults(&self, change: impl FnOnce(Option<Box<Faulty>>) -> Option<Box<Faulty>>) {
        if let Link::Open(open) = &mut *self.link.borrow_mut() {
            open.faulty = change(open.faulty.take());
            open.task.iter().for_each(Waker::wake_by_ref);
        }
    }

    /// Returns whether the client is not to be judged by what it sends and reads, because a fault delays that.
    pub(super) fn spares(&self) -> bool {
        matches!(&*self.link.borrow(), Link::Open(open) if open.faulty.as_ref().is_some_and(|faulty| faulty.spares()))
    }

    /// Does the next write of a session with faults, as [`Self::poll_write`].
    pub(super) fn poll_faulty(
        &self,
        open: &mut Open,
        faulty: &mut Faulty,
        cx: &mut Context<'_>,
        now: Instant,
    ) -> Poll<io::Result<Written>> {
        match faulty.step(now) {
            Step::Continue => {}
            Step::Reset => {
                open.channel.meter().pace().give_up();
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            Step::End => return open.poll_shutdown(cx).map_ok(|()| Written::Cut),
        }
        if let Some(Stall { until }) = faulty.take_stall(now) {
            self.pause().set(until);
            self.wake_reader();
        }
        let Poll::Ready(unsent) = open.poll_unsent(cx) else {
            faulty.arm(cx, now);
            return Poll::Pending;
        };
        unsent?;
        WRITE.with_borrow_mut(|buffer| {
            let is_due = faulty.give_due(buffer, self.write_bytes_max, now);
            let drained = match is_due {
                true => Poll::Ready(true),
                false if faulty.has_room(now) => self.poll_drain(cx, now, buffer, Some(faulty)),
                false => Poll::Pending,
            };
            if drained == Poll::Ready(true) && !is_due {
                faulty.take_write(buffer, now);
            }
            match drained {
                Poll::Ready(false) if !faulty.is_holding() => open.poll_shutdown(cx).map_ok(|()| Written::Everything),
                Poll::Ready(true) => {
                    faulty.arm(cx, now);
                    open.poll_write(cx, buffer).map_ok(|()| Written::Some)
                }
                Poll::Ready(false) | Poll::Pending => {
                    faulty.arm(cx, now);
                    Poll::Pending
                }
            }
        })
    }
}
