//! The lines of a recording beside the messages of the stream: its header, the announcements of missing events, its end.

use tickcast_tape::write::RecordingHeader;

use crate::domain::{ChannelSet, Timestamp};

/// Returns the first line of a recording of these channels, whose first event is that after `offset`.
pub(super) fn header_line(epoch: &str, offset: u64, started: Timestamp, channels: ChannelSet) -> String {
    let channels = channels.iter().map(|channel| channel.name().to_owned()).collect();
    RecordingHeader { epoch: epoch.to_owned(), offset, started, channels }.line()
}

/// Returns the line that announces that the events of this stream from one offset to another are not in the recording.
pub(super) fn gap_line(epoch: &str, from: u64, to: u64, reason: &str) -> String {
    format!("{{\"type\":\"gap\",\"epoch\":\"{epoch}\",\"from\":{from},\"to\":{to},\"reason\":\"{reason}\"}}\n")
}

/// Returns the line that announces that the events of this stream from an offset on are not in the recording: nobody knows how many.
pub(super) fn open_gap_line(epoch: &str, from: u64, reason: &str) -> String {
    format!("{{\"type\":\"gap\",\"epoch\":\"{epoch}\",\"from\":{from},\"reason\":\"{reason}\"}}\n")
}

/// Returns the last line of a complete recording, which has every event up to `offset`.
pub(super) fn end_line(offset: u64) -> String {
    format!("{{\"type\":\"end\",\"offset\":{offset}}}\n")
}
