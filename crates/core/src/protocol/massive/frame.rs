//! Frames: all events may share one, whatever their kinds.

use crate::domain::{Event, EventBody, Interval};
use crate::protocol::Group;

/// Returns the group of an event, if the stream has it.
pub(super) const fn event_group(event: &Event) -> Option<Group> {
    match event.body {
        EventBody::Trade(_) | EventBody::Quote(_) | EventBody::Bar(Interval::S1 | Interval::M1, _) => {
            Some(Group::Shared(0))
        }
        _ => None,
    }
}
