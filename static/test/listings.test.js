// @ts-check
// Checks the list of symbols of a server whose feed adds some.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Listings } from "../js/listings.js";

/** Answers requests with these lists, one after another. Returns the addresses of the requests. @param {object[]} answers */
function serve(answers) {
  /** @type {string[]} */
  const requests = [];
  globalThis.fetch = async (url) => {
    requests.push(String(url));
    return Response.json(answers[requests.length - 1]);
  };
  return requests;
}

const listing = (/** @type {string} */ symbol) => ({ symbol, name: symbol, sector: "" });

test("symbols that the server adds are known at the next look, and refused ones no longer", async () => {
  const requests = serve([{ grows: true, symbols: [] }, { grows: true, symbols: [listing("AA")] }, { grows: true, symbols: [] }, { grows: true, symbols: [listing("BB")] }]);
  const listings = new Listings();
  assert.equal(await listings.load("e1"), true);
  assert.equal(listings.barren, "The server has no symbol yet.");
  assert.equal(await listings.refresh(), true);
  assert.equal(listings.barren, "");
  listings.refuse(["BB"]);
  assert.equal(listings.isUnknown("BB"), true);
  assert.equal(await listings.load("e1"), false);
  assert.equal(await listings.refresh(), false);
  assert.equal(await listings.refresh(), true);
  assert.equal(listings.isUnknown("BB"), false);
  assert.deepEqual(listings.all.map(({ symbol }) => symbol), ["AA", "BB"]);
  assert.deepEqual(requests, ["api/v1/symbols", "api/v1/symbols", "api/v1/symbols?from=1", "api/v1/symbols?from=1"]);
});

test("a server whose symbols are fixed is not asked again", async () => {
  const requests = serve([{ symbols: [listing("AA")] }]);
  const listings = new Listings();
  await listings.load("e1");
  assert.equal(listings.barren, "");
  assert.equal(await listings.refresh(), false);
  assert.equal(requests.length, 1);
});

test("all symbols are loaded again if their places have changed", async () => {
  const requests = serve([
    { grows: true, symbols: [listing("AA"), listing("CC")] },
    { grows: true, symbols: [listing("CC")] },
    { grows: true, symbols: [listing("AA"), listing("BB"), listing("CC")] },
  ]);
  const listings = new Listings();
  await listings.load("e1");
  assert.equal(await listings.refresh(), true);
  assert.deepEqual(listings.all.map(({ symbol }) => symbol), ["AA", "BB", "CC"]);
  assert.deepEqual(requests, ["api/v1/symbols", "api/v1/symbols?from=2", "api/v1/symbols"]);
});
