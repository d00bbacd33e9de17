//! `Epochs`: the names that a stream has had, and from which offset on. They say which cursors are good.

use std::sync::Arc;

use crate::protocol::Cursor;

/// Most epochs that are remembered, beside the first one. A cursor of an older one is refused.
const EPOCHS_MAX: usize = 64;

/// The beginning of an epoch. It takes an offset, which no event has.
#[derive(Clone, Debug)]
struct Beginning {
    name: Arc<str>,
    offset: u64,
}

/// The epochs of a stream after its first one.
#[derive(Clone, Debug, Default)]
pub struct Epochs {
    /// Oldest first, with ascending offsets.
    later: Vec<Beginning>,
    /// Whether older ones have been forgotten, and with them the first one.
    has_forgotten: bool,
    /// The offset of the newest epoch at which the market moved to another time; 0 if it never has.
    moved: u64,
}

impl Epochs {
    /// Returns the name of the stream; `None` if that is the first one.
    pub fn name(&self) -> Option<&Arc<str>> {
        self.later.last().map(|newest| &newest.name)
    }

    /// Takes note that an epoch begins at this offset, and whether the market `moves` to another time there.
    pub(super) fn begin(&mut self, name: Arc<str>, offset: u64, moves: bool) {
        if self.later.len() == EPOCHS_MAX {
            self.later.remove(0);
            self.has_forgotten = true;
        }
        self.later.push(Beginning { name, offset });
        if moves {
            self.moved = offset;
        }
    }

    /// Returns whether the events after the cursor are those of this stream, which began with the name `first`: the cursor ends before the next epoch
    /// begins, else its offset may have been given to another event; and the market has not moved since. The cursor may lie before the
    /// beginning of its own epoch, where a rate has held back an older event.
    pub fn admit(&self, first: &str, cursor: &Cursor) -> bool {
        let named = self.later.iter().position(|epoch| *epoch.name == *cursor.epoch);
        let next = match named {
            Some(place) => place + 1,
            None if *cursor.epoch == *first && !self.has_forgotten => 0,
            None => return false,
        };
        self.later.get(next).is_none_or(|next| cursor.offset < next.offset) && cursor.offset >= self.moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(beginnings: &[(&str, u64, bool)]) -> Epochs {
        let mut epochs = Epochs::default();
        for (name, offset, moves) in beginnings {
            epochs.begin((*name).into(), *offset, *moves);
        }
        epochs
    }

    #[test]
    fn a_cursor_is_good_until_the_next_epoch_and_from_the_last_move_on() {
        let mut seen = epochs(&[]);
        assert!(seen.name().is_none());
        let admits = |epochs: &Epochs, epoch: &str, offset| epochs.admit("a", &Cursor::new(epoch, offset).unwrap());
        assert!(admits(&seen, "a", 0) && admits(&seen, "a", 500) && !admits(&seen, "b", 0));
        seen = epochs(&[("b", 100, false)]);
        // The offset 100 of the epoch `a` may have been an event that was lost.
        assert!(admits(&seen, "a", 99) && !admits(&seen, "a", 100) && !admits(&seen, "a", 101));
        assert!(admits(&seen, "b", 99) && admits(&seen, "b", 100) && admits(&seen, "b", 500));
        seen = epochs(&[("b", 100, false), ("c", 200, true)]);
        assert!(!admits(&seen, "a", 99) && !admits(&seen, "b", 199), "the values before are of another time");
        assert!(!admits(&seen, "c", 199) && admits(&seen, "c", 200));
        seen = epochs(&[("b", 100, false), ("c", 200, true), ("d", 300, false)]);
        assert!(
            admits(&seen, "c", 299) && !admits(&seen, "c", 300) && admits(&seen, "d", 200) && !admits(&seen, "d", 199)
        );
        assert_eq!(seen.name().map(|name| &**name), Some("d"));
    }

    #[test]
    fn epochs_are_bounded_and_what_is_forgotten_is_refused() {
        let names: Vec<_> = (0..=EPOCHS_MAX).map(|each| format!("e{each}")).collect();
        let mut epochs = Epochs::default();
        let admits = |epochs: &Epochs, epoch: &str, offset| epochs.admit("a", &Cursor::new(epoch, offset).unwrap());
        for (name, offset) in names.iter().zip(1..) {
            assert!(admits(&epochs, "a", 0));
            epochs.begin(name.as_str().into(), offset, false);
        }
        assert_eq!(epochs.later.len(), EPOCHS_MAX);
        assert!(!admits(&epochs, "a", 0) && !admits(&epochs, "e0", 1) && admits(&epochs, "e1", 2));
    }
}
