/* A plain click on a link of ours goes there without loading the page anew; one for a new tab stays the browser's. */
export default function ({ setTriggerValue }) {
  const listen = (event) => {
    const link = event.target.closest?.(".fer-grid a, a.run");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    setTriggerValue("link", link.getAttribute("href"));
  };
  document.addEventListener("click", listen, true);
  return () => document.removeEventListener("click", listen, true);
}
