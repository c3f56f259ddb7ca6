// Makes writing an agreement smoother: what is not saved is said, and the keyboard goes on where a row was added or removed.

const editor = () => document.getElementById("editor");
let unsaved = editor()?.dataset.unsaved === "yes";

document.addEventListener("input", (event) => {
  if (!event.target.closest("#editor")) return;
  unsaved = true;
  const state = editor().querySelector("[data-state]");
  if (state.textContent !== state.dataset.dirty) state.textContent = state.dataset.dirty;
});
document.addEventListener("submit", () => {
  unsaved = false;
});
window.addEventListener("beforeunload", (event) => {
  if (unsaved) event.preventDefault();
});

/** The first control of the last row of a group; its button to add one where there is no row. */
function goOn(id) {
  const group = document.getElementById(id);
  const rows = group?.querySelectorAll(":scope > .row, :scope > .line") ?? [];
  const control = rows[rows.length - 1]?.querySelector("input:not([type=hidden]), select, textarea");
  (control ?? group?.querySelector(":scope > button, :scope > .adding button"))?.focus();
}

if (unsaved && location.hash) goOn(location.hash.slice(1));

let group = "";
document.body.addEventListener("htmx:beforeRequest", (event) => {
  group = event.detail.elt.dataset.group ?? "";
});
document.body.addEventListener("htmx:afterSettle", () => {
  if (!group) return;
  unsaved = true;
  goOn(group);
  group = "";
});
