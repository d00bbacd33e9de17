// @ts-check
/**
 * The addresses of the server's sockets, seen from the page.
 *
 * Owns: that rule. Does not own: addresses of HTTP, which `fetch` and `EventSource` find by themselves. All are relative to the
 * page, because a proxy may serve everything below a path of its own.
 */

/** Returns the address of a WebSocket. @param {string} path relative to the page, without a slash before it */
export function socketAddress(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
