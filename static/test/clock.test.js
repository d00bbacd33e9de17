// @ts-check
// Checks the estimate of the server's clock and the format of the latency.
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeLatency, OffsetEstimator, timerResolution } from "../js/clock.js";

test("a symmetric exchange gives the offset exactly", () => {
  const clock = new OffsetEstimator();
  assert.equal(clock.best, null);
  clock.add(1_000, 5_500, 2_000);
  assert.deepEqual(clock.best, { offset_us: 4_000, error_us: 500 });
});

test("the exchange with the shortest round trip gives the estimate", () => {
  const clock = new OffsetEstimator();
  clock.add(0, 90_000, 100_000);
  clock.add(200_000, 201_100, 202_000);
  clock.add(300_000, 390_000, 400_000);
  assert.deepEqual(clock.best, { offset_us: 100, error_us: 1_000 });
});

test("the error includes the resolution of the clock and grows by the drift", () => {
  const clock = new OffsetEstimator(100);
  assert.equal(clock.at(0), null);
  clock.add(1_000, 5_500, 2_000);
  assert.deepEqual(clock.best, { offset_us: 4_000, error_us: 600 });
  assert.deepEqual(clock.at(2_000 + 10_000_000), { offset_us: 4_000, error_us: 600 + 500 });
  clock.add(10_001_000, 10_005_600, 10_002_400);
  assert.equal(clock.at(10_002_400).error_us, 800, "a new exchange beats an older one that was better");
});

test("the bound holds for any asymmetric round trip and any resolution", () => {
  const ahead = 5_000;
  for (const step of [1, 100, 1_000]) {
    /** @param {number} us */
    const read = (us) => Math.floor(us / step) * step;
    for (const [up, down] of [[900, 100], [20, 40], [0, 700], [700, 0]]) {
      for (let at = 0; at < 2_000; at += 37) {
        const clock = new OffsetEstimator(step);
        clock.add(read(at), at + up + ahead, read(at + up + down));
        assert.ok(Math.abs(clock.best.offset_us - ahead) <= clock.best.error_us, `${step} ${up} ${down} ${at}`);
      }
    }
  }
});

test("the resolution of a clock is measured", () => {
  let reads = 0;
  const read = () => {
    reads += 1;
    return Math.floor(reads / 7) * 0.1;
  };
  assert.equal(Math.round(timerResolution(read)), 100);
});

test("an old exchange is forgotten after eight more", () => {
  const clock = new OffsetEstimator();
  clock.add(0, 100, 10);
  for (let count = 0; count < 8; count += 1) clock.add(0, 7_000, 2_000);
  assert.equal(clock.best.offset_us, 6_000);
});

test("an exchange during which the clock was set back is ignored", () => {
  const clock = new OffsetEstimator();
  clock.add(1_000, 5_000, 500);
  clock.add(Number.NaN, 5_000, 500);
  assert.equal(clock.best, null);
});

test("a latency below the error of the clock is written as less than it", () => {
  assert.equal(describeLatency(null, { offset_us: 0, error_us: 1 }), "–");
  assert.equal(describeLatency(800, null), "–");
  assert.equal(describeLatency(800, { offset_us: 0, error_us: 100 }), "<1 ms");
  assert.equal(describeLatency(-50, { offset_us: 0, error_us: 100 }), "<1 ms");
  assert.equal(describeLatency(2_500, { offset_us: 0, error_us: 3_200 }), "<4 ms");
  assert.equal(describeLatency(2_540, { offset_us: 0, error_us: 100 }), "2.5 ms");
  assert.equal(describeLatency(1_234_567, { offset_us: 0, error_us: 100 }), "1,235 ms");
});
