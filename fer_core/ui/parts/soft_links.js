/* A plain click on a link of ours, or Enter on a row of a table that holds one, goes there as Back and Forward do,
   without loading the page anew; a click for a new tab stays the browser's,
   and one on a link with data-own that of the component it belongs to. */
const OURS = /^\.\/(faces|train|compare|predict)\?/;

const visit = (link) => {
  history.pushState(null, "", link);
  window.dispatchEvent(new PopStateEvent("popstate"));
};

export default function ({ data }) {
  if (data?.to) {
    visit(data.to);
    return;
  }
  const go = (event, link) => {
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    visit(link);
  };
  const clicked = (event) => {
    const link = event.composedPath()[0].closest?.(".fer-grid a:not([data-own]), a.run");
    if (link && !event.button) go(event, link.getAttribute("href"));
  };
  const pressed = (event) => {
    const way = { ArrowLeft: "Previous", ArrowRight: "Next" }[event.key];
    if (way && event.target.matches?.("body, [data-testid=stButton] button")) {
      const steps = document.querySelectorAll("[data-testid=stButton] button"); // of a frame: not where an arrow draws
      Array.from(steps).find((step) => step.textContent.includes(way))?.click();
    }
    if (event.key !== "Enter") return;
    const cells = event.target.closest?.("[data-testid=stDataFrame] tr[role=row]")?.cells ?? [];
    go(event, Array.from(cells, (cell) => cell.textContent).find((text) => OURS.test(text)));
  };
  document.addEventListener("click", clicked, true);
  document.addEventListener("keydown", pressed, true);
  return () => {
    document.removeEventListener("click", clicked, true);
    document.removeEventListener("keydown", pressed, true);
  };
}
