// @ts-check
/**
 * The sheet of pictures: which of the pictures it shows, and how.
 *
 * Owns: this choice. Does not own: taking them (`take.mjs`).
 */

const WIDTH = 1_600;
/** The rows of the sheet, and how high their pictures are. Names as `take.mjs` gives them. @type {readonly [height: number, ...names: string[]][]} */
const ROWS = [
  [440, "live-1920-dark-en", "charts-1920-light-ko"],
  [315, "rows-1280-light-en", "map-1280-dark-ko", "table-1280-light-ko"],
  [315, "offline-1280-dark-en", "stale-1280-light-ko", "empty-1280-dark-ko"],
  [540, "live-768-light-ko", "live-390-dark-en", "live-390-light-ko", "offline-390-dark-ko", "live-320-light-en", "settings-390-dark-en", "search-390-light-ko"],
  [315, "replay-1280-dark-en", "replay-paused-1280-light-ko", "replay-compared-1280-light-en"],
  [315, "compare-1280-light-en", "handshake-1280-dark-ko", "settings-1280-light-ko"],
];

/**
 * Returns the sheet, and its width in pixels.
 * @param {(name: string) => string} read a picture, as base64
 */
export function sheetOf(read) {
  const cells = ROWS.map(([height, ...names]) => {
    const figures = names.map((name) => {
      const url = `data:image/png;base64,${read(name)}`;
      return `<figure><img src="${url}" alt="" style="height: ${height}px"><figcaption>${name.replaceAll("-", " ")}</figcaption></figure>`;
    });
    return `<div>${figures.join("")}</div>`;
  });
  const style = `body { margin: 0; padding: 16px; width: ${WIDTH - 32}px; background: #888; font: 13px sans-serif; color: #000; }
    div { display: flex; gap: 12px; margin-bottom: 12px; } figure { margin: 0; flex: 1 1 auto; }
    img { display: block; width: 100%; aspect-ratio: auto; object-fit: cover; object-position: top; } figcaption { padding: 3px 0; }
    img { background: #666; }`;
  return { html: `<style>${style}</style>${cells.join("")}`, width: WIDTH };
}
