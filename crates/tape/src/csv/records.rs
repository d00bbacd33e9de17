//! `Records`: the cells of one line after another, quoted or not, and the number of the line.

use std::io::{self, Read};

use csv_core::ReadRecordResult;

/// Most bytes of a line. A quote that is never closed would otherwise take the rest of the file into memory.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Most cells of a line.
const CELLS_MAX: usize = 1_024;
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 128 * 1024;

/// The lines of a CSV file. Empty lines are passed over.
pub(super) struct Records {
    core: csv_core::Reader,
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    text: Vec<u8>,
    ends: Vec<usize>,
    cells: usize,
    /// Line ends before `start`.
    line_ends: u64,
    /// The line of the present record, from 1.
    line: u64,
    /// The line of a record after which the file ends without a line end.
    unended: Option<u64>,
}

/// The outcome of [`Records::advance`].
#[derive(Debug)]
pub(super) enum Advance {
    Record,
    End,
    /// More than [`LINE_BYTES_MAX`] bytes, or than [`CELLS_MAX`] cells.
    TooLong,
}

impl Records {
    pub(super) fn new(input: Box<dyn Read + Send>, delimiter: u8) -> Self {
        Self {
            core: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            input,
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            text: vec![0; LINE_BYTES_MAX],
            ends: vec![0; CELLS_MAX],
            cells: 0,
            line_ends: 0,
            line: 1,
            unended: None,
        }
    }

    /// Reads the next line.
    pub(super) fn advance(&mut self) -> io::Result<Advance> {
        if !self.pass_line_ends()? {
            self.line = self.line_ends + 1;
            return Ok(Advance::End);
        }
        self.line = self.line_ends + 1;
        let (mut length, mut cells) = (0, 0);
        loop {
            let input = &self.buffer[self.start..self.end];
            let (result, read, written, ended) =
                self.core.read_record(input, &mut self.text[length..], &mut self.ends[cells..]);
            self.line_ends += count_line_ends(&input[..read]);
            self.start += read;
            length += written;
            cells += ended;
            match result {
                ReadRecordResult::Record | ReadRecordResult::End => break,
                ReadRecordResult::InputEmpty => {
                    if self.fill()? == 0 {
                        self.unended = Some(self.line);
                    }
                }
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => return Ok(Advance::TooLong),
            }
        }
        self.cells = cells;
        Ok(Advance::Record)
    }

    /// Skips line ends; returns whether something follows.
    fn pass_line_ends(&mut self) -> io::Result<bool> {
        loop {
            let rest = &self.buffer[self.start..self.end];
            let blank = rest.iter().position(|byte| !matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
            self.line_ends += count_line_ends(&rest[..blank]);
            self.start += blank;
            if self.start < self.end {
                return Ok(true);
            }
            if self.fill()? == 0 {
                return Ok(false);
            }
        }
    }

    /// Reads more bytes when all have been used; returns how many.
    fn fill(&mut self) -> io::Result<usize> {
        loop {
            match self.input.read(&mut self.buffer) {
                Ok(count) => {
                    (self.start, self.end) = (0, count);
                    return Ok(count);
                }
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return Err(err),
            }
        }
    }

    /// Returns the number of cells of the line.
    pub(super) fn len(&self) -> usize {
        self.cells
    }

    /// Returns a cell; an empty one beyond the last.
    #[inline]
    pub(super) fn cell(&self, index: usize) -> &[u8] {
        if index >= self.cells {
            return b"";
        }
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.cells).map(|index| self.cell(index))
    }

    /// Returns the line of the last record, once it has been read, if no line end follows it: perhaps the file is cut off in it.
    pub(super) fn unended(&self) -> Option<u64> {
        self.unended
    }

    /// Returns the number of the line, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }
}

fn count_line_ends(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

/// Returns the character that separates the cells of the first line: the most frequent one outside quotes.
pub(super) fn delimiter(head: &[u8]) -> u8 {
    let line = head.trim_ascii_start().split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let mut is_quoted = false;
    let bare: Vec<_> = line
        .iter()
        .filter(|byte| {
            is_quoted ^= **byte == b'"';
            !is_quoted
        })
        .collect();
    // Of equally frequent ones the last is taken.
    let frequency = |delimiter: &u8| bare.iter().map(|byte| u32::from(*byte == delimiter)).sum::<u32>();
    [b'|', b'\t', b';', b','].into_iter().max_by_key(frequency).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<(u64, Vec<String>)> {
        let mut records = Records::new(Box::new(std::io::Cursor::new(text.to_owned())), delimiter(text.as_bytes()));
        let mut found = Vec::new();
        while let Advance::Record = records.advance().unwrap() {
            let cells = records.cells().map(|cell| String::from_utf8(cell.into()).unwrap()).collect();
            found.push((records.line(), cells));
        }
        found
    }

    #[test]
    fn lines_are_numbered_whatever_their_ends_and_quotes() {
        let cells = |cells: &[&str]| cells.iter().map(ToString::to_string).collect::<Vec<_>>();
        for end in ["\n", "\r\n", "\n\n", "\r\n\r\n"] {
            let found = all(&format!("a,b{end}1,\"2\n3\"{end}\"4,5\",6"));
            let expected = [cells(&["a", "b"]), cells(&["1", "2\n3"]), cells(&["4,5", "6"])];
            assert_eq!(found.iter().map(|(_, cells)| cells.clone()).collect::<Vec<_>>(), expected);
            let step = end.matches('\n').count() as u64;
            assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 1 + step, 2 + 2 * step]);
        }
        assert_eq!(all("a;b\n1;2,5")[1].1, cells(&["1", "2,5"]));
        assert_eq!(all("a\tb\n1\t2")[1].1, cells(&["1", "2"]));
        for (text, unended) in
            [("a,b\n1,2", Some(2)), ("a,b\n\n1,\"2", Some(3)), ("a,b\n1,2\n", None), ("a,b\r\n1,2\r", None)]
        {
            let mut records = Records::new(Box::new(std::io::Cursor::new(text)), b',');
            while let Advance::Record = records.advance().unwrap() {}
            assert_eq!(records.unended(), unended, "{text:?}");
        }
        assert_eq!(all("a,\n,b"), [(1, cells(&["a", ""])), (2, cells(&["", "b"]))]);
    }

    #[test]
    fn a_quote_that_is_never_closed_ends_at_the_bound() {
        let text = format!("a,b\n1,\"{}", "x".repeat(LINE_BYTES_MAX + 1));
        let mut records = Records::new(Box::new(std::io::Cursor::new(text)), b',');
        assert!(matches!(records.advance().unwrap(), Advance::Record));
        assert!(matches!(records.advance().unwrap(), Advance::TooLong));
        let mut records = Records::new(Box::new(std::io::Cursor::new(",".repeat(CELLS_MAX + 1))), b',');
        assert!(matches!(records.advance().unwrap(), Advance::TooLong));
    }
}
