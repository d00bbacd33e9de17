// @ts-check
/**
 * Sets the colours and the language of the page before its first paint, so that nothing flashes, and requests the bars of the first chart
 * while the other scripts are on their way. The only classic script: the browser runs it before it paints, and modules only after the page
 * was read.
 *
 * Owns: the attributes of the root element until `look.js` and `i18n.js` take over, and the first request (`rest.js` takes its response).
 * Keep the names of settings in step with these. A wrong guess of what will be charted costs one request.
 */
{
  /** @type {Record<string, unknown>} */
  let saved = {};
  /** @type {string | null} */
  let language = null;
  try {
    saved = Object(JSON.parse(localStorage.getItem("tickcast.page") ?? "{}"));
    language = localStorage.getItem("tickcast.language");
  } catch {
    // Storage is denied or corrupt: as on a first visit.
  }
  const root = document.documentElement;
  const query = new URLSearchParams(location.search);
  const theme = [query.get("theme"), saved.theme].find((name) => name === "light" || name === "dark" || name === "system");
  const isDark = theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.scheme = isDark ? "dark" : "light";
  root.dataset.colours = typeof saved.colours === "string" ? saved.colours : "auto";
  if ([query.get("lang"), saved.language, language, navigator.language.slice(0, 2)].find((name) => name === "ko" || name === "en") === "ko") {
    root.lang = "ko";
    root.dataset.untranslated = "";
  }

  if (root.dataset.page === "live") {
    const listed = query.get("symbols")?.toUpperCase().split(",") ?? [];
    const known = typeof saved.charted === "string" && (listed.length === 0 || listed.includes(saved.charted)) ? saved.charted : null;
    const symbol = query.get("chart")?.toUpperCase().split(",", 1)[0] || known || listed[0] || "AAPL";
    const named = query.get("interval")?.split(",", 1)[0] || saved.interval || "1m";
    const interval = ["1s", "1m", "5m", "15m", "1h", "1d"].find((each) => each === named) ?? "1m";
    if (/^[A-Z0-9][A-Z0-9.-]{0,15}$/.test(symbol)) {
      // As many as a wide chart shows.
      const limit = innerWidth > 1_920 ? 600 : 240;
      /** @type {string | null} */
      let key = null;
      try {
        // The key of `access.js`, which is not there yet.
        key = sessionStorage.getItem("tickcast.key");
      } catch {
        // Storage is denied.
      }
      const response = fetch(`api/v1/bars?symbol=${symbol}&interval=${interval}&limit=${limit}`, {
        headers: { accept: "application/json", ...(key === null ? {} : { authorization: `Bearer ${key}` }) }, signal: AbortSignal.timeout(15_000),
      });
      // Whoever takes the response handles the failure.
      response.catch(() => {});
      Object.assign(globalThis, { early_: { symbol, interval, limit, response } });
    }
  }
}
