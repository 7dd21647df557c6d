"use strict";

const AROUND = 30;
const COLLATOR = new Intl.Collator("en", { numeric: true });

/**
 * A table that is sorted by the column of a head that is pressed; what does not apply stays last.
 * Of a long one, whose rows are in a template, the page has only the rows in sight.
 */
class SortedTable {
  constructor(table) {
    this.table = table;
    this.body = table.tBodies[0];
    this.box = table.closest(".scroll");
    this.heads = [...table.tHead.rows[0].cells];
    const template = table.querySelector("template");
    this.isLong = template !== null;
    this.rows = [...(template?.content ?? this.body).children];
    this.left = this.rows;
    this.heads.forEach((head, column) => {
      head.firstElementChild.addEventListener("click", () => this.sort(head, column));
    });
    if (this.isLong) {
      this.spaces = [0, 1].map(() => this.space());
      this.box.addEventListener("scroll", () => this.showSight());
      new ResizeObserver(() => this.showSight()).observe(this.box);
      this.show();
    }
  }

  sort(head, column) {
    const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    for (const other of this.heads) other.setAttribute("aria-sort", other === head ? order : "none");
    const sign = order === "ascending" ? 1 : -1;
    const isWords = head.classList.contains("words");
    const compare = isWords ? COLLATOR.compare : (a, b) => (a === b ? 0 : a - b);
    const keyed = this.rows.map((row) => [this.key(row.cells[column], isWords), row]);
    keyed.sort(([a], [b]) => (a === null) - (b === null) || (a === null ? 0 : sign * compare(a, b)));
    this.rows = keyed.map(([, row]) => row);
    const left = new Set(this.left);
    this.left = this.rows.filter((row) => left.has(row));
    this.show();
  }

  key(cell, isWords) {
    const text = cell.textContent;
    if (isWords) return text || null;
    const number = parseFloat(cell.dataset.value ?? text.replaceAll(",", ""));
    return Number.isNaN(number) ? null : number;
  }

  /** Shows the rows that have all of some words; returns how many there are. */
  filter(words) {
    this.texts ??= new Map(this.rows.map((row) => [row, this.text(row)]));
    this.left = this.rows.filter((row) => words.every((word) => this.texts.get(row).includes(word)));
    this.show();
    return this.left.length;
  }

  text(row) {
    return Array.from(row.cells, (cell) => cell.textContent).join("\n").toLowerCase();
  }

  show() {
    if (!this.isLong) {
      this.body.replaceChildren(...this.left);
      return;
    }
    this.box.scrollTop = 0;
    this.table.setAttribute("aria-rowcount", 1 + this.left.length);
    this.first = null;
    this.showSight();
  }

  showSight() {
    this.height ??= this.measure();
    if (!this.height) return; // not laid out yet
    const first = Math.max(0, Math.floor(this.box.scrollTop / this.height) - AROUND);
    // An even place, so that moving by a few rows changes nothing.
    const start = first - (first % AROUND);
    if (start === this.first) return;
    this.first = start;
    const end = start + Math.ceil(window.innerHeight / this.height) + 3 * AROUND;
    const [above, below] = this.spaces;
    above.style.height = `${start * this.height}px`;
    below.style.height = `${Math.max(0, this.left.length - end) * this.height}px`;
    this.body.replaceChildren(above, ...this.left.slice(start, end), below);
  }

  measure() {
    this.body.replaceChildren(...this.rows.slice(0, 1));
    return this.rows[0].getBoundingClientRect().height;
  }

  space() {
    const row = document.createElement("tr");
    row.className = "space";
    row.ariaHidden = "true";
    return row;
  }
}

const tables = new Map(Array.from(document.querySelectorAll("table"), (table) => [table, new SortedTable(table)]));

const filter = document.getElementById("filter");
filter.addEventListener("input", () => {
  const table = tables.get(document.querySelector("#trials table"));
  const left = table.filter(filter.value.toLowerCase().split(/\s+/).filter(Boolean));
  const all = table.rows.length.toLocaleString("en");
  document.getElementById("shown").textContent =
    left === table.rows.length ? `${all} rows` : `${left.toLocaleString("en")} of ${all} rows`;
});

const MAX_ZOOM = 8;
const STEP = 5;

/** Two pictures of the same image, one on each side of a line; zoomed and moved together. */
class Swipe {
  constructor(section) {
    const find = (selector) => section.querySelector(selector);
    this.pictures = JSON.parse(find("#pictures").textContent);
    this.width = Number(section.dataset.width);
    this.height = Number(section.dataset.height);
    this.stage = find(".stage");
    this.cut = find(".cut");
    this.handle = find(".handle");
    this.images = [find("img.left"), find("img.right")];
    this.told = find("#zoom");
    this.share = 0.5;
    this.pointers = new Map();
    ["left", "right"].forEach((side, i) => {
      const list = find(`#${side}`);
      list.selectedIndex = Math.min(i, list.length - 1);
      const show = () => {
        const picture = this.pictures[list.value];
        this.images[i].src = picture.source;
        this.images[i].alt = `${side}: ${picture.title}`;
        find(`#${side}-facts`).textContent = picture.facts;
      };
      list.addEventListener("change", show);
      show();
    });
    find("#in").addEventListener("click", () => this.step(1));
    find("#out").addEventListener("click", () => this.step(-1));
    find("#fit").addEventListener("click", () => this.fit());
    this.stage.addEventListener("keydown", (event) => this.press(event));
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.stage.addEventListener("pointerdown", (event) => this.grab(event));
    this.stage.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) {
      this.stage.addEventListener(end, (event) => this.release(event));
    }
    this.handle.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      this.handle.setPointerCapture(event.pointerId);
    });
    this.handle.addEventListener("pointermove", (event) => {
      if (!this.handle.hasPointerCapture(event.pointerId)) return;
      event.stopPropagation();
      const box = this.stage.getBoundingClientRect();
      this.meet((event.clientX - box.left) / box.width);
    });
    this.handle.addEventListener("keydown", (event) => this.slide(event));
    new ResizeObserver(() => this.resize()).observe(this.stage.parentElement);
    this.meet(0.5);
  }

  /** The smallest zoom: 1, or less if the picture is larger than the stage. */
  get least() {
    const most = 0.75 * window.innerHeight;
    return Math.min(1, this.stage.clientWidth / this.width, Math.max(200, most) / this.height);
  }

  resize() {
    if (this.stage.clientWidth === this.wide) return;
    this.wide = this.stage.clientWidth;
    this.fit();
  }

  /** Shows the whole picture, at a whole number of pixels a pixel if it is enlarged. */
  fit() {
    const most = Math.max(200, 0.75 * window.innerHeight);
    const whole = Math.floor(Math.min(this.stage.clientWidth / this.width, most / this.height, MAX_ZOOM));
    this.zoom = whole >= 1 ? whole : this.least;
    this.stage.style.height = `${Math.round(this.zoom * this.height)}px`;
    this.x = this.width / 2;
    this.y = this.height / 2;
    this.draw();
  }

  step(sign, at) {
    const next = sign > 0 ? Math.floor(this.zoom) + 1 : Math.ceil(this.zoom) - 1;
    this.zoomTo(next, at);
  }

  /** Zooms so that the pixel at a place of the stage, by default its middle, stays there. */
  zoomTo(zoom, at = { x: 0, y: 0 }) {
    const next = Math.min(MAX_ZOOM, Math.max(this.least, zoom));
    this.x += at.x / this.zoom - at.x / next;
    this.y += at.y / this.zoom - at.y / next;
    this.zoom = next;
    this.draw();
  }

  pan(x, y) {
    this.x -= x / this.zoom;
    this.y -= y / this.zoom;
    this.draw();
  }

  draw() {
    const { clientWidth: wide, clientHeight: high } = this.stage;
    const within = (value, size, seen) =>
      seen >= size ? size / 2 : Math.min(size - seen / 2, Math.max(seen / 2, value));
    this.x = within(this.x, this.width, wide / this.zoom);
    this.y = within(this.y, this.height, high / this.zoom);
    const left = Math.round(wide / 2 - this.x * this.zoom);
    const top = Math.round(high / 2 - this.y * this.zoom);
    for (const image of this.images) {
      image.style.width = `${this.width * this.zoom}px`;
      image.style.height = `${this.height * this.zoom}px`;
      image.style.transform = `translate(${left}px, ${top}px)`;
      image.classList.toggle("pixelated", this.zoom > 1);
    }
    this.told.textContent = `${Number(this.zoom.toFixed(2))}×`;
    this.stage.dataset.zoom = this.zoom;
    this.stage.dataset.place = `${Math.round(this.x)},${Math.round(this.y)}`;
  }

  /** Moves the line between the pictures to a share of the stage's width. */
  meet(share) {
    this.share = Math.min(1, Math.max(0, share));
    const percent = 100 * this.share;
    this.handle.style.left = `${percent}%`;
    this.cut.style.clipPath = `inset(0 ${100 - percent}% 0 0)`;
    this.handle.ariaValueNow = Math.round(percent);
    this.handle.ariaValueText = `${Math.round(percent)} % left`;
  }

  slide(event) {
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -STEP, PageUp: STEP };
    if (event.key in steps) this.meet(this.share + (steps[event.key] * (event.shiftKey ? STEP : 1)) / 50);
    else if (event.key === "Home") this.meet(0);
    else if (event.key === "End") this.meet(1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const far = 60;
    const moves = { ArrowLeft: [far, 0], ArrowRight: [-far, 0], ArrowUp: [0, far], ArrowDown: [0, -far] };
    if (event.key in moves) this.pan(...moves[event.key]);
    else if (event.key === "+" || event.key === "=") this.step(1);
    else if (event.key === "-") this.step(-1);
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
  }

  /** The page scrolls by the wheel until the pictures have the focus. */
  wheel(event) {
    if (!event.ctrlKey && !this.stage.contains(document.activeElement)) return;
    event.preventDefault();
    if (event.deltaY) this.step(-Math.sign(event.deltaY), this.place(event));
  }

  /** Where a pointer is, from the middle of the stage. */
  place(event) {
    const box = this.stage.getBoundingClientRect();
    return { x: event.clientX - box.left - box.width / 2, y: event.clientY - box.top - box.height / 2 };
  }

  grab(event) {
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.place(event));
    this.stage.classList.add("moving");
  }

  /** Moves by one pointer, and zooms by two. */
  move(event) {
    const last = this.pointers.get(event.pointerId);
    if (!last) return;
    const now = this.place(event);
    this.pointers.set(event.pointerId, now);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const apart = (one) => Math.hypot(one.x - other.x, one.y - other.y) || 1;
      this.zoomTo((this.zoom * apart(now)) / apart(last), other);
    } else {
      this.pan(now.x - last.x, now.y - last.y);
    }
  }

  release(event) {
    this.pointers.delete(event.pointerId);
    if (!this.pointers.size) this.stage.classList.remove("moving");
  }
}

const section = document.getElementById("swipe");
if (section) new Swipe(section);

addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});
