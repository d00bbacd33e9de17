// @ts-check
// The peer on `ws`, the usual WebSocket package of Node: a loop over the sessions of each step, every trade made into text
// once, the trades of one step joined into one frame for each session. Measures nothing itself.
import { WebSocketServer } from "ws";
import { Joiner, everyStep, market, settings } from "./market.mjs";

/** @typedef {import("./market.mjs").Session & { ws: import("ws").WebSocket }} Session */

/** @type {Joiner<Session>} */
const joiner = new Joiner();
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: settings.port,
  backlog: 4096,
  perMessageDeflate: false,
  maxPayload: 64 * 1024,
});

server.on("connection", (ws, request) => {
  request.socket.setNoDelay(true);
  /** @type {Session} */
  const session = { ws, pending: null };
  ws.on("message", (message) => joiner.subscribe(session, market.wanted(message.toString())));
  ws.on("close", () => joiner.forget(session));
  ws.on("error", () => ws.terminate());
});
server.on("listening", () => console.log(`listening ${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`));

const options = { binary: false, compress: false, fin: true };
/** @type {string | null} */
let text = null;
let bytes = Buffer.alloc(0);
everyStep(() =>
  joiner.step((session, joined) => {
    if (joined !== text) {
      text = joined;
      bytes = Buffer.from(joined);
    }
    if (session.ws.readyState === session.ws.OPEN) session.ws.send(bytes, options);
  }),
);
process.on("SIGTERM", () => process.exit(0));
