// @ts-check
// A program that uses the JavaScript client as its only argument, JSON, says, and prints every message as one line of JSON.
// A line on its standard input closes it.
import { createInterface } from "node:readline";
import { Client, ClosedError } from "../../clients/js/tickcast.js";

/** @type {{ url: string, options: import("../../clients/js/options.js").Options, subscriptions: [string | string[], import("../../clients/js/options.js").SubscribeOptions][] }} */
const { url, options, subscriptions } = JSON.parse(process.argv[2]);
/** @param {object} line */
const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const client = new Client(url, options);
client.on("status", (status) => print({ ...status, type: "status" }));
for (const [symbols, how] of subscriptions) client.subscribe(symbols, how);
client.connect();
createInterface({ input: process.stdin }).on("line", () => void client.close());
try {
  for await (const message of client) print(message);
  print({ type: "end" });
} catch (err) {
  if (!(err instanceof ClosedError)) throw err;
  print({ type: "end", failure: err.failure });
}
process.exit();
