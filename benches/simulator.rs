//! Benchmark: events per second of the simulated market on one core, and the time to compute its past.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tickcast::domain::{Interval, SymbolId, Timestamp};
use tickcast::feed::simulated::backfill::Backfill;
use tickcast::feed::simulated::{Simulator, SimulatorConfig};

/// Events in one measured step.
const STEP_EVENTS: usize = 10_000;
/// The afternoon of a working day.
const START: Timestamp = Timestamp::from_micros(1_772_463_845_123_456);

/// The default market, and that of the load tests.
fn markets() -> [(&'static str, SimulatorConfig); 3] {
    let default = SimulatorConfig::default();
    let load = SimulatorConfig { events_per_second: 5_300.0, extra_symbols: 500, ..default };
    [
        ("30 symbols", default),
        ("530 symbols", load),
        ("530 symbols, trades only", SimulatorConfig { quotes_per_trade: 0.0, ..load }),
    ]
}

fn events(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("simulator");
    group.throughput(Throughput::Elements(STEP_EVENTS as u64));
    for (name, config) in markets() {
        let mut market = Simulator::new(&config, START).expect("the configuration is in range");
        group.bench_function(BenchmarkId::new("events", name), |bencher| {
            bencher.iter(|| market.by_ref().take(STEP_EVENTS).for_each(|event| drop(black_box(event))));
        });
    }
    group.finish();
}

fn past(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("simulator");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for (name, config) in markets() {
        group.bench_function(BenchmarkId::new("openings", name), |bencher| {
            bencher.iter(|| {
                let past = Backfill::new(&config, START).expect("the configuration is in range");
                for id in 0..past.symbols() {
                    black_box(past.opening(SymbolId(id)));
                }
            });
        });
    }
    let past = Backfill::new(&SimulatorConfig::default(), START).expect("the configuration is in range");
    for interval in Interval::ALL {
        group.bench_function(BenchmarkId::new("bars of the past", interval), |bencher| {
            bencher.iter(|| black_box(past.bars(SymbolId(0), interval)));
        });
    }
    group.finish();
}

criterion_group!(benches, events, past);
criterion_main!(benches);
