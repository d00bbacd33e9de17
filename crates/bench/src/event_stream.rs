//! Server-sent events as they come in pieces (WHATWG HTML, section 9.2.6): lines into events. No socket, and no meaning.

/// The longest line or event, in bytes.
const EVENT_BYTES_MAX: usize = 16 << 20;

/// Cuts the body of a stream into events.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    line: Vec<u8>,
    data: Vec<u8>,
    /// The last byte ended a line and was a carriage return: a line feed now belongs to it.
    after_return: bool,
}

impl EventReader {
    /// Hands the data of every event that is complete to `sink`.
    /// The error says that an event is too long.
    pub(crate) fn take(&mut self, mut bytes: &[u8], mut sink: impl FnMut(&[u8])) -> Result<(), String> {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_return) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            self.line.extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
            if self.line.len() + self.data.len() > EVENT_BYTES_MAX {
                return Err("an endless event".into());
            }
            let Some(end) = end else { return Ok(()) };
            self.after_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            self.end_line(&mut sink);
        }
        Ok(())
    }

    fn end_line(&mut self, sink: &mut impl FnMut(&[u8])) {
        if self.line.is_empty() {
            if let Some(data) = self.data.strip_suffix(b"\n") {
                sink(data);
            }
            self.data.clear();
        } else if let Some(value) = self.line.strip_prefix(b"data").filter(|rest| matches!(rest, [] | [b':', ..])) {
            let value = value.strip_prefix(b":").unwrap_or(value);
            self.data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
            self.data.push(b'\n');
        }
        // Comments, `id`, `event`, `retry` and unknown fields: a client that never comes back needs none of them.
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8], pieces: impl Iterator<Item = usize>) -> Vec<String> {
        let (mut reader, mut found, mut rest) = (EventReader::default(), Vec::new(), bytes);
        for piece in pieces {
            let (now, later) = rest.split_at(piece.min(rest.len()));
            reader.take(now, |data| found.push(String::from_utf8(data.to_vec()).unwrap())).unwrap();
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        found
    }

    #[test]
    fn the_fields_are_those_of_the_standard() {
        let text =
            ": hello\nretry: 700\n\nid: e:1\ndata: [1]\n\ndata:a\r\ndata\rdata:  b\r\n\r\ndatabase: x\n\ndata: lost";
        assert_eq!(read(text.as_bytes(), std::iter::once(usize::MAX)), ["[1]", "a\n\n b"]);
    }

    proptest! {
        #[test]
        fn events_are_the_same_wherever_they_are_split(
            events in prop::collection::vec(("[a-z]{1,9}", 0_usize..3), 0..9),
            cuts in prop::collection::vec(1_usize..9, 1..30),
        ) {
            let written = events.iter().map(|(data, end)| {
                let end = ["\n", "\r", "\r\n"][*end];
                format!(": c{end}data: {data}{end}id: e:7{end}{end}")
            });
            let text = written.collect::<Vec<_>>().concat();
            let expected: Vec<_> = events.iter().map(|(data, _)| data.clone()).collect();
            prop_assert_eq!(read(text.as_bytes(), cuts.into_iter().cycle()), expected);
        }
    }
}
