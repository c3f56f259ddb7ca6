// Makes passkeys work, copies what is shown once, and keeps the keyboard's place when a part of a page is renewed.

const decode = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

class Told extends Error {}

/** POST a step of a ceremony. Throws Told with the words of the problem. */
async function step(path, said, csrf) {
  const headers = { "content-type": "application/json" };
  if (csrf) headers["x-csrf-token"] = csrf;
  const reply = await fetch(path, { method: "POST", headers, body: JSON.stringify(said), credentials: "same-origin" });
  const document = await reply.json();
  if (!reply.ok) throw new Told([document.title, document.detail].filter(Boolean).join(". "));
  return document;
}

function creation(options) {
  const keys = (list) => (list ?? []).map((one) => ({ ...one, id: decode(one.id) }));
  return {
    ...options,
    challenge: decode(options.challenge),
    user: { ...options.user, id: decode(options.user.id) },
    excludeCredentials: keys(options.excludeCredentials),
  };
}

function request(options) {
  const keys = (options.allowCredentials ?? []).map((one) => ({ ...one, id: decode(one.id) }));
  return { ...options, challenge: decode(options.challenge), allowCredentials: keys };
}

function told(credential) {
  const { response } = credential;
  const members = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const found = Object.fromEntries(members.filter((name) => response[name]).map((name) => [name, encode(response[name])]));
  if (response.getTransports) found.transports = response.getTransports();
  return {
    id: credential.id,
    rawId: encode(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: found,
  };
}

async function stepUp(csrf) {
  const begun = await step("/console/step-up/begin", {}, csrf);
  const credential = await navigator.credentials.get({ publicKey: request(begun.options) });
  await step("/console/step-up/finish", { ceremony: begun.ceremony, response: told(credential) }, csrf);
}

async function ceremony(form, token) {
  const { passkey: kind, csrf } = form.dataset;
  if (form.dataset.first) await stepUp(csrf); // whoever has the session alone makes no passkey of it
  const label = form.elements.label?.value ?? "";
  const begun = await step(`/console/${kind}/begin`, kind === "enrol" ? { token } : {}, csrf);
  const making = kind === "enrol" || kind === "passkey";
  const credential = making
    ? await navigator.credentials.create({ publicKey: creation(begun.options) })
    : await navigator.credentials.get({ publicKey: request(begun.options) });
  const said = { ceremony: begun.ceremony, response: told(credential) };
  if (making) said.label = label;
  if (kind === "enrol") said.token = token;
  if (kind === "login") said.next = form.dataset.next;
  return step(`/console/${kind}/finish`, said, csrf);
}

function fail(form, text) {
  const note = form.querySelector("[data-error]");
  note.textContent = text;
  note.hidden = false;
}

function passkeys(form) {
  const button = form.querySelector("button[type=submit]");
  const token = location.hash.slice(1);
  if (form.dataset.passkey === "enrol") {
    const note = form.querySelector("[data-error]");
    if (!token) fail(form, note.dataset.void);
    else {
      history.replaceState(null, "", location.pathname); // nobody reads it over a shoulder or from the history
      step("/console/enrol/invitation", { token }).then(
        (invitation) => {
          for (const place of form.querySelectorAll("[data-fact]")) place.textContent = invitation[place.dataset.fact];
          form.querySelector("[data-invitation]").hidden = false;
          button.disabled = false;
        },
        () => fail(form, note.dataset.void),
      );
    }
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    try {
      const done = await ceremony(form, token);
      if (done.next) location.assign(done.next);
      else form.submit(); // a step-up: what was asked for goes on
    } catch (fault) {
      fail(form, fault instanceof Told ? fault.message : form.querySelector("[data-error]").dataset.failed);
      button.disabled = false;
      button.removeAttribute("aria-busy");
    }
  });
}

document.querySelectorAll("form[data-passkey]").forEach(passkeys);

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = button.dataset.copied;
});

document.querySelectorAll("[data-print]").forEach((button) => button.addEventListener("click", () => print()));

// What was wrong with a form is read out and is where the keyboard goes on.
document.querySelector(".note.bad[tabindex]")?.focus();
document.body.addEventListener("htmx:afterSwap", (event) => {
  const place = event.detail.target.id && document.getElementById(event.detail.target.id)?.querySelector(".scroll");
  place?.focus({ preventScroll: true });
});

export { step };
