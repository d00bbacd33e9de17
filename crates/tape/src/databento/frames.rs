//! `Frames`: the bytes of a DBN file on their way to its decoder, which must not see a record of a wrong length.

use std::io::{self, Read};

use dbn::RecordHeader;
use dbn::decode::dbn::fsm::DbnFsm;

/// Records are of whole units of this many bytes. The decoder takes each for aligned to them, and does not check it.
const UNIT_BYTES: usize = 8;

/// The bytes of a file from its beginning.
pub(super) struct Frames {
    bytes: Box<dyn Read + Send>,
    /// Bytes before the next record of which nothing has been seen yet.
    ahead: usize,
    /// The wrong length of the record that ends the file, in bytes.
    wrong: Option<usize>,
}

impl Frames {
    /// Returns the bytes of a file whose records begin after so many of them.
    pub(super) fn new(bytes: Box<dyn Read + Send>, ahead: usize) -> Self {
        Self { bytes, ahead, wrong: None }
    }

    /// Passes further bytes to the decoder, and returns how many; 0 at the end of the file, and before a record of a wrong length.
    pub(super) fn pass(&mut self, fsm: &mut DbnFsm) -> io::Result<usize> {
        while self.wrong.is_none() {
            let space = fsm.space();
            match self.bytes.read(space) {
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return Err(err),
                Ok(count) => {
                    let count = self.checked(&space[..count]);
                    fsm.fill(count);
                    return Ok(count);
                }
            }
        }
        Ok(0)
    }

    /// Returns the wrong length of the next record, in bytes, and the expected ones.
    pub(super) fn complaint(&self) -> Option<String> {
        let wrong = self.wrong?;
        Some(format!(
            "has a length of {wrong} bytes, expected a multiple of {UNIT_BYTES} from {}",
            size_of::<RecordHeader>()
        ))
    }

    /// Returns how many of the bytes come before a record of a wrong length.
    fn checked(&mut self, bytes: &[u8]) -> usize {
        while let Some(length) = bytes.get(self.ahead) {
            let length = usize::from(*length) * RecordHeader::LENGTH_MULTIPLIER;
            if length < size_of::<RecordHeader>() || !length.is_multiple_of(UNIT_BYTES) {
                self.wrong = Some(length);
                return self.ahead;
            }
            self.ahead += length;
        }
        self.ahead -= bytes.len();
        bytes.len()
    }
}
