// Reads aggregates and snapshots with @massive.com/client-js, unchanged. Usage: rest.mjs http://127.0.0.1:PORT

import assert from 'node:assert/strict';

import { restClient } from '@massive.com/client-js';

const [base] = process.argv.slice(2);
const rest = restClient('tickcast', base, { pagination: true });
const now = Date.now();

const request = { stocksTicker: 'AAPL', multiplier: '1', timespan: 'minute', from: `${now - 3600_000}`, to: `${now}` };
const whole = await rest.getStocksAggregates({ ...request, limit: '1000' });
assert.ok(whole.status === 'OK' && whole.results.length > 50);
// The library follows `next_url` itself.
const paged = await rest.getStocksAggregates({ ...request, limit: '10' });
assert.equal(new Set(paged.results.map((bar) => bar.t)).size, paged.results.length);
assert.ok(paged.results.length >= whole.results.length);

assert.ok((await rest.getLastStocksTrade({ stocksTicker: 'AAPL' })).results.p > 0);
const quote = await rest.getLastStocksQuote({ stocksTicker: 'AAPL' });
assert.ok(quote.results.p < quote.results.P);
const { ticker } = await rest.getStocksSnapshotTicker({ stocksTicker: 'AAPL' });
assert.ok(ticker.day.v > 0 && ticker.lastTrade.p > 0);
const tickers = await rest.listTickers({ market: 'stocks', limit: 10 });
assert.equal(new Set(tickers.results.map((each) => each.ticker)).size, 30);
