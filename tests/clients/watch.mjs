// @ts-check
// A program that uses the JavaScript client as its only argument, JSON, says, once or several times, and prints every message as one
// line of JSON. A line on its standard input closes it.
import { createInterface } from "node:readline";
import * as library from "../../clients/js/tickcast.js";
import { watch } from "./watching.js";

/** @type {import("./watching.js").Wanted[]} */
const wanted = [JSON.parse(process.argv[2])].flat();
const running = wanted.map((each) => watch(library, each, (line) => process.stdout.write(`${JSON.stringify(line)}\n`)));
createInterface({ input: process.stdin }).on("line", () => {
  for (const { close } of running) close();
});
await Promise.all(running.map(({ ended }) => ended));
// Not before the last line has been written.
process.stdout.write("", () => process.exit());
