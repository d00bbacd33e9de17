// A TypeScript program that uses the installed package: it is compiled only, with the types that npm delivers.
import { type Client, ClosedError, connect } from "tickcast-client";

export async function firstPrices(url: string): Promise<number[]> {
  const client: Client = connect(url, { transports: ["websocket", "sse"], on_lag: "close", upgrade_ms: 30_000 });
  client.subscribe(["AAPL"], { channels: ["trades", "corrections"], mode: "all" });
  const stop: () => void = client.on("hole", ({ symbol, from, to }) => console.warn(symbol, to - from));
  // @ts-expect-error there is no such channel
  client.subscribe("AAPL", { channels: ["trade"] });
  const prices: number[] = [];
  try {
    for await (const message of client) {
      if (message.type === "trade" || message.type === "correction") prices.push(message.price);
      else if (message.type === "overflow") console.warn(message.skipped);
      if (prices.length === 10) break;
    }
  } catch (err) {
    if (err instanceof ClosedError) console.error(err.failure.code);
  }
  stop();
  await client.close();
  return prices;
}
