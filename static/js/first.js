// @ts-check
/**
 * Sets the colours and the language of the page before its first paint, so that nothing flashes. The only classic script: the browser
 * runs it before it paints, and modules only after the page was read.
 *
 * Owns: the attributes of the root element until `look.js` and `i18n.js` take over. Keep the names of settings in step with these.
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
}
