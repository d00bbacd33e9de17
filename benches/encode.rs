//! Benchmark: encoding one message of the native dialect. Goal: one trade in at most 200 ns.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use tickcast::domain::{Event, EventBody, Price, Quote, Size, SymbolId, Timestamp, Trade};
use tickcast::protocol::native::Native;
use tickcast::protocol::{Dialect, Publication};

fn event(body: EventBody) -> Event {
    let symbol = "AAPL".parse().expect("a ticker");
    Event { offset: 48_214_111, seq: 58_123, id: SymbolId(0), symbol, body }
}

fn encode(criterion: &mut Criterion) {
    let ts = Timestamp::from_micros(1_772_463_845_123_456);
    let trade = event(EventBody::Trade(Trade { ts, price: Price::from_cents(20_138), size: Size::new(125) }));
    let quote = event(EventBody::Quote(Quote {
        ts,
        bid: Price::from_cents(20_137),
        bid_size: Size::new(100),
        ask: Price::from_cents(20_139),
        ask_size: Size::new(400),
    }));
    let mut out = Vec::with_capacity(256);
    for (name, event) in [("trade", &trade), ("quote", &quote)] {
        criterion.bench_function(&format!("encode/{name}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                Native::encode_event(black_box(event), &mut out);
                black_box(out.len())
            });
        });
    }
    criterion.bench_function("encode/publication of a trade, with its allocation", |bencher| {
        bencher.iter_batched_ref(
            || Publication::new(trade.clone()),
            |publication| publication.encoded::<Native>().len(),
            criterion::BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, encode);
criterion_main!(benches);
