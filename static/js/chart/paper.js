// @ts-check
/**
 * Puts charts on paper: a canvas keeps the size and the colours of the screen while the page is printed, and would be cut off. So a picture
 * of each, in light colours, is printed in its place.
 *
 * Owns: these pictures. Does not own: the charts (`chart.js`).
 */

/** @param {() => readonly { view: import("../chart.js").ChartView, root: HTMLElement }[]} charts of the page */
export function listenForPaper(charts) {
  const { dataset } = document.documentElement;
  let scheme = dataset.scheme;
  addEventListener("beforeprint", () => {
    scheme = dataset.scheme;
    dataset.scheme = "light";
    for (const { view, root } of charts()) {
      // The charts hear of other colours only after this event.
      view.recolour();
      const picture = view.picture();
      picture.className = "paper";
      root.querySelector(".canvas")?.append(picture);
    }
  });
  addEventListener("afterprint", () => {
    dataset.scheme = scheme;
    for (const picture of document.querySelectorAll(".paper")) picture.remove();
  });
}
