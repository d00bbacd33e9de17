// @ts-check
// The uWebSockets.js peer. MODE=publish: a topic for each symbol, the library joins the frames of one step into one send.
// MODE=send: the trades of a step joined into one frame for each session, one send each. Measures nothing itself.
import uWS from "uwebsockets";
import { Joiner, everyStep, market, settings } from "./market.mjs";

const decoder = new TextDecoder();
/** @typedef {import("./market.mjs").Session & { ws: import("uwebsockets").Socket<Data> }} Session */
/** @typedef {{ session?: Session }} Data */

/** @type {Joiner<Session>} */
const joiner = new Joiner();
const publishes = settings.mode === "publish";
const app = uWS.App();

/** @type {import("uwebsockets").Behavior<Data>} */
const behavior = {
  compression: uWS.DISABLED,
  maxBackpressure: 1024 * 1024,
  maxPayloadLength: 64 * 1024,
  idleTimeout: 120,
  message(ws, message) {
    const symbols = market.wanted(decoder.decode(message));
    if (publishes) for (const symbol of symbols) ws.subscribe(market.names[symbol]);
    else {
      const data = ws.getUserData();
      data.session ??= { ws, pending: null };
      joiner.subscribe(data.session, symbols);
    }
  },
  close(ws) {
    const { session } = ws.getUserData();
    if (session) joiner.forget(session);
  },
};
app.ws("/*", behavior);

everyStep(
  publishes
    ? () => market.takeDue((symbol, text) => app.publish(market.names[symbol], `[${text}]`, false, false))
    : () => joiner.step((session, text) => session.ws.send(text, false, false)),
);

app.listen("127.0.0.1", settings.port, (socket) => {
  if (!socket) throw new Error("cannot listen");
  console.log(`listening ${uWS.us_socket_local_port(socket)}`);
});
process.on("SIGTERM", () => process.exit(0));
