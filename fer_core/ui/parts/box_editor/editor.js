// One box on one frame, in source pixels: drawn, moved, resized, by mouse, finger or keyboard.
// Streamlit calls the default export again after every rerun; what is being edited lives with its element.

const SLOP = 4; // screen pixels a pointer may shake and still click
const LEAST = 4; // source pixels a side must have
const WAIT = 250; // milliseconds of quiet after which keys are sent
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const CORNERS = { nw: [0, 1], ne: [2, 1], sw: [0, 3], se: [2, 3] };

const editors = new WeakMap();

export default function (component) {
  const { parentElement, data } = component;
  let editor = editors.get(parentElement);
  if (!editor || editor.id !== data.id) {
    editor?.destroy();
    editor = new Editor(parentElement, data);
    editors.set(parentElement, editor);
  }
  editor.send = (box) => component.setStateValue("box", box);
  return () => {
    editors.get(parentElement)?.destroy();
    editors.delete(parentElement);
  };
}

class Editor {
  constructor(root, data) {
    this.id = data.id;
    this.width = data.width;
    this.height = data.height;
    this.faces = data.faces;
    this.saved = data.box;
    this.box = data.box;
    this.drag = null;
    this.timer = 0;
    this.listening = new AbortController();
    this.stage = root.querySelector(".stage");
    this.boxElement = root.querySelector(".box");
    this.handles = root.querySelector(".handles");
    this.said = root.querySelector(".said");
    const image = root.querySelector("img");
    image.src = data.image;
    image.alt = `Frame ${data.name}`;
    // Frame, buttons and what is said of it fit one screen.
    root.querySelector(".editor").style.maxWidth =
      `max(15rem, calc((100vh - 31rem) * ${data.width / data.height}))`;
    image.style.aspectRatio = `${data.width} / ${data.height}`;
    this.stage.setAttribute("aria-label", `Box editor for frame ${data.name}`);
    this.drawFaces(root.querySelector(".faces"));
    const on = (name, act) => this.stage.addEventListener(name, act, { signal: this.listening.signal });
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", () => this.cancelDrag());
    on("keydown", (event) => this.key(event));
    this.paint();
  }

  destroy() {
    clearTimeout(this.timer);
    this.listening.abort();
  }

  drawFaces(place) {
    place.replaceChildren(
      ...this.faces.map(({ box, probability, chosen }, index) => {
        const face = document.createElement("button");
        face.type = "button";
        face.className = chosen ? "face chosen" : "face";
        const said = chosen ? ", the chosen one" : "";
        face.setAttribute("aria-label", `Take face ${index + 1}, probability ${probability.toFixed(2)}${said}`);
        const number = document.createElement("span");
        number.textContent = chosen ? `${index + 1} chosen` : String(index + 1);
        face.append(number);
        this.lay(face, box);
        // A pointer's click is found by up(), which sees faces under the drawn box too; this is the keyboard's.
        face.addEventListener("click", (event) => event.detail === 0 && this.take(index));
        return face;
      }),
    );
  }

  lay(element, [x1, y1, x2, y2]) {
    element.style.left = `${(100 * x1) / this.width}%`;
    element.style.top = `${(100 * y1) / this.height}%`;
    element.style.width = `${(100 * (x2 - x1)) / this.width}%`;
    element.style.height = `${(100 * (y2 - y1)) / this.height}%`;
  }

  paint() {
    const box = this.box;
    this.boxElement.hidden = this.handles.hidden = !box;
    if (!box) {
      this.said.textContent = "No box on this frame yet.";
      return;
    }
    this.lay(this.boxElement, box);
    for (const handle of this.handles.children) {
      const [x, y] = CORNERS[handle.dataset.corner];
      handle.style.left = `${(100 * box[x]) / this.width}%`;
      handle.style.top = `${(100 * box[y]) / this.height}%`;
    }
    const [x1, y1, x2, y2] = box.map(Math.round);
    this.said.textContent = `Box from (${x1}, ${y1}) to (${x2}, ${y2}): ${x2 - x1} × ${y2 - y1} pixels.`;
  }

  point(event) {
    const area = this.stage.querySelector("img").getBoundingClientRect();
    const x = ((event.clientX - area.left) / area.width) * this.width;
    const y = ((event.clientY - area.top) / area.height) * this.height;
    return [within(x, 0, this.width), within(y, 0, this.height)];
  }

  down(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    const at = this.point(event);
    const corner = event.target.dataset?.corner;
    const inside = this.box && holds(this.box, at);
    this.drag = { kind: corner ?? (inside ? "move" : "draw"), at, from: this.box, begun: false };
    this.drag.screen = [event.clientX, event.clientY];
    this.stage.setPointerCapture(event.pointerId);
    this.stage.focus({ preventScroll: true });
    event.preventDefault();
  }

  move(event) {
    const drag = this.drag;
    if (!drag) {
      this.stage.classList.toggle("moving", Boolean(this.box && holds(this.box, this.point(event))));
      return;
    }
    const [sx, sy] = drag.screen;
    drag.begun ||= Math.hypot(event.clientX - sx, event.clientY - sy) > SLOP;
    if (!drag.begun) return;
    const [x, y] = this.point(event);
    const [x0, y0] = drag.at;
    if (drag.kind === "draw") {
      this.box = [Math.min(x0, x), Math.min(y0, y), Math.max(x0, x), Math.max(y0, y)];
    } else if (drag.kind === "move") {
      this.box = this.shifted(drag.from, x - x0, y - y0);
    } else {
      this.box = this.stretched(drag.from, drag.kind, x - x0, y - y0);
    }
    this.paint();
  }

  up(event) {
    const drag = this.drag;
    this.drag = null;
    if (!drag) return;
    if (!drag.begun) {
      const index = CORNERS[drag.kind] ? -1 : this.faceAt(this.point(event));
      if (index >= 0) this.take(index);
      return;
    }
    if (this.box[2] - this.box[0] < LEAST || this.box[3] - this.box[1] < LEAST) {
      this.box = drag.from;
      this.paint();
      return;
    }
    this.commit();
  }

  cancelDrag() {
    if (!this.drag) return;
    this.box = this.drag.from;
    this.drag = null;
    this.paint();
  }

  key(event) {
    if (event.key === "Escape") {
      if (this.drag) return this.cancelDrag();
      if (same(this.box, this.saved)) return;
      this.box = this.saved;
      this.paint();
      this.commit();
      event.stopPropagation();
      return;
    }
    const direction = ARROWS[event.key];
    if (!direction || event.metaKey || this.drag) return;
    event.preventDefault();
    const step = event.ctrlKey || event.altKey ? 10 : 1;
    const [dx, dy] = [direction[0] * step, direction[1] * step];
    const corner = event.target.dataset?.corner;
    if (!this.box) {
      const side = Math.min(this.width, this.height) / 3;
      const [cx, cy] = [this.width / 2, this.height / 2];
      this.box = [cx - side / 2, cy - side / 2, cx + side / 2, cy + side / 2];
    } else if (corner || event.shiftKey) {
      this.box = this.stretched(this.box, corner ?? "se", dx, dy);
    } else {
      this.box = this.shifted(this.box, dx, dy);
    }
    this.paint();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.commit(), WAIT);
  }

  shifted([x1, y1, x2, y2], dx, dy) {
    const x = within(x1 + dx, 0, this.width - (x2 - x1));
    const y = within(y1 + dy, 0, this.height - (y2 - y1));
    return [x, y, x + (x2 - x1), y + (y2 - y1)];
  }

  stretched(box, corner, dx, dy) {
    const next = [...box];
    const [x, y] = CORNERS[corner];
    next[x] = x === 0 ? within(box[0] + dx, 0, box[2] - LEAST) : within(box[2] + dx, box[0] + LEAST, this.width);
    next[y] = y === 1 ? within(box[1] + dy, 0, box[3] - LEAST) : within(box[3] + dy, box[1] + LEAST, this.height);
    return next;
  }

  faceAt(at) {
    const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);
    let best = -1;
    this.faces.forEach(({ box }, index) => {
      if (holds(box, at) && (best < 0 || area(box) < area(this.faces[best].box))) best = index;
    });
    return best;
  }

  take(index) {
    const [x1, y1, x2, y2] = this.faces[index].box;
    this.box = [within(x1, 0, this.width), within(y1, 0, this.height),
      within(x2, 0, this.width), within(y2, 0, this.height)];
    this.paint();
    this.commit();
  }

  commit() {
    clearTimeout(this.timer);
    this.send?.(this.box);
  }
}

function within(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

function holds([x1, y1, x2, y2], [x, y]) {
  return x >= x1 && x <= x2 && y >= y1 && y <= y2;
}

function same(a, b) {
  return a === b || Boolean(a && b && a.every((value, index) => value === b[index]));
}
