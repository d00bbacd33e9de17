// @ts-check
/**
 * A small plot over time, one line for each transport, on a logarithmic scale: a poll's latency is a hundred times a push's.
 * A line ends where there is no value; nothing at all, zero, lies on the axis.
 *
 * Owns: the drawing. Does not own: the figures, or colours and dashes (`compare.css`).
 */

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [520, 190, 72, 8, 8, 22];
/** The time between two samples, in seconds, and how much later one may be. */
const SAMPLE_S = 1;
const LATE_S = 0.6;
const DOT = 2.5;
/** The axis of time has so many parts: every length of a run that can be chosen divides by it. */
const PARTS = 5;

/** @typedef {{ x: number, y: number | null }} Point seconds; null: no value */
/** @typedef {{ name: string, points: readonly Point[], every_s: number }} Series `every_s`: how much later than with the next
 *   sample a value may come */

/**
 * Draws.
 * @param {SVGSVGElement} svg
 * @param {readonly Series[]} series
 * @param {number} x_max
 * @param {(value: number) => string} write writes a value of the vertical axis
 */
export function drawPlot(svg, series, x_max, write) {
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  const values = series.flatMap((each) => each.points.map((point) => point.y ?? 0)).filter((y) => y > 0);
  const low = Math.floor(Math.log10(values.length ? Math.min(...values) : 1));
  const high = Math.max(low + 1, Math.ceil(Math.log10(values.length ? Math.max(...values) : 10)));
  const x = (/** @type {number} */ at) => LEFT + (Math.min(at, x_max) / x_max) * (WIDTH - LEFT - RIGHT);
  const y = (/** @type {number} */ value) => {
    const power = value > 0 ? Math.max(low, Math.log10(value)) : low;
    return TOP + ((high - power) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  };
  const parts = [];
  for (let power = low; power <= high && values.length > 0; power += 1) {
    const at = y(10 ** power);
    parts.push(shape("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: at, y2: at }));
    parts.push(label(LEFT - 6, at + 4, "end", write(10 ** power)));
  }
  for (let part = 0; part <= PARTS; part += 1) {
    const at = (x_max * part) / PARTS;
    parts.push(label(x(at), HEIGHT - 5, part === PARTS ? "end" : "middle", `${Math.round(at)} s`));
  }
  for (const { name, points, every_s } of series) {
    const runs = runsOf(points, every_s);
    const group = shape("g", { "data-transport": name, "data-points": runs.flat().length });
    group.append(...runs.map((run) => {
      if (run.length === 1) return shape("circle", { cx: x(run[0].x), cy: y(run[0].y), r: DOT });
      return shape("polyline", { points: run.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(" ") });
    }));
    parts.push(group);
  }
  svg.replaceChildren(...parts);
}

/**
 * Returns the runs of values that follow each other without a gap.
 * @param {readonly Point[]} points
 * @param {number} every_s how much later than with the next sample a value may come, as a poll has its interval
 */
export function runsOf(points, every_s) {
  const gap_s = every_s + SAMPLE_S + LATE_S;
  /** @type {{ x: number, y: number }[][]} */
  const runs = [];
  let before = -Infinity;
  for (const { x, y } of points) {
    if (y === null) continue;
    if (x - before > gap_s) runs.push([]);
    runs[runs.length - 1].push({ x, y });
    before = x;
  }
  return runs;
}

/**
 * Returns each value as the mean of the last so many seconds: what comes every five seconds would jump between nothing and
 * five times as much. Without a value for each of these seconds there is none.
 * @param {readonly Point[]} points
 * @param {number} window_s a whole number
 * @returns {Point[]}
 */
export function smoothed(points, window_s) {
  return points.map(({ x }, index) => {
    const values = [];
    for (let at = index; at >= 0 && points[at].x > x - window_s + LATE_S * SAMPLE_S; at -= 1) values.push(points[at].y);
    const sum = values.reduce((/** @type {number | null} */ all, value) => (all === null || value === null ? null : all + value), 0);
    return { x, y: sum === null || values.length < window_s ? null : sum / values.length };
  });
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
