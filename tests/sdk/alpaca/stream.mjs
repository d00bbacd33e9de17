// Reads the stock stream with @alpacahq/alpaca-trade-api, and fails if the client reports an error, or if an event is missing.
//
//     node stream.mjs ADDRESS SECONDS CHANNEL=LEAST…
//
// ADDRESS is that of the WebSocket, with its path. Each CHANNEL (trades, quotes, bars, updatedBars, dailyBars, corrections,
// cancelErrors) must bring at least LEAST events within SECONDS.

import { setTimeout as sleep } from "node:timers/promises";
import { streaming } from "@alpacahq/alpaca-trade-api";

const [url, seconds, ...wanted] = process.argv.slice(2);
const credentials = { keyId: "tickcast", secret: "tickcast" };
const stream = new streaming.StockDataStream({ credentials, url });

/** @type {string[]} */
const complaints = [];
/** @type {Record<string, number>} */
const counts = {};
/** @type {Map<string, bigint>} */
const newestTrade = new Map();

function count(channel, isValid = () => true) {
  return (event) => {
    counts[channel] = (counts[channel] ?? 0) + 1;
    if (!isValid(event)) complaints.push(`${channel}: ${JSON.stringify(event, (_, value) => (typeof value === "bigint" ? `${value}n` : value))}`);
  };
}

/** The id of a trade is one more than that of the symbol's last one: nothing was lost. */
function follows(trade) {
  const before = newestTrade.get(trade.symbol);
  const id = BigInt(trade.id);
  newestTrade.set(trade.symbol, id);
  return before === undefined || id === before + 1n;
}

const isTime = (event) => !Number.isNaN(Date.parse(String(event.timestampRaw ?? event.timestamp)));
const isBar = (bar) => bar.low <= bar.high && bar.volume > 0 && isTime(bar);
stream.onTrade(count("trades", (trade) => trade.price > 0 && trade.size > 0 && isTime(trade) && follows(trade)));
stream.onQuote(count("quotes", (quote) => quote.bidPrice < quote.askPrice && isTime(quote)));
stream.onBar(count("bars", isBar));
stream.onUpdatedBar(count("updatedBars", isBar));
stream.onDailyBar(count("dailyBars", isBar));
stream.onCorrection(count("corrections"));
stream.onCancelError(count("cancelErrors"));
for (const name of ["error", "client_error", "disconnected"]) stream.on(name, (error) => complaints.push(`${name}: ${error}`));
for (const subscribe of ["Trades", "Quotes", "Bars", "UpdatedBars", "DailyBars", "Statuses", "Lulds", "Imbalances"]) {
  stream[`subscribeFor${subscribe}`](["*"]);
}
stream.connect();
await sleep(Number(seconds) * 1_000);
const said = complaints.length;
stream.disconnect();

console.log(JSON.stringify(counts));
const missing = wanted.map((word) => word.split("=")).filter(([channel, least]) => (counts[channel] ?? 0) < Number(least));
for (const [channel, least] of missing) console.error(`${channel}: ${counts[channel] ?? 0} events, not ${least}`);
for (const line of complaints.slice(0, Math.min(said, 20))) console.error(line);
process.exit(missing.length + said > 0 ? 1 : 0);
