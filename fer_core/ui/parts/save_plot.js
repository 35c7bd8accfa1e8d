// Plotly's own export, in the format of the button: its camera button reads the options when it is pressed. It
// copies the figure's layout at once, so for that moment the layout is that of a white page; and its font is one
// that files have too, where the page's own is missing. A button pressed before the figure is drawn waits for it.
// No click but the user's reaches the page, where it would close the menu: the one on the camera doesn't bubble,
// the one on the link that Plotly makes is stopped.
const TRIES = 600, PAUSE = 100;  // a minute, in ms

const FONT = { family: "Arial, Helvetica, sans-serif", color: "#25343B" };
const PAPER = { paper_bgcolor: "#FFFFFF", plot_bgcolor: "#FFFFFF" };

function onPaper(part) {
  if (Array.isArray(part)) return part.map(onPaper);
  if (part === null || typeof part !== "object") return part;
  return Object.fromEntries(Object.entries(part).map(([name, value]) => {
    if (/font$/.test(name)) return [name, { ...value, ...FONT }];
    return [name, /^(grid|line|zeroline)color$/.test(name) ? "#DDE2E5" : onPaper(value)];
  }));
}

function quietly(event) {
  if (!event.isTrusted && event.target.matches?.("a[download]")) event.stopPropagation();
}

async function drawn(figure) {
  for (let tried = 0; tried < TRIES; tried += 1) {
    const plot = document.querySelector(".st-key-" + figure + " .js-plotly-plot");
    const camera = plot && [...plot.querySelectorAll(".modebar-btn")]
      .find((one) => (one.dataset.title || one.getAttribute("aria-label") || "").startsWith("Download plot"));
    if (camera) return { plot, camera };
    await new Promise((go) => setTimeout(go, PAUSE));
  }
  throw new Error("the figure was not drawn");
}

export default function ({ parentElement, data }) {
  window.addEventListener("click", quietly, true);
  for (const format of ["png", "svg"]) {
    const button = parentElement.querySelector("." + format);
    button.onclick = async () => {
      button.disabled = true;
      const { plot, camera } = await drawn(data.figure).finally(() => { button.disabled = false; });
      const shown = plot.layout;
      plot._context.toImageButtonOptions = { format, filename: data.name, scale: 2 };
      const paper = onPaper(shown);
      plot.layout = { ...paper, font: { ...paper.font, ...FONT }, ...PAPER };
      camera.dispatchEvent(new MouseEvent("click"));
      plot.layout = shown;
    };
  }
  return () => window.removeEventListener("click", quietly, true);
}
