//! `Held`: the bytes queued for one client, as part of the sum over the process.

use prometheus_client::metrics::gauge::Gauge;

/// Bytes queued for one client. The sum over all clients is a gauge; dropping a `Held` subtracts its bytes.
#[derive(Debug)]
pub struct Held {
    bytes: usize,
    sum: Gauge,
}

impl Held {
    /// Returns a count of zero that belongs to this sum.
    pub fn new(sum: Gauge) -> Self {
        Self { bytes: 0, sum }
    }

    /// Adds bytes.
    pub fn add(&mut self, bytes: usize) {
        self.set(self.bytes.saturating_add(bytes));
    }

    /// Subtracts bytes.
    pub fn remove(&mut self, bytes: usize) {
        self.set(self.bytes.saturating_sub(bytes));
    }

    /// Sets the number of bytes.
    pub fn set(&mut self, bytes: usize) {
        let signed = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        if bytes != self.bytes {
            self.sum.inc_by(signed(bytes) - signed(self.bytes));
            self.bytes = bytes;
        }
    }

    /// Returns the number of bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_includes_the_bytes_of_each_until_it_is_dropped() {
        let sum = Gauge::default();
        let (mut one, mut other) = (Held::new(sum.clone()), Held::new(sum.clone()));
        one.add(100);
        other.add(10);
        one.remove(30);
        assert_eq!((one.bytes(), other.bytes(), sum.get()), (70, 10, 80));
        drop(one);
        assert_eq!(sum.get(), 10);
        other.remove(20);
        assert_eq!(sum.get(), 0, "never less than nothing");
    }
}
