// @ts-check
// Checks what the pages send to a server that asks for a key, and that they send nothing more to one that does not.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { bearer, fetchAs, isSignedIn, setKey, setTickets, startAccess } from "../js/access.js";
import { admit } from "../js/entrance.js";
import { onFailure, token } from "../js/linkaccess.js";
import { addressAs } from "../js/tickets.js";

/** @typedef {{ url: string, method: string, authorization: string | null }} Sent */

const realFetch = globalThis.fetch;
/** @type {Sent[]} */
let sent = [];

/** @param {(request: Sent) => Response} answer */
function serve(answer) {
  globalThis.fetch = async (url, init) => {
    const request = { url: String(url), method: init?.method ?? "GET", authorization: new Headers(init?.headers).get("authorization") };
    sent.push(request);
    return answer(request);
  };
}

/** A server whose pages have a key: the n-th ticket is `t<n>`, and the newest one is good. @param {number} [lifetime_ms] */
function servePages(lifetime_ms = 600_000) {
  let made = 0;
  serve(({ method, authorization }) => {
    if (method === "POST") made += 1;
    if (method === "POST") return ticket(`t${made}`, lifetime_ms);
    return authorization === `Bearer t${made}` ? new Response("{}") : refused();
  });
}

const posts = () => sent.filter(({ method }) => method === "POST").length;
const ticket = (name = "t1", lifetime_ms = 600_000) => new Response(JSON.stringify({ ticket: name, expires_at: (Date.now() + lifetime_ms) * 1_000 }));
const refused = () => new Response("{}", { status: 401 });

beforeEach(async () => {
  sent = [];
  setKey(null);
  setTickets(() => null);
  await startAccess(async () => ({ admit, showAccount: async () => {} }));
});
afterEach(() => { globalThis.fetch = realFetch; });

test("a server that asks for no key is sent none", async () => {
  serve(() => new Response("{}"));
  assert.equal(bearer(), null);
  assert.equal((await fetchAs("api/v1/symbols")).status, 200);
  assert.deepEqual(sent, [{ url: "api/v1/symbols", method: "GET", authorization: null }]);
});

test("the viewer's key is sent as a header, and in no address: each of those gets a ticket of its own", async () => {
  setKey("tcs_secret");
  let made = 0;
  serve(({ method, authorization }) => {
    if (authorization !== "Bearer tcs_secret") return refused();
    if (method === "POST") made += 1;
    return method === "POST" ? ticket(`t${made}`) : new Response("{}");
  });
  assert.deepEqual([bearer(), isSignedIn()], ["tcs_secret", true]);
  assert.equal((await fetchAs("api/v1/symbols", { headers: { accept: "application/json" } })).status, 200);
  assert.deepEqual([await addressAs("ws"), await addressAs("ws?client=a")], ["ws?ticket=t1", "ws?client=a&ticket=t2"]);
  assert.ok(sent.every(({ url }) => !url.includes("tcs_secret")));
});

test("a ticket of the pages is fetched once, sent with every request, and stands in addresses", async () => {
  servePages();
  const answers = await Promise.all([1, 2, 3].map((symbol) => fetchAs(`api/v1/bars?symbol=${symbol}`)));
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200]);
  assert.deepEqual([posts(), bearer(), isSignedIn()], [1, "t1", false]);
  assert.equal(await addressAs("api/v1/stream?symbols=A"), "api/v1/stream?symbols=A&ticket=t1");
  assert.equal(posts(), 1);
});

test("a ticket that is about to end is renewed before the next request, and one that the server does not know after it", async () => {
  servePages(0);
  assert.equal((await fetchAs("api/v1/symbols")).status, 200);
  assert.deepEqual([await bearer(), posts()], ["t3", 3], "the first one had ended before the request was repeated");
  servePages();
  assert.equal((await fetchAs("api/v1/symbols")).status, 200, "the server was started again");
  assert.equal(bearer(), "t1");
});

test("a response to a request that was sent before is used, and repeated if the server asked for a key", async () => {
  servePages();
  const early = new Response("early");
  assert.equal(await fetchAs("api/v1/bars", {}, Promise.resolve(early)), early);
  assert.equal((await fetchAs("api/v1/bars", {}, Promise.resolve(refused()))).status, 200);
});

test("without anything to show, the refusal is the answer", async () => {
  await startAccess(async () => ({ admit: async () => false, showAccount: async () => {} }));
  serve(refused);
  assert.equal((await fetchAs("api/v1/symbols")).status, 401);
  assert.equal(sent.length, 1);
});

test("a connection that was refused for want of a key leads to the entrance once", async () => {
  servePages();
  assert.equal(await token(), null);
  const failure = /** @type {const} */ ({ cause: "refused", status: 401 });
  assert.equal(await onFailure(failure), true);
  assert.equal(await token(), "t1");
  assert.equal(await onFailure(failure), false, "the same failure");
  assert.equal(await onFailure({ cause: "refused", status: 503 }), false);
  assert.equal(posts(), 1);
});

test("a server that does not answer gives no address, and one that needs no ticket is asked once", async () => {
  serve(() => new Response("{}", { status: 503 }));
  assert.equal(await addressAs("ws"), null);
  serve(() => new Response(null, { status: 204 }));
  assert.deepEqual([await addressAs("ws"), await addressAs("ws?client=a")], ["ws", "ws?client=a"]);
  assert.equal(posts(), 2);
});
