// Reads bars, trades, newest values and snapshots with @alpacahq/alpaca-trade-api 4, unchanged. Usage: rest.mjs http://127.0.0.1:PORT

import assert from 'node:assert/strict';

import { marketData } from '@alpacahq/alpaca-trade-api';

const [basePath] = process.argv.slice(2);
const open = (secret) => new marketData.StockApi(new marketData.Configuration({ basePath, keyId: 'tickcast', secret }));
const api = open('tickcast');
const symbols = 'AAPL,MSFT,NVDA';
const start = new Date(Date.now() - 6 * 3600_000);

// Pages over three symbols.
const bars = new Map();
let pageToken;
let pages = 0;
do {
  const page = await api.stockBars({ symbols, timeframe: '1Min', start, limit: 400, ...(pageToken && { pageToken }) });
  for (const [symbol, rows] of Object.entries(page.bars)) {
    bars.set(symbol, [...(bars.get(symbol) ?? []), ...rows]);
  }
  pageToken = page.nextPageToken;
  pages += 1;
} while (pageToken);
assert.deepEqual([...bars.keys()], symbols.split(','));
assert.ok(pages > 2 && bars.get('AAPL').length > 300, `${pages} pages`);

const single = await api.stockBarSingle({ symbol: 'KO', timeframe: '1Day', start: new Date(Date.now() - 30 * 86400_000) });
assert.ok(single.symbol === 'KO' && single.bars.length > 20);
const trades = await api.stockTrades({ symbols, limit: 10, sort: 'desc' });
assert.ok(trades.trades.AAPL.length > 0);
const latest = await api.stockLatestTrades({ symbols });
assert.deepEqual(Object.keys(latest.trades), symbols.split(','));
const quote = await api.stockLatestQuoteSingle({ symbol: 'AAPL' });
assert.ok(quote.quote.bp < quote.quote.ap);
const snapshots = await api.stockSnapshots({ symbols });
assert.ok(snapshots.NVDA.latestTrade.p > 0 && snapshots.NVDA.prevDailyBar.c > 0);
const snapshot = await api.stockSnapshotSingle({ symbol: 'AAPL' });
assert.ok(snapshot.dailyBar.v > 0);
assert.equal((await api.stockMetaExchanges()).V, 'IEX');

await assert.rejects(api.stockBars({ symbols, timeframe: '61Min' }), (err) => err.status === 400 || err.response?.status === 400);
