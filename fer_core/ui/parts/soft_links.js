/* A plain click on a link of ours, in a table as well, or Enter on a row that holds one, goes there as Back and Forward do,
   without loading the page anew; a click for a new tab stays the browser's,
   and one on a link with data-own that of the component it belongs to. */
const OURS = /^\.\/(faces|train|compare|predict)\?/;

const visit = (link) => {
  history.pushState(null, "", link);
  window.dispatchEvent(new PopStateEvent("popstate"));
  document.querySelector("[data-testid=stMain]")?.focus({ preventScroll: true }); // Tab goes on past the navigation
};

/* Between two acts of the visitor all addresses that Streamlit pushes are one step back. It pushes each parameter that
   a page sets as one of its own, and what the page to come keeps under the address of the page that is left.
   `left` is the path that a link leaves, or Back, while its page may still be drawn and be pushed late: that would cut
   off the way forward. `come` is the path that was reached since the last act, `here` the one before Back. */
let step = { come: location.pathname };
let here = location.pathname;

/* Whether the visitor's last click asks for a new tab: a table's link leaves it by `window.open` either way. */
let apart = false;

const turned = () => {
  const path = location.pathname;
  step = { left: here === path ? step.left : here, come: path };
  here = path;
};

const act = (event) => {
  apart = event.ctrlKey || event.metaKey || event.shiftKey || event.button > 0;
  const link = event.type === "click" && event.target.closest?.("a[data-testid=stPageLink-NavLink]");
  step = { left: link && link.pathname !== location.pathname ? location.pathname : null };
};

if (!Object.hasOwn(history, "pushState")) {
  // for good: while one page gives way to the next this component is not there
  for (const kind of ["pointerdown", "keydown", "click"]) document.addEventListener(kind, act, true);
  window.addEventListener("popstate", turned, true);
  const push = history.pushState.bind(history);
  history.pushState = (state, title, link) => {
    const path = new URL(link, location.href).pathname;
    if (path === step.left) return;
    if (path === step.come) return history.replaceState(state, title, link);
    step = { come: path };
    here = path;
    push(state, title, link);
  };
  const open = window.open.bind(window); // how a click on a table's link leaves it
  window.open = (link, ...rest) => (OURS.test(link) && !apart ? visit(link) : open(link, ...rest));
}

/* Enter on a table's first column clicks there: the column's buttons hear nothing else. */
const press = (table, cell) => {
  const [, row] = /^glide-cell-0-(\d+)$/.exec(cell) ?? [];
  if (!table || row === undefined) return;
  const { left, top } = table.getBoundingClientRect();
  const scroller = table.closest("[data-testid=stDataFrame]").querySelector(".dvn-scroller");
  const rows = Number(table.querySelector("[aria-rowcount]").ariaRowCount); // with the header, which is as high
  const height = scroller.querySelector(".dvn-stack").offsetHeight / rows;
  const clientY = top + height * (Number(row) + 1.5) - scroller.scrollTop;
  const at = { clientX: left + 30, clientY, bubbles: true, composed: true, cancelable: true };
  for (const kind of ["pointerdown", "mousedown", "pointerup", "mouseup", "click"]) {
    table.dispatchEvent(new (kind.startsWith("pointer") ? PointerEvent : MouseEvent)(kind, at));
  }
};

/* The content of a popover stands at the end of the page: a key that opens it leads into it, Escape back to its button. */
const BODY = "[data-testid=stPopoverBody]";
let opener;

const when = (ready, then, until = performance.now() + 3000) => {
  if (ready()) then();
  else if (performance.now() < until) requestAnimationFrame(() => when(ready, then, until));
};

const enter = (button) => {
  opener = button;
  const first = () => document.querySelector(`${BODY} :is(input, textarea, button:not([aria-label^=Help]))`);
  when(first, () => first().focus());
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
    if (way && event.target.matches?.("body, [data-testid=stMain], [data-testid=stButton] button")) {
      const steps = document.querySelectorAll("[data-testid=stButton] button"); // of a frame: not where an arrow draws
      Array.from(steps).find((step) => step.textContent.includes(way))?.click();
    }
    const closed = event.target.closest?.("[data-testid=stPopoverButton]:not([aria-expanded=true])");
    if (closed && ["Enter", " "].includes(event.key)) enter(closed);
    if (event.key === "Escape" && event.target.closest?.(BODY)) {
      when(() => !document.querySelector(BODY), () => opener?.focus());
    }
    if (event.key !== "Enter") return;
    const row = event.target.closest?.("[data-testid=stDataFrame] tr[role=row]");
    const link = Array.from(row?.cells ?? [], (cell) => cell.textContent).find((text) => OURS.test(text));
    if (link) go(event, link);
    else if (row) press(event.target.closest("canvas"), event.target.dataset.testid);
  };
  document.addEventListener("click", clicked, true);
  document.addEventListener("keydown", pressed, true);
  return () => {
    document.removeEventListener("click", clicked, true);
    document.removeEventListener("keydown", pressed, true);
  };
}
