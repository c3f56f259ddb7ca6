// Makes writing an agreement smoother: what is not saved is said, and the keyboard goes on where a row was added.

const editor = document.getElementById("editor");

if (editor) {
  const state = editor.querySelector("[data-state]");
  let unsaved = editor.dataset.unsaved === "yes";
  editor.addEventListener("input", () => {
    unsaved = true;
    state.textContent = state.dataset.dirty;
  });
  editor.addEventListener("submit", () => {
    unsaved = false;
  });
  window.addEventListener("beforeunload", (event) => {
    if (unsaved) event.preventDefault();
  });
  // After a row was added, the keyboard goes on in it.
  const group = editor.dataset.unsaved === "yes" && location.hash && document.getElementById(location.hash.slice(1));
  if (group) {
    const rows = group.querySelectorAll(":scope > .row, :scope > .line");
    rows[rows.length - 1]?.querySelector("input:not([type=hidden]), select, textarea")?.focus();
  }
}
