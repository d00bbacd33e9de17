//! The randomness of the simulator: independent `ChaCha8` streams of one seed, and the two distributions drawn from
//! them.
//!
//! Every number is the same to the last bit on every machine: `ChaCha8` is fixed by its specification, and the
//! distributions use `libm` and basic arithmetic alone. `rand_distr` is not used because it computes with the
//! platform's mathematics as soon as any crate of the build turns on `num-traits/std`, which test tools do. Each
//! variate takes exactly one draw.

use rand::distr::Open01;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The purpose of a stream of random numbers; streams of one seed are independent of each other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    /// Times of events, their symbols and their kinds.
    Arrivals,
    /// The paths of the mid prices.
    Prices,
    /// Spreads and sizes.
    Orders,
    /// Corrections and cancellations.
    Amendments,
    /// Trades that are reported late.
    LateTrades,
    /// Factors of the market and the sectors in the hours before the start.
    PastFactors,
    /// The hours before the start of one symbol, by its index.
    PastSymbol(u32),
    /// One day of a motion of the past.
    PastDay {
        /// Index of the motion: market, sector or symbol; below 2^24.
        motion: u32,
        /// Days since 1970-01-01; days 2^32 apart would be the same.
        day: i64,
    },
    /// One hour of the past of one symbol.
    PastHour {
        /// Index of the symbol, below 2^24.
        symbol: u32,
        /// Hours since 1970-01-01; hours 2^32 apart would be the same.
        hour: i64,
    },
    /// The properties of one generated symbol, by its place among the generated ones.
    Listing(u32),
}

impl Stream {
    fn number(self) -> u64 {
        match self {
            Self::Arrivals => 0,
            Self::Prices => 1,
            Self::Orders => 2,
            Self::PastFactors => 3,
            Self::Amendments => 4,
            Self::LateTrades => 5,
            Self::PastSymbol(index) => (1 << 32) | u64::from(index),
            Self::Listing(index) => (2 << 32) | u64::from(index),
            Self::PastDay { motion, day } => (1 << 56) | of_time(motion, day),
            Self::PastHour { symbol, hour } => (2 << 56) | of_time(symbol, hour),
        }
    }
}

/// Returns a different number for each pair: 24 bits of the index, 32 of the time.
fn of_time(index: u32, time: i64) -> u64 {
    (u64::from(index & 0xff_ffff) << 32) | (time.cast_unsigned() & 0xffff_ffff)
}

/// One stream of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Noise(ChaCha8Rng);

impl Noise {
    /// Returns the beginning of the stream.
    pub(super) fn new(seed: u64, stream: Stream) -> Self {
        let mut key = *b"\0\0\0\0\0\0\0\0tickcast market noise v1";
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(stream.number());
        Self(rng)
    }

    /// Returns 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0.random()
    }

    /// Returns a uniformly distributed number from 0 to 1, excluding 1.
    pub(super) fn uniform(&mut self) -> f64 {
        self.0.random()
    }

    /// Returns a standard normal variate; at most about 8.2 from zero.
    pub(super) fn normal(&mut self) -> f64 {
        normal_quantile(self.0.sample(Open01))
    }

    /// Returns an exponential variate with mean 1; at most about 36.8.
    pub(super) fn exponential(&mut self) -> f64 {
        let uniform: f64 = self.0.sample(Open01);
        -libm::log(uniform)
    }
}

/// Returns the quantile of the standard normal distribution for this probability (0 and 1 excluded).
///
/// Peter Acklam's rational approximation, relative error below 1.2e-9: more accurate than any statistic of a run can
/// show, at the cost of one division in nineteen cases of twenty.
fn normal_quantile(probability: f64) -> f64 {
    const TAIL: f64 = 0.024_25;
    if probability < TAIL {
        tail_quantile(probability)
    } else if probability > 1.0 - TAIL {
        -tail_quantile(1.0 - probability)
    } else {
        let centred = probability - 0.5;
        let square = centred * centred;
        let numerator = polynomial(
            [
                -3.969_683_028_665_376e1,
                2.209_460_984_245_205e2,
                -2.759_285_104_469_687e2,
                1.383_577_518_672_69e2,
                -3.066_479_806_614_716e1,
                2.506_628_277_459_239,
            ],
            square,
        );
        let denominator = polynomial(
            [
                -5.447_609_879_822_406e1,
                1.615_858_368_580_409e2,
                -1.556_989_798_598_866e2,
                6.680_131_188_771_972e1,
                -1.328_068_155_288_572e1,
                1.0,
            ],
            square,
        );
        centred * numerator / denominator
    }
}

/// The same for a probability near zero.
#[cold]
fn tail_quantile(probability: f64) -> f64 {
    let distance = (-2.0 * libm::log(probability)).sqrt();
    let numerator = polynomial(
        [
            -7.784_894_002_430_293e-3,
            -3.223_964_580_411_365e-1,
            -2.400_758_277_161_838,
            -2.549_732_539_343_734,
            4.374_664_141_464_968,
            2.938_163_982_698_783,
        ],
        distance,
    );
    let denominator = polynomial(
        [7.784_695_709_041_462e-3, 3.224_671_290_700_398e-1, 2.445_134_137_142_996, 3.754_408_661_907_416, 1.0],
        distance,
    );
    numerator / denominator
}

/// Returns the polynomial with these coefficients, highest power first.
fn polynomial<const LEN: usize>(coefficients: [f64; LEN], at: f64) -> f64 {
    coefficients.into_iter().fold(0.0, |sum, coefficient| sum * at + coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_quantile_is_the_inverse_of_the_normal_distribution() {
        for step in 1..100_000 {
            let probability = f64::from(step) / 100_000.0;
            let back = libm::erfc(-normal_quantile(probability) / std::f64::consts::SQRT_2) / 2.0;
            assert!((back / probability - 1.0).abs() < 1e-7, "{probability} {back}");
        }
        for exponent in 5..16 {
            let probability = libm::pow(10.0, -f64::from(exponent));
            let back = libm::erfc(-normal_quantile(probability) / std::f64::consts::SQRT_2) / 2.0;
            assert!((back / probability - 1.0).abs() < 1e-6, "{probability} {back}");
        }
    }

    #[test]
    fn the_distributions_have_the_moments_of_their_names() {
        let mut noise = Noise::new(7, Stream::Prices);
        let count = 1_000_000;
        let (mut sum, mut square, mut fourth, mut waits) = (0.0, 0.0, 0.0, 0.0);
        for _ in 0..count {
            let normal = noise.normal();
            sum += normal;
            square += normal * normal;
            fourth += normal * normal * normal * normal;
            waits += noise.exponential();
        }
        let mean = |total: f64| total / f64::from(count);
        assert!(mean(sum).abs() < 0.005);
        assert!((mean(square) - 1.0).abs() < 0.007);
        assert!((mean(fourth) - 3.0).abs() < 0.06);
        assert!((mean(waits) - 1.0).abs() < 0.005);
    }

    #[test]
    fn streams_and_seeds_differ_and_each_is_repeatable() {
        let first = |seed, stream| Noise::new(seed, stream).bits();
        assert_eq!(first(1, Stream::Prices), first(1, Stream::Prices));
        assert_ne!(first(1, Stream::Prices), first(2, Stream::Prices));
        assert_ne!(first(1, Stream::Prices), first(1, Stream::Orders));
        assert_ne!(first(1, Stream::PastSymbol(3)), first(1, Stream::Listing(3)));
    }
}
