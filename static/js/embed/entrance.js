// @ts-check
/**
 * The way in to a server that asks for a key, for the embedded ticker. A script that is loaded on demand belongs to one page.
 *
 * Owns: nothing.
 */

import { admit, showAccount } from "../entrance.js";

export { admit, showAccount };
