// @ts-check
// Uses the JavaScript client as it is told, and passes on every message and status. It runs in Node and in a page.

/** @typedef {import("../../clients/js/options.js").Options} Options */
/** @typedef {import("../../clients/js/options.js").SubscribeOptions} SubscribeOptions */
/**
 * @typedef {{ url: string, options: Options, subscriptions: [string | string[], SubscribeOptions][], name?: string }} Wanted `name` is in every
 *   line of this client
 */

/**
 * Starts a client. Returns a function that closes it.
 * @param {typeof import("../../clients/js/tickcast.js")} library
 * @param {Wanted} wanted
 * @param {(line: object) => void} print
 * @returns {{ close: () => void, ended: Promise<void> }}
 */
export function watch({ Client, ClosedError }, { url, options, subscriptions, name }, print) {
  /** @param {object} line */
  const show = (line) => print(name === undefined ? line : { ...line, of: name });
  const client = new Client(url, options);
  client.on("status", (status) => show({ ...status, type: "status" }));
  for (const [symbols, how] of subscriptions) client.subscribe(symbols, how);
  client.connect();
  const read = async () => {
    try {
      for await (const message of client) show(message);
      show({ type: "end" });
    } catch (err) {
      if (!(err instanceof ClosedError)) throw err;
      show({ type: "end", failure: err.failure });
    }
  };
  return { close: () => void client.close(), ended: read() };
}
