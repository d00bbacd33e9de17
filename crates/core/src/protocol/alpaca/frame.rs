//! Frames: which events share one. The codec writes what stands around them.

use crate::domain::{Event, EventBody, Interval};
use crate::protocol::Group;

/// Trades, quotes and bars.
const MARKET: Group = Group::Shared(0);
/// Corrections and cancellations come with trades, without being named. A client that does not know them fails the whole frame,
/// so they have frames of their own.
const CHANGES: Group = Group::Shared(1);

/// Returns the group of an event, if the stream has it.
pub(super) const fn event_group(event: &Event) -> Option<Group> {
    match event.body {
        EventBody::Trade(_)
        | EventBody::Quote(_)
        | EventBody::Bar(Interval::M1, _)
        | EventBody::UpdatedBar(_)
        | EventBody::DailyBar(_) => Some(MARKET),
        EventBody::Correction(_) | EventBody::Cancel(_) => Some(CHANGES),
        EventBody::Bar(..) | EventBody::Day(_) | EventBody::Gap(_) => None,
    }
}
