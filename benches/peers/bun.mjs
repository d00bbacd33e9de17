// @ts-check
// The Bun peer, to be run by bun. MODE=publish: server.publish on a topic for each symbol. MODE=send: the trades of a step
// joined into one frame for each session, one ws.send each. Measures nothing itself.
import { Joiner, everyStep, market, settings } from "./market.mjs";

/** @typedef {import("./market.mjs").Session & { ws: BunSocket<Session> | null }} Session */

/** @type {Joiner<Session>} */
const joiner = new Joiner();
const publishes = settings.mode === "publish";

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: settings.port,
  fetch(request, server) {
    /** @type {Session} */
    const data = { pending: null, ws: null };
    return server.upgrade(request, { data }) ? undefined : new Response("WebSocket only", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    backpressureLimit: 1024 * 1024,
    maxPayloadLength: 64 * 1024,
    idleTimeout: 120,
    message(ws, message) {
      const symbols = market.wanted(message);
      if (publishes) {
        for (const symbol of symbols) ws.subscribe(market.names[symbol]);
      } else {
        ws.data.ws = ws;
        joiner.subscribe(ws.data, symbols);
      }
    },
    close(ws) {
      if (ws.data.ws) joiner.forget(ws.data);
    },
  },
});

everyStep(
  publishes
    ? () => market.takeDue((symbol, text) => server.publish(market.names[symbol], `[${text}]`, false))
    : () => joiner.step((session, text) => session.ws?.sendText(text, false)),
);
console.log(`listening ${server.port}`);
process.on("SIGTERM", () => process.exit(0));
