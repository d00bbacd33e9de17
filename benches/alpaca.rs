//! Benchmark: Alpaca's stock stream in both codecs. Goal: MessagePack costs at most 1.1 times JSON for each delivery.
//!
//! A delivery is the copy of encoded bytes into a frame. The encoding itself is done once for all sessions; the third group has
//! both, for a stream with one taker.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tickcast::domain::{Event, EventBody, Price, Quote, Size, SymbolId, Timestamp, Trade};
use tickcast::protocol::alpaca::{Alpaca, Json, MessagePack};
use tickcast::protocol::{Dialect, Publication};

/// Messages of one frame.
const FRAME: u64 = 40;

/// Returns two quotes for each trade, as the simulated market has them by default.
fn events() -> Vec<Event> {
    let symbols = ["AAPL", "BRK.B", "KO", "MSFT"].map(|name| name.parse().expect("a ticker"));
    let event = |number: u64| {
        let step = i64::try_from(number).expect("few");
        let ts = Timestamp::from_micros(1_772_463_845_123_456 + 731 * step);
        let (price, size) =
            (Price::from_cents(20_138 + step % 50), Size::new(1 + u32::try_from(7 * number % 300).expect("small")));
        let body = if number.is_multiple_of(3) {
            EventBody::Trade(Trade { ts, price, size })
        } else {
            let ask = Price::from_cents(20_140 + step % 50);
            EventBody::Quote(Quote { ts, bid: price, bid_size: Size::new(300), ask, ask_size: Size::new(1_200) })
        };
        Event {
            offset: number,
            seq: 58_123 + number,
            id: SymbolId(0),
            symbol: symbols[usize::try_from(number % 4).expect("small")],
            body,
        }
    };
    (0..FRAME).map(event).collect()
}

fn frame<D: Dialect>(publications: &[Publication], out: &mut BytesMut) {
    out.clear();
    let group = D::event_group(&publications[0].event).expect("the stream has it");
    D::begin_frame(group, out);
    for (index, publication) in publications.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(D::JOINT);
        }
        publication.write::<D>(0, out);
    }
    D::end_frame(group, publications.len(), 0, out);
}

fn codec<D: Dialect>(criterion: &mut Criterion, name: &str) {
    let events = events();
    let mut out = Vec::with_capacity(512);
    let mut group = criterion.benchmark_group(format!("alpaca/{name}"));
    group.throughput(Throughput::Elements(FRAME));
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            for event in &events {
                out.clear();
                D::encode_event(black_box(event), &mut out);
                black_box(out.len());
            }
        });
    });
    let publications: Vec<_> = events.iter().cloned().map(Publication::new).collect();
    let mut buffer = BytesMut::with_capacity(16_384);
    group.bench_function("deliver", |bencher| {
        bencher.iter(|| {
            frame::<D>(black_box(&publications), &mut buffer);
            black_box(buffer.len())
        });
    });
    group.bench_function("encode and deliver", |bencher| {
        bencher.iter_batched_ref(
            || events.iter().cloned().map(Publication::new).collect::<Vec<_>>(),
            |publications| {
                frame::<D>(publications, &mut buffer);
                buffer.len()
            },
            criterion::BatchSize::SmallInput,
        );
    });
    group.finish();
    println!("alpaca/{name}: {} bytes for each message", buffer.len() as u64 / FRAME);
}

fn alpaca(criterion: &mut Criterion) {
    codec::<Alpaca<Json, false>>(criterion, "json");
    codec::<Alpaca<MessagePack, false>>(criterion, "msgpack");
}

criterion_group!(benches, alpaca);
criterion_main!(benches);
