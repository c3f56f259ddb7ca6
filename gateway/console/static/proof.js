// Proves an entry before the reader's eyes: leaf → hash → every step up the tree → root → signature. What it is given stands
// in the page; it fetches nothing but the log's public keys, from this house. RFC 6962, RFC 9162 §2.1.3.2, C2SP signed-note.

const utf8 = new TextEncoder();
const PLAIN = 1;
const COSIGNATURE = 4;

/** What cannot be true; `word` names the text that says so. */
class Mismatch extends Error {
  constructor(word, parts = []) {
    super(word);
    this.word = word;
    this.parts = parts; // the hashes that should have been one
  }
}

/** Bytes of base64 or base64url, in its one spelling. Throws Mismatch. */
export function bytesOf(text) {
  const standard = text.replace(/-/g, "+").replace(/_/g, "/").replace(/=+$/, "");
  let raw;
  try {
    raw = Uint8Array.from(atob(standard), (c) => c.charCodeAt(0));
  } catch {
    throw new Mismatch("garbled");
  }
  if (btoa(String.fromCharCode(...raw)).replace(/=+$/, "") !== standard) throw new Mismatch("garbled");
  return raw;
}

export const textOf = (raw) =>
  btoa(String.fromCharCode(...raw)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const same = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);

function join(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));
export const leafHash = (leaf) => sha256(Uint8Array.of(0), leaf);
const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

/** Every step from a leaf's hash to the root: {left, right, node, own}. Throws Mismatch when the path has another length. */
export async function climb(hash, index, size, hashes) {
  if (!(Number.isSafeInteger(index) && Number.isSafeInteger(size) && index >= 0 && index < size)) throw new Mismatch("length");
  let [first, last, reached] = [index, size - 1, hash];
  const half = () => ([first, last] = [Math.floor(first / 2), Math.floor(last / 2)]);
  const steps = [];
  for (const beside of hashes) {
    if (last === 0) throw new Mismatch("length");
    const right = first % 2 === 1 || first === last;
    const [one, other] = right ? [beside, reached] : [reached, beside];
    reached = await nodeHash(one, other);
    steps.push({ left: one, right: other, node: reached, own: right ? "right" : "left" });
    if (right) while (first % 2 === 0 && first > 0) half();
    half();
  }
  if (last !== 0) throw new Mismatch("length");
  return steps;
}

/** {text, origin, size, root, signatures} of a signed checkpoint. Throws Mismatch. */
export function parseNote(note) {
  const cut = note.lastIndexOf("\n\n");
  const text = note.slice(0, cut + 1);
  const [origin, size, root] = text.split("\n");
  const lines = note.slice(cut + 2).split("\n").filter(Boolean);
  if (cut < 0 || !root || !/^(0|[1-9][0-9]{0,15})$/.test(size)) throw new Mismatch("note");
  const signatures = lines.map((line) => {
    const [dash, name, signed] = line.split(" ");
    if (dash !== "—" || !signed) throw new Mismatch("note");
    const raw = bytesOf(signed);
    return { name, id: raw.slice(0, 4), signature: raw.slice(4) };
  });
  return { text, origin, size: Number(size), root: bytesOf(root), signatures };
}

/** {name, type, public, id} of a verifier key `name+id+base64`. Throws Mismatch. */
export async function parseKey(text) {
  const [name, told, ...rest] = text.trim().split("+");
  const raw = bytesOf(rest.join("+"));
  const id = (await sha256(utf8.encode(`${name}\n`), raw)).slice(0, 4);
  const hex = [...id].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== told || raw.length !== 33 || ![PLAIN, COSIGNATURE].includes(raw[0])) throw new Mismatch("key");
  return { name, type: raw[0], public: raw.slice(1), id };
}

/** Keys of `keys` that have signed the note. Throws Mismatch for a wrong signature, NotSupportedError without Ed25519. */
export async function signedBy(note, keys) {
  const found = [];
  for (const key of keys) {
    const line = note.signatures.find((one) => one.name === key.name && same(one.id, key.id));
    if (!line) continue;
    let message = utf8.encode(note.text);
    let { signature } = line;
    if (key.type === COSIGNATURE) {
      const at = new DataView(signature.buffer, signature.byteOffset, 8).getBigUint64(0);
      message = utf8.encode(`cosignature/v1\ntime ${at}\n${note.text}`);
      signature = signature.slice(8);
    }
    const imported = await crypto.subtle.importKey("raw", key.public, { name: "Ed25519" }, false, ["verify"]);
    if (!(await crypto.subtle.verify("Ed25519", imported, signature, message))) throw new Mismatch("signature");
    found.push(key);
  }
  return found;
}

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const pause = () => (calm() ? undefined : new Promise((done) => setTimeout(done, 220)));

/** The widget of a page: what it is given, its words, and what it draws. */
class Drawing {
  constructor(section) {
    this.section = section;
    this.list = section.querySelector("[data-climb]");
    this.verdict = section.querySelector("[data-verdict]");
  }

  word(name, facts = {}) {
    const text = this.section.querySelector("template[data-words]").content.querySelector(`[data-word="${name}"]`);
    return (text?.textContent ?? name).replace(/\{(\w+)\}/g, (_, fact) => String(facts[fact] ?? ""));
  }

  given(name) {
    return this.section.querySelector(`[data-given="${name}"]`)?.textContent ?? "";
  }

  all(name) {
    return [...this.section.querySelectorAll(`[data-given="${name}"]`)].map((one) => one.textContent.trim());
  }

  /** One step of the list: its words, the hashes that go in, the one that comes out. */
  async step(name, facts = {}, { parts = [], result } = {}) {
    await pause();
    const item = document.createElement("li");
    item.className = "good";
    const line = document.createElement("p");
    line.textContent = this.word(name, facts);
    item.append(line);
    if (parts.length) {
      const pair = document.createElement("div");
      pair.className = "pair";
      for (const { hash, own } of parts) {
        const box = document.createElement("code");
        box.className = own ? "own" : "beside";
        box.textContent = textOf(hash);
        box.title = this.word(own ? "own" : "beside");
        pair.append(box);
      }
      item.append(pair);
    }
    if (result) {
      const reached = document.createElement("code");
      reached.className = "node";
      reached.textContent = textOf(result);
      item.append(reached);
    }
    this.list.append(item);
    return item;
  }

  say(tone, word, facts) {
    this.verdict.className = `note ${tone}`;
    this.verdict.textContent = this.word(word, facts);
    this.section.dataset.state = tone;
  }

  /** A fault stands as the last step and as the verdict, with what to do. */
  async refuse(fault) {
    const item = await this.step(fault.word, {}, { parts: fault.parts.map((hash) => ({ hash, own: false })) });
    item.className = "bad";
    this.say("bad", "refused");
    const more = document.createElement("span");
    more.textContent = ` ${this.word(fault.word)} ${this.word("refused.do")}`;
    this.verdict.append(more);
  }
}

async function publicKeys() {
  const reply = await fetch("/ledger/keys", { credentials: "omit", cache: "no-store" });
  if (!reply.ok) throw new TypeError("no keys");
  return Promise.all((await reply.text()).split("\n").filter(Boolean).map(parseKey));
}

/** Signature of the log, and of the witnesses that the page names; the word of what could not be checked, or "". */
async function signatures(drawing, note) {
  let own;
  try {
    own = (await publicKeys()).filter((key) => key.type === PLAIN && key.name === note.origin);
  } catch (fault) {
    if (fault instanceof Mismatch) throw fault;
    await drawing.step("keys.missing").then((item) => (item.className = "wait"));
    return "keys.missing";
  }
  try {
    const signers = await signedBy(note, own);
    if (!signers.length) throw new Mismatch("unsigned");
    await drawing.step("signed", { name: note.origin, count: signers.length }, { result: signers[0].public });
    const witnesses = await Promise.all(drawing.all("witness").map(parseKey));
    for (const key of await signedBy(note, witnesses)) await drawing.step("cosigned", { name: key.name }, { result: key.public });
  } catch (fault) {
    if (fault instanceof Mismatch) throw fault;
    await drawing.step("ed25519.unknown").then((item) => (item.className = "wait"));
    return "ed25519.unknown";
  }
  return "";
}

/** What the page shows of the leaf must be what was hashed, and the private part the one that the leaf commits to. */
async function shown(drawing, leaf) {
  let members;
  try {
    members = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(leaf));
  } catch {
    throw new Mismatch("garbled");
  }
  for (const place of document.querySelectorAll("[data-leaf]"))
    if (String(members[place.dataset.leaf]) !== place.textContent) throw new Mismatch("other");
  await drawing.step("read", { bytes: leaf.length });
  const kept = drawing.given("private");
  if (kept) {
    const digest = await sha256(bytesOf(kept));
    if (textOf(digest) !== members.private) throw new Mismatch("private.other", [digest, bytesOf(members.private)]);
    await drawing.step("private", {}, { result: digest });
  }
}

async function entry(drawing) {
  const leaf = bytesOf(drawing.given("leaf"));
  const [index, size] = [Number(drawing.given("index")), Number(drawing.given("size"))];
  const note = parseNote(drawing.given("checkpoint"));
  await shown(drawing, leaf);
  const hash = await leafHash(leaf);
  await drawing.step("leaf", { index }, { result: hash });
  const steps = await climb(hash, index, size, drawing.all("hash").map(bytesOf));
  for (const [at, one] of steps.entries()) {
    const parts = ["left", "right"].map((side) => ({ hash: one[side], own: one.own === side }));
    await drawing.step("up", { at: at + 1, of: steps.length }, { parts, result: one.node });
  }
  const reached = steps.length ? steps.at(-1).node : hash;
  if (size !== note.size || !same(reached, note.root)) throw new Mismatch("root.other", [reached, note.root]);
  await drawing.step("root", { size }, { result: note.root });
  return note;
}

async function prove(section) {
  const drawing = new Drawing(section);
  drawing.list.replaceChildren();
  drawing.say("wait", "running");
  if (!globalThis.crypto?.subtle) return drawing.say("warn", "insecure");
  try {
    const whole = section.dataset.proof === "entry";
    const note = whole ? await entry(drawing) : parseNote(drawing.given("checkpoint"));
    const left = await signatures(drawing, note);
    drawing.say(left ? "warn" : "good", left ? "halfway" : "proven", { index: drawing.given("index"), size: note.size });
  } catch (fault) {
    if (!(fault instanceof Mismatch)) throw fault;
    await drawing.refuse(fault);
  }
}

for (const section of document.querySelectorAll("[data-proof]")) {
  section.querySelector("[data-again]").hidden = false;
  section.querySelector("[data-again]").addEventListener("click", () => prove(section));
  prove(section);
}
