// A grid of frames: a click opens one without leaving the session, a tick selects it, and a return finds its place.

const PLACE = "fer-frame-grid"; // where the tab keeps how far the page was scrolled when a frame was opened

const grids = new WeakMap();

export default function (component) {
  const { parentElement, data } = component;
  let grid = grids.get(parentElement);
  if (!grid || grid.id !== data.id) {
    grid = { id: data.id, last: -1 };
    grids.set(parentElement, grid);
    draw(parentElement.querySelector(".fer-grid"), data, grid);
    comeBack(parentElement, data);
  }
  grid.open = (name) => component.setTriggerValue("opened", name);
  grid.pick = (names) => component.setStateValue("picked", names);
}

function draw(place, data, grid) {
  const boxes = [];
  const told = () => {
    const names = data.tiles.filter((_, index) => boxes[index].checked).map((tile) => tile.name);
    boxes.forEach((box) => box.closest("figure").classList.toggle("picked", box.checked));
    place.classList.toggle("picking", names.length > 0);
    return names;
  };
  place.replaceChildren(
    ...data.tiles.map((tile, index) => {
      const figure = document.createElement("figure");
      const link = Object.assign(document.createElement("a"), { href: tile.link, title: tile.alt });
      const image = Object.assign(document.createElement("img"), { src: tile.image, alt: tile.alt });
      link.dataset.own = ""; // not that of soft_links.js, which would not keep the place
      link.append(image);
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return; // a tab of its own
        event.preventDefault();
        sessionStorage.setItem(PLACE, String(main()?.scrollTop ?? 0));
        grid.open(tile.name);
      });
      const label = document.createElement("label");
      const box = Object.assign(document.createElement("input"), { type: "checkbox" });
      box.checked = data.picked.includes(tile.name);
      box.setAttribute("aria-label", `Select ${tile.name}`);
      box.addEventListener("click", (event) => {
        if (event.shiftKey && grid.last >= 0) {
          const [from, to] = [Math.min(grid.last, index), Math.max(grid.last, index)];
          for (let at = from; at <= to; at += 1) boxes[at].checked = box.checked;
        }
        grid.last = index;
        grid.pick(told());
      });
      boxes.push(box);
      label.append(box);
      const caption = document.createElement("figcaption");
      const note = Object.assign(document.createElement("small"), { textContent: tile.note });
      caption.append(tile.title, note);
      figure.append(link, label, caption);
      return figure;
    }),
  );
  told();
}

function main() {
  return document.querySelector("[data-testid=stMain]");
}

function comeBack(root, data) {
  const kept = sessionStorage.getItem(PLACE);
  sessionStorage.removeItem(PLACE);
  if (kept === null) return;
  const index = data.tiles.findIndex((tile) => tile.name === data.last);
  if (index >= 0) root.querySelectorAll("a")[index].focus({ preventScroll: true });
  // What stands above is drawn bit by bit and pushes the grid down: the place is taken again until it has held.
  const until = performance.now() + 20000;
  let reached = Infinity;
  const moved = new AbortController();
  for (const name of ["wheel", "touchstart", "keydown"]) {
    addEventListener(name, () => moved.abort(), { signal: moved.signal, passive: true });
  }
  const step = () => {
    const now = performance.now();
    if (moved.signal.aborted || now > until || now - reached > 1500) return moved.abort();
    main()?.scrollTo({ top: Number(kept) });
    if (Math.abs((main()?.scrollTop ?? 0) - kept) > 2) reached = Infinity;
    else reached = Math.min(reached, now);
    requestAnimationFrame(step);
  };
  step();
}
