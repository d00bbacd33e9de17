//! `Counts`: how many rows a reader has delivered, and what it has changed or left out.

/// A reason why a record of a file becomes no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// A mistake, with [`BadRecord::Skip`](crate::BadRecord::Skip).
    Bad,
    /// A quote without a bid or without an ask.
    OneSided,
    /// A report about an earlier trade, which is no trade.
    Correction,
    /// A trade or a bar of no shares.
    NoVolume,
    /// A record of another kind: an order, a status, a message that this version does not know.
    Other,
    /// A symbol that was not asked for.
    NotAsked,
}

impl Skip {
    /// How many reasons there are.
    pub const COUNT: usize = 6;
    /// Every reason.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Bad, Self::OneSided, Self::Correction, Self::NoVolume, Self::Other, Self::NotAsked];

    /// Returns the name, for metrics and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::OneSided => "one_sided",
            Self::Correction => "correction",
            Self::NoVolume => "no_volume",
            Self::Other => "other",
            Self::NotAsked => "not_asked",
        }
    }
}

/// A reason why nobody knows how many events a recording misses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenGap {
    /// The recorded server was restarted.
    Restarted,
    /// The recorder had lost its connection to a server without cursors.
    Reconnected,
    /// That server had ended the connection, because the recorder was too slow.
    SlowClient,
    /// A reason that this version does not know.
    Other,
}

impl OpenGap {
    /// How many reasons there are.
    pub const COUNT: usize = 4;

    /// Returns the reason of this name in a recording.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "restarted" => Self::Restarted,
            "reconnected" => Self::Reconnected,
            "slow_client" => Self::SlowClient,
            _ => Self::Other,
        }
    }
}

/// Counters of a reader. They only ever increase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows delivered.
    pub rows: u64,
    /// Prices with more than four decimals, rounded to four (half to even).
    pub rounded_prices: u64,
    /// Sizes with more than six decimals, rounded to six (half to even).
    pub rounded_sizes: u64,
    /// Times finer than a microsecond, rounded down.
    pub rounded_times: u64,
    /// Records that became no row, by `Skip as usize`.
    pub skipped: [u64; Skip::COUNT],
    /// Rows out of order within [`ReadOptions::reorder_ms`](crate::ReadOptions::reorder_ms), delivered in order.
    pub sorted: u64,
    /// Rows further out of order, delivered with the time of the row before them.
    pub moved: u64,
    /// Events that a recording says were lost before they were recorded.
    pub lost: u64,
    /// Gaps in recordings of which nobody knows how many events they had, by `OpenGap as usize`.
    pub open_gaps: [u64; OpenGap::COUNT],
    /// Recordings without an end, because their writer was killed, that are followed by one of another epoch.
    pub unfinished: u64,
    /// Files that are cut off, with [`BadRecord::Skip`](crate::BadRecord::Skip).
    pub cut: u64,
    /// Bars of too little volume for a trade at each of their prices.
    pub thin_bars: u64,
}

impl Counts {
    /// Returns how many records were skipped for this reason.
    pub fn skipped(&self, reason: Skip) -> u64 {
        self.skipped[reason as usize]
    }

    /// Returns a number and its name for each reason why records have become no row.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = (u64, &'static str)> {
        [
            (self.skipped(Skip::Bad), "records with a mistake"),
            (self.skipped(Skip::OneSided), "quotes without a bid or an ask"),
            (self.skipped(Skip::Correction), "reports about earlier trades"),
            (self.skipped(Skip::NoVolume), "trades or bars of no shares"),
            (self.skipped(Skip::Other), "records of other kinds"),
            (self.skipped(Skip::NotAsked), "rows of other symbols"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
    }

    /// Returns whether records were left out because the user has asked for that.
    pub(crate) fn is_filtered(&self) -> bool {
        self.skipped(Skip::Bad) + self.skipped(Skip::NotAsked) + self.cut > 0
    }

    pub(crate) fn skip(&mut self, reason: Skip) {
        self.skipped[reason as usize] += 1;
    }

    /// Adds the counters of another reader.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.rounded_prices += other.rounded_prices;
        self.rounded_sizes += other.rounded_sizes;
        self.rounded_times += other.rounded_times;
        self.skipped.iter_mut().zip(other.skipped).for_each(|(mine, theirs)| *mine += theirs);
        self.sorted += other.sorted;
        self.moved += other.moved;
        self.lost += other.lost;
        self.open_gaps.iter_mut().zip(other.open_gaps).for_each(|(mine, theirs)| *mine += theirs);
        self.unfinished += other.unfinished;
        self.cut += other.cut;
        self.thin_bars += other.thin_bars;
    }
}
