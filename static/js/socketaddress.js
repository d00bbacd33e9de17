// @ts-check
/**
 * Builds the URLs of the server's WebSockets.
 *
 * Owns: the rule for `ws:` and `wss:`. Does not own: HTTP, as `fetch` and `EventSource` resolve relative URLs themselves. All URLs
 * are relative to the page, because a proxy may serve everything below a path of its own.
 */

/** Returns the address of a WebSocket. @param {string} path relative to the page, without a slash before it */
export function socketAddress(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
