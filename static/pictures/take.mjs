// @ts-check
/**
 * Takes pictures of the pages, with Chromium and a server of its own:
 *
 *   node static/pictures/take.mjs readme            docs/screenshot.png and docs/motion.png, of a page that has been open for a minute
 *   node static/pictures/take.mjs states [NAME…]    every state of `states.mjs`, width, scheme and language, below target/pictures
 *   node static/pictures/take.mjs sheet             docs/pictures.webp, from these
 *
 * TICKCAST_PROGRAM is the server, target/debug/tickcast by default; CHROMIUM the browser.
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { animate } from "./apng.mjs";
import { Browser, pause } from "./browser.mjs";
import { Server } from "./server.mjs";
import { sheetOf } from "./sheet.mjs";
import { FULL, STATES } from "./states.mjs";

/** @typedef {import("./states.mjs").State} State */

const ROOT = new URL("../../", import.meta.url);
const FOLDER = new URL("target/pictures/", ROOT);
const PROGRAM = process.env.TICKCAST_PROGRAM ?? fileURLToPath(new URL("target/debug/tickcast", ROOT));
const SIZES = [[1920, 1080], [1280, 800], [768, 1024], [390, 844], [320, 640]];
const SCHEMES = /** @type {const} */ (["light", "dark"]);
const LANGUAGES = ["en", "ko"];
/** The page is painted anew within this time after its size has changed. */
const SETTLED_MS = 350;
/** After a minute every row has traded. */
const MINUTE_MS = 60_000;
const FRAMES = 32;
const FRAME_MS = 250;

/** @param {Browser} browser @param {State} state */
async function takeState(browser, state) {
  for (const language of LANGUAGES) {
    const server = await Server.start(PROGRAM, state.settings);
    try {
      await takeLanguage(browser, server, state, language);
    } finally {
      server.close();
    }
  }
}

/** @param {Browser} browser @param {Server} server @param {State} state @param {string} language */
async function takeLanguage(browser, server, { name, path, widths, reach }, language) {
  const [file, query] = path.includes("?") ? path.split("?") : ["", path];
  const page = await browser.open(`${server.url}${file}?lang=${language}${query === "" ? "" : `&${query}`}`);
  await reach?.(page, server);
  for (const [width, height] of SIZES.filter(([width]) => widths?.includes(width) ?? true)) {
    for (const scheme of SCHEMES) {
      await page.shape(width, height, scheme);
      await pause(SETTLED_MS);
      // On a narrow window a page is longer than the window.
      const picture = await page.picture({ isWhole: width < 1_100 });
      writeFileSync(new URL(`${name}-${width}-${scheme}-${language}.png`, FOLDER), picture);
    }
  }
  await page.close();
}

/** @param {Browser} browser */
async function takeReadme(browser) {
  const server = await Server.start(PROGRAM);
  try {
    const page = await browser.open(`${server.url}?lang=en`);
    await page.shape(1280, 800, "dark");
    await page.until(FULL);
    await pause(MINUTE_MS);
    writeFileSync(new URL("docs/screenshot.png", ROOT), await page.picture());
    const clip = await page.box(".side");
    const frames = [];
    for (let count = 0; count < FRAMES; count += 1) {
      const next_ms = performance.now() + FRAME_MS;
      frames.push({ picture: await page.picture({ clip }), ms: FRAME_MS });
      await pause(next_ms - performance.now());
    }
    writeFileSync(new URL("docs/motion.png", ROOT), animate(frames));
  } finally {
    server.close();
  }
}

/** @param {Browser} browser */
async function takeSheet(browser) {
  const page = await browser.open("about:blank#sheet");
  const { html, width } = sheetOf((name) => readFileSync(new URL(`${name}.png`, FOLDER)).toString("base64"));
  await page.shape(width, 800, "light");
  await page.value(`document.body.innerHTML = ${JSON.stringify(html)}; Promise.all([...document.images].map((image) => image.decode())).then(() => 0)`);
  writeFileSync(new URL("docs/pictures.webp", ROOT), await page.picture({ isWhole: true, format: "webp", quality: 70 }));
}

const [what, ...names] = process.argv.slice(2);
mkdirSync(FOLDER, { recursive: true });
const browser = new Browser();
try {
  if (what === "readme") await takeReadme(browser);
  else if (what === "sheet") await takeSheet(browser);
  else if (what === "states") {
    for (const state of STATES.filter(({ name }) => names.length === 0 || names.includes(name))) await takeState(browser, state);
  } else throw new Error("say what to take: readme, states or sheet");
} finally {
  await browser.close();
}
