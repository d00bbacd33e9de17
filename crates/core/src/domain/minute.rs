//! `Minute`: the trades of one minute of one symbol, which can be amended.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::{Bar, BarBuilder, Price, Timestamp, Trade};

/// Newest trades of a minute that are kept one by one, so that they can be taken back.
const TAIL_TRADES_MAX: usize = 16;

/// The trades of one minute.
#[derive(Clone, Debug, Default)]
pub(super) struct Minute {
    pub(super) start: Timestamp,
    /// Its trades from before the stream, which the longer bars already contain.
    pub(super) resumed: BarBuilder,
    /// Its trades before those of the tail.
    head: BarBuilder,
    /// Number of trades of the head at each price.
    levels: BTreeMap<Price, u64>,
    /// Its newest trades, in the order of time.
    tail: VecDeque<Trade>,
}

impl Minute {
    /// Returns the minute that begins at `start`, with these trades from before the stream.
    pub(super) fn new(start: Timestamp, resumed: BarBuilder) -> Self {
        Self { start, resumed, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tail.is_empty() && self.head.start().is_none() && self.resumed.start().is_none()
    }

    pub(super) fn add(&mut self, trade: &Trade) {
        if self.tail.len() == TAIL_TRADES_MAX
            && let Some(oldest) = self.tail.pop_front()
        {
            self.head.add(self.start, &oldest);
            *self.levels.entry(oldest.price).or_default() += 1;
        }
        let place = self.tail.partition_point(|each| each.ts <= trade.ts);
        self.tail.insert(place, *trade);
    }

    pub(super) fn amend(&mut self, wrong: &Trade, right: Option<&Trade>) {
        match (self.tail.iter().rposition(|trade| trade == wrong), right) {
            (Some(place), Some(right)) => self.tail[place] = *right,
            (Some(place), None) => drop(self.tail.remove(place)),
            (None, _) => self.amend_head(wrong, right),
        }
    }

    fn amend_head(&mut self, wrong: &Trade, right: Option<&Trade>) {
        let Some(count) = self.levels.get_mut(&wrong.price) else { return };
        *count -= 1;
        if *count == 0 {
            self.levels.remove(&wrong.price);
        }
        if let Some(right) = right {
            *self.levels.entry(right.price).or_default() += 1;
        }
        self.head.amend(wrong, right);
        if let (Some((low, _)), Some((high, _))) = (self.levels.first_key_value(), self.levels.last_key_value()) {
            self.head.set_extremes(*low, *high);
        }
    }

    /// Returns the trades since the beginning of the stream.
    pub(super) fn part(&self) -> BarBuilder {
        let mut part = self.head;
        self.tail.iter().for_each(|trade| part.add(self.start, trade));
        part
    }

    pub(super) fn bar(&self) -> Option<Bar> {
        let mut whole = self.resumed;
        whole.append(self.start, &self.part());
        whole.bar()
    }
}
