// @ts-check
/**
 * A small plot over time, one line for each transport, on a logarithmic scale: a poll's latency is a hundred times a push's.
 *
 * Owns: the drawing. Does not own: the figures or the colours (`compare.css`).
 */

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [520, 190, 72, 8, 8, 22];

/** @typedef {{ name: string, points: { x: number, y: number }[] }} Series */

/**
 * Draws.
 * @param {SVGSVGElement} svg
 * @param {readonly Series[]} series only what is above 0 is drawn
 * @param {number} x_max
 * @param {(value: number) => string} write writes a value of the vertical axis
 */
export function drawPlot(svg, series, x_max, write) {
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  const values = series.flatMap((each) => each.points.map((point) => point.y)).filter((y) => y > 0);
  const low = Math.floor(Math.log10(values.length ? Math.min(...values) : 1));
  const high = Math.max(low + 1, Math.ceil(Math.log10(values.length ? Math.max(...values) : 10)));
  const x = (/** @type {number} */ at) => LEFT + (at / x_max) * (WIDTH - LEFT - RIGHT);
  const y = (/** @type {number} */ value) => TOP + ((high - Math.log10(value)) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const parts = [];
  for (let power = low; power <= high && values.length > 0; power += 1) {
    const at = y(10 ** power);
    parts.push(shape("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: at, y2: at }));
    parts.push(label(LEFT - 6, at + 4, "end", write(10 ** power)));
  }
  for (let part = 0; part <= 3; part += 1) {
    const anchor = part === 3 ? "end" : "middle";
    parts.push(label(x((x_max * part) / 3), HEIGHT - 5, anchor, `${Math.round((x_max * part) / 3)} s`));
  }
  for (const { name, points } of series) {
    const drawn = points.filter((point) => point.y > 0);
    const path = drawn.map((point) => `${x(Math.min(point.x, x_max)).toFixed(1)},${y(point.y).toFixed(1)}`).join(" ");
    parts.push(shape("polyline", { "data-transport": name, "data-points": drawn.length, points: path }));
  }
  svg.replaceChildren(...parts);
}

/** @param {string} tag @param {Record<string, string | number>} attributes */
function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

/** @param {number} x @param {number} y @param {string} anchor @param {string} text */
function label(x, y, anchor, text) {
  const made = shape("text", { x, y, "text-anchor": anchor });
  made.textContent = text;
  return made;
}
