// Draws what stands in the page's tables, and lets a page renew itself while somebody looks at it.
// The numbers of a chart are those of its table, read again whenever the table was renewed: nothing else is sent for it.

const language = document.documentElement.lang;
const ZONE = "Asia/Jakarta";
const IDLE = 15 * 60_000; // without a key or a pointer nobody looks: the session shall be able to end by itself
const DASHES = [[], [7, 4], [2, 3], [10, 4, 2, 4]];
const count = new Intl.NumberFormat(language);
const when = (options) => new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { timeZone: ZONE, ...options });
const clock = when({ hour: "2-digit", minute: "2-digit" });
const second = when({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = when({ day: "numeric", month: "short" });
const whole = when({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

// ------------------------------------------------------------------------------------------------ charts

/** [seconds, one list of numbers for each column] of a table: <time datetime> in its first cells, <data value> in the others. */
function numbers(table, columns) {
  const rows = [...table.querySelectorAll("tbody tr")];
  const number = (cell) => (cell.querySelector("data") ? Number(cell.querySelector("data").value) : null);
  const at = rows.map((row) => Date.parse(row.querySelector("time").dateTime) / 1000);
  return [at, ...columns.map((column) => rows.map((row) => number(row.children[column])))];
}

class Chart {
  constructor(figure) {
    this.figure = figure;
    this.columns = figure.dataset.columns.split(" ").map(Number);
    const heads = [...this.table.querySelectorAll("thead th")];
    this.names = this.columns.map((column) => heads[column].textContent.trim());
    this.shown = this.names.map(() => true);
    this.series = document.createElement("div");
    this.series.className = "series";
    this.series.setAttribute("role", "group");
    this.series.setAttribute("aria-labelledby", figure.getAttribute("aria-labelledby"));
    this.plot = document.createElement("div");
    this.plot.className = "plot";
    this.at = document.createElement("p");
    this.at.className = "at";
    figure.append(this.series, this.plot, this.at);
    this.buttons = this.names.map((name, index) => this.button(name, index));
    this.renew();
    new ResizeObserver(() => this.fit()).observe(this.plot);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  get table() {
    return document.querySelector(`#${this.figure.dataset.chart} table`);
  }

  button(name, index) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    line.setAttribute("viewBox", "0 0 30 10");
    line.setAttribute("aria-hidden", "true");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    for (const [key, value] of [["d", "M0 5H30"], ["stroke", `var(--s${index + 1})`], ["stroke-width", "3"], ["stroke-dasharray", DASHES[index].join(" ")]])
      path.setAttribute(key, value);
    line.append(path);
    const output = document.createElement("output");
    output.setAttribute("aria-live", "off");
    button.append(line, name, output);
    button.addEventListener("click", () => {
      this.shown[index] = !this.shown[index];
      button.setAttribute("aria-pressed", String(this.shown[index]));
      this.drawn?.setSeries(index + 1, { show: this.shown[index] });
    });
    this.series.append(button);
    return button;
  }

  /** Read the table again. A chart of nothing is not shown. */
  renew() {
    this.data = numbers(this.table, this.columns);
    const empty = !this.data.slice(1).some((values) => values.some((value) => value));
    this.figure.hidden = empty;
    if (empty) return;
    if (this.drawn) this.drawn.setData(this.data);
    else this.draw();
  }

  fit() {
    const width = this.plot.clientWidth;
    if (this.drawn && width && width !== this.drawn.width) this.drawn.setSize({ width, height: this.drawn.height });
  }

  draw() {
    this.drawn?.destroy();
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--ink-soft"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { stroke: colour("--grid"), width: 1 }, font: "12px system-ui, sans-serif" };
    const short = this.figure.dataset.step === "day" ? day : clock;
    this.drawn = new uPlot(
      {
        width: this.plot.clientWidth || 600,
        height: innerWidth < 600 ? 200 : 260,
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, points: { size: 7 } },
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), ZONE),
        scales: { y: { range: (_, low, high) => [0, Math.max(high ?? 0, 1) * 1.08] } },
        axes: [
          { ...axis, space: 70, size: 34, values: (_, ticks) => ticks.map((tick) => short.format(tick * 1000)) },
          { ...axis, size: 62, values: (_, ticks) => ticks.map((tick) => (this.figure.dataset.unit || Number.isInteger(tick) ? count.format(tick) : "")) },
        ],
        series: [{}, ...this.names.map((label, index) => ({ label, show: this.shown[index], stroke: colour(`--s${index + 1}`), width: 2, dash: DASHES[index], spanGaps: false, points: { show: this.data[0].length < 80, size: 4 } }))],
        hooks: { setCursor: [() => this.tell()] },
      },
      this.data,
      this.plot,
    );
    this.plot.setAttribute("aria-hidden", "true"); // the table below says the same
    this.tell();
  }

  /** Where the pointer is: the numbers beside the names. */
  tell() {
    const index = this.drawn?.cursor.idx;
    const unit = this.figure.dataset.unit ? ` ${this.figure.dataset.unit}` : "";
    this.at.textContent = index == null ? "" : `${(this.figure.dataset.step === "day" ? day : whole).format(this.data[0][index] * 1000)} WIB`;
    this.buttons.forEach((button, series) => {
      const value = index == null ? null : this.data[series + 1][index];
      button.querySelector("output").textContent = value == null ? "" : count.format(value) + unit;
    });
  }
}

const charts = [...document.querySelectorAll("[data-chart]")].map((figure) => new Chart(figure));

// ------------------------------------------------------------------------------------------------ renewing

/** Put the new content of a part in the place of the old: only the rows where both are tables, so that focus and scroll stay. */
function renewed(old, now) {
  const rows = [old.querySelector("tbody"), now.querySelector("tbody")];
  const [into, from] = rows.every(Boolean) ? rows : [old, now];
  const focus = into.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  into.replaceChildren(...from.childNodes);
  if (focus) [...into.querySelectorAll("a")].find((link) => link.getAttribute("href") === focus)?.focus({ preventScroll: true });
}

class Live {
  constructor(root) {
    this.root = root;
    this.said = root.querySelector("[data-said]");
    this.status = root.querySelector("[role=status]");
    this.button = root.querySelector("[data-pause]");
    this.paused = false;
    this.touched = Date.now();
    root.hidden = false;
    this.say("renewed");
    this.button.addEventListener("click", () => this.pause(!this.paused, "paused"));
    for (const kind of ["pointerdown", "pointermove", "keydown", "wheel"])
      addEventListener(kind, () => (this.touched = Date.now()), { passive: true });
    document.addEventListener("visibilitychange", () => document.hidden || this.renew());
    setInterval(() => this.renew(), Number(root.dataset.live) * 1000);
  }

  say(what) {
    const text = this.said.dataset[what].replace("{time}", second.format(Date.now()));
    this.said.textContent = text;
    this.said.classList.toggle("failed", what === "failed");
    if (what !== "renewed" && this.last !== what) this.status.textContent = text; // read out, once
    this.last = what;
  }

  pause(paused, why) {
    this.paused = paused;
    this.touched = Date.now();
    this.button.textContent = paused ? this.button.dataset.off : this.button.dataset.on;
    if (paused) this.say(why);
    else this.renew();
  }

  async renew() {
    if (this.paused || document.hidden || this.asking) return;
    if (Date.now() - this.touched > IDLE) return this.pause(true, "idle");
    this.asking = true;
    try {
      const url = new URL(location.href);
      url.searchParams.set("live", "1");
      const reply = await fetch(url, { credentials: "same-origin", headers: { accept: "text/html" } });
      if (new URL(reply.url).pathname !== location.pathname) return location.reload(); // nobody is logged in any more
      if (!reply.ok) throw new Error(reply.statusText);
      const page = new DOMParser().parseFromString(await reply.text(), "text/html");
      for (const id of this.root.dataset.parts.split(" ")) {
        const [old, now] = [document.getElementById(id), page.getElementById(id)];
        if (old && now) renewed(old, now);
      }
      charts.forEach((chart) => chart.renew());
      this.say("renewed");
    } catch {
      this.say("failed");
    } finally {
      this.asking = false;
    }
  }
}

document.querySelectorAll("[data-live]").forEach((root) => new Live(root));
