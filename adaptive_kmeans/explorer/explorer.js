/**
 * The explorer's front end: one module for the page and the notebook widget.
 *
 *     control ─ state ─ message ─▸ Python ─▸ message ─ picture ─┬ viewer: before, after, overlay
 *                                                              ├ facts and curve
 *                                                              └ codebook
 *
 * It follows the Anywidget Front-End Module convention, `render({ model, el })`, and needs only
 * `get`, `set`, `on`, `off` and `send` of `model`. Python computes, this module paints: an index
 * map and codebooks arrive and become pixels here. The sections below follow the data flow.
 */

/**
 * What the user wants to see: plain values, with the same names in Python and in the address.
 * @typedef {object} State
 * @property {string} image
 * @property {"quality"|"regular"|"regions"} method
 * @property {number} quality
 * @property {number} k
 * @property {number} k1
 * @property {number} k2
 * @property {number} block_size
 * @property {string} detail
 * @property {string} threshold
 * @property {number} effort
 * @property {string} tune
 * @property {boolean} restoration
 * @property {string} color_space
 * @property {number} seed
 * @property {string} dither
 * @property {"swipe"|"side"|"hold"} compare
 * @property {"none"|"regions"|"error"|"codeword"} overlay
 * @property {number} codeword  Place in the concatenated codebooks; -1: the one under the pointer.
 * @property {number} zoom      1: the whole picture fits.
 * @property {number} x         Center of the view, as a share of the picture's width.
 * @property {number} y
 * @property {number} swipe     Where the original ends, as a share of the view's width.
 */

/**
 * Codewords for every pixel. Buffers: index map uint16, region map uint8, codebooks uint8.
 * @typedef {object} PictureMessage
 * @property {"picture"} type
 * @property {number} number      Number of the state that this answers.
 * @property {number} width
 * @property {number} height
 * @property {boolean} is_final   Whether a file of this state has these pixels.
 * @property {number} block_size
 * @property {number[]} codebooks Number of codewords of each region.
 * @property {number[][]} shares  Each codeword's share of the pixels.
 * @property {number} psnr_db
 * @property {number} ssim
 */

/**
 * An actual file. Buffers: decoded RGB, then those of a picture.
 * @typedef {object} FileMessage
 * @property {"file"} type
 * @property {number} number
 * @property {number} bytes
 * @property {number} bits_per_pixel
 * @property {number} ratio_to_input     Bytes of the input divided by bytes of this file.
 * @property {number} compression_ratio
 * @property {number} psnr_db
 * @property {number} ssim
 * @property {Object<string, number>} split  Bytes of each part of the file.
 */

// ── Names and settings ──────────────────────────────────────────────────────────────────────────

/** The whole picture in view. */
const WHOLE_VIEW = { zoom: 1, x: 0.5, y: 0.5 };

const VIEW_KEYS = ["compare", "overlay", "codeword", "zoom", "x", "y", "swipe"];

/** Keys of each method that change its picture or its file. */
const METHODS = {
  quality: ["quality", "effort", "tune", "restoration", "detail", "color_space", "seed"],
  regular: ["k", "dither", "restoration", "color_space", "seed"],
  regions: [
    "k1", "k2", "block_size", "detail", "threshold", "dither", "restoration", "color_space", "seed",
  ],
};

const METHOD_LABELS = { quality: "Quality", regular: "Regular", regions: "Regions" };
const METHOD_HINTS = {
  quality: "Codewords by distortion and bits; the decoder restores what it can.",
  regular: "Plain K-means: one codebook; each pixel takes the nearest codeword, or is dithered.",
  regions: "The published method: smooth blocks get k1 codewords, detailed ones k2.",
};

const COMPARE_LABELS = { swipe: "Swipe", side: "Side", hold: "Hold" };
const OVERLAY_LABELS = { none: "None", regions: "Regions", error: "Error", codeword: "Codeword" };

const REGION_LABELS = ["Low detail", "High detail"];

/** Parts of a file, in the order of the bar. */
const PARTS = {
  header: "Header",
  codebooks: "Codebooks",
  region_map: "Region map",
  indices: "Indices",
  restoration: "Restoration",
};

const TAKE_AWAYS = [
  ["akm", "File .akm"],
  ["png", "Decoded PNG"],
  ["index-map", "Index map"],
  ["codebook", "Codebook"],
  ["npz", "Arrays .npz"],
  ["config", "Config for run"],
];

/** Describe the settings of a state's method in a few words. */
function describe(state) {
  const words = {
    quality: () => [`quality ${state.quality}`, `effort ${state.effort}`, state.tune],
    regular: () => [`k ${state.k}`],
    regions: () => [
      `k1 ${state.k1}, k2 ${state.k2}`,
      `${state.block_size}×${state.block_size}`,
      state.detail,
      state.threshold,
    ],
  }[state.method]();
  if (state.color_space !== "rgb") words.push(state.color_space);
  if (state.method !== "quality" && state.dither !== "none") words.push(state.dither);
  if (state.restoration !== (state.method === "quality")) {
    words.push(state.restoration ? "restored" : "not restored");
  }
  return words.join(", ");
}

/** The part of a state that determines the file. */
function methodSettings(state) {
  const keys = ["image", "method", ...METHODS[state.method]];
  return Object.fromEntries(keys.map((key) => [key, state[key]]));
}

function queryOf(state) {
  return new URLSearchParams(state).toString();
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const integer = (value) => Math.round(value).toLocaleString("en-US");
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;

/** PSNR; Python sends null for a lossless file, whose PSNR is infinite. */
const decibels = (value) => value?.toFixed(2) ?? "∞";
/** SSIM; null if it is not measured. */
const similarity = (value) => value?.toFixed(4) ?? "–";

// ── Elements ────────────────────────────────────────────────────────────────────────────────────

let lastId = 0;
const newId = () => `akm-${++lastId}`;

/** Make an element: attributes by name, listeners as `onclick`, children as nodes or strings. */
function make(tag, attributes = {}, ...children) {
  const element = tag.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Change an element's text only if it differs, so that live regions are announced once. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function button(label, onclick, attributes = {}) {
  return make("button", { type: "button", class: "akm-button", onclick, ...attributes }, label);
}

function section(title, ...children) {
  const id = newId();
  return make(
    "section",
    { class: "akm-section", "aria-labelledby": id },
    make("h2", { class: "akm-title", id }, title),
    ...children,
  );
}

/** A row of radio buttons that looks like one control. */
function segmented(label, options, onchange) {
  const name = newId();
  const inputs = new Map();
  const element = make("fieldset", { class: "akm-segmented" }, make("legend", {}, label));
  for (const [value, text] of Object.entries(options)) {
    const input = make("input", { type: "radio", name, value, onchange: () => onchange(value) });
    inputs.set(value, input);
    element.append(make("label", {}, input, make("span", {}, text)));
  }
  return {
    element,
    show(value) {
      inputs.get(value).checked = true;
    },
  };
}

// ── Messages: the newest state wins ─────────────────────────────────────────────────────────────

const PATIENCE_MS = 400; // to wait for a picture before a newer state cancels it

/**
 * Numbers the states that are sent, and tells which answers are still wanted.
 *
 * At most one state is sent per frame, and not before the last one's picture has arrived: a newer
 * state cancels the work on an older one, so sending every state would leave a moving slider
 * without any picture. Of the states in between, only the newest is sent.
 */
class Link {
  /** @param {object} model  The anywidget model, or the page's. */
  constructor(model) {
    this.model = model;
    this.restart();
  }

  /** Count from 0, the state that a `welcome` comes with. */
  restart() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.number = 0; // of the newest state sent
    this.shown = 0; // of the newest picture
    this.oldest = 0; // the first state of the image on the screen
    this.sentAt = null; // when the state whose picture is awaited was sent
    this.waiting = null; // returns the state to send next
  }

  send(message, buffers = []) {
    this.model.send(message, {}, buffers);
  }

  /** @param {(number: number) => State} wanted  Called when the state is sent. */
  sendSoon(wanted) {
    this.waiting = wanted;
    this.frame ||= requestAnimationFrame(() => this.sendWhenFree());
  }

  sendWhenFree() {
    this.frame = 0;
    if (!this.waiting) return;
    if (this.sentAt !== null && performance.now() - this.sentAt < PATIENCE_MS) {
      this.frame = requestAnimationFrame(() => this.sendWhenFree());
      return;
    }
    const wanted = this.waiting;
    this.waiting = null;
    this.number += 1;
    this.sentAt = performance.now();
    this.send({ type: "state", number: this.number, state: wanted(this.number) });
  }

  /** A state's picture or error has arrived; return how many milliseconds it took, or null. */
  answered(number) {
    if (number !== this.number || this.sentAt === null) return null;
    const waited = performance.now() - this.sentAt;
    this.sentAt = null;
    return waited;
  }

  /** Pictures of the current image are no longer wanted. */
  forgetImage() {
    this.oldest = this.number + 1;
  }

  /** Whether a picture is newer than the one on the screen. While a slider moves, every such
   * picture is worth showing, even if a newer state is on its way. */
  accepts(number) {
    if (number < this.shown || number < this.oldest) return false;
    this.shown = number;
    return true;
  }

  isNewest(number) {
    return number === this.number && !this.waiting;
  }

  close() {
    cancelAnimationFrame(this.frame);
    this.send({ type: "bye" });
  }
}

// ── Pictures: from buffers to pixels ────────────────────────────────────────────────────────────

const BLACK = 0xff000000;
const WHITE = 0xffffffff;
const DIMMED = 0xe0202020;
const HIGHLIGHT = 0xff00e5ff; // yellow, as ABGR

const bytesOf = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** Sixteen-bit words, copied because a buffer in a message may start at an odd byte. */
const wordsOf = (view) => new Uint16Array(bytesOf(view).slice().buffer);

/** A pixel as ImageData stores it, on a little-endian machine. */
const pack = (red, green, blue) => (BLACK | (blue << 16) | (green << 8) | red) >>> 0;

const hexOf = (pixel) =>
  `#${[0, 8, 16].map((shift) => ((pixel >> shift) & 255).toString(16).padStart(2, "0")).join("")}`;

function packRgb(rgb) {
  const pixels = new Uint32Array(rgb.length / 3);
  for (let i = 0, j = 0; i < pixels.length; i += 1, j += 3) {
    pixels[i] = BLACK | (rgb[j + 2] << 16) | (rgb[j + 1] << 8) | rgb[j];
  }
  return pixels;
}

/**
 * Read a picture, or what a file decodes to. For each pixel, `places` holds its codeword's place
 * in the concatenated codebooks, so that no later step needs to consider regions.
 * @param {PictureMessage|FileMessage} message
 * @param {DataView[]} buffers
 */
function readPicture(message, buffers) {
  const [indexMap, regionMap, codebooks] = buffers.slice(-3);
  const { width, height } = message;
  const blockSize = message.block_size;
  const picture = {
    width,
    height,
    blockSize,
    columns: Math.ceil(width / blockSize),
    regions: bytesOf(regionMap),
    sizes: message.codebooks,
    shares: message.shares.flat(),
    colors: packRgb(bytesOf(codebooks)),
    places: wordsOf(indexMap),
    decoded: buffers.length > 3 ? packRgb(bytesOf(buffers[0])) : null,
  };
  joinCodebooks(picture);
  return picture;
}

/** Turn indices in a region's codebook into places in the concatenated codebooks. */
function joinCodebooks(picture) {
  if (picture.sizes.length === 1) return;
  const { width, height, places } = picture;
  const starts = picture.sizes.map((_, region) => startOf(picture, region));
  for (let y = 0, i = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, i += 1) places[i] += starts[regionAt(picture, x, y)];
  }
}

function startOf({ sizes }, region) {
  return sizes.slice(0, region).reduce((sum, size) => sum + size, 0);
}

function regionAt({ regions, columns, blockSize }, x, y) {
  return regions[Math.floor(y / blockSize) * columns + Math.floor(x / blockSize)];
}

function regionOf({ sizes }, place) {
  return place < sizes[0] ? 0 : 1;
}

function paintResult(picture, out) {
  if (picture.decoded) out.set(picture.decoded);
  else for (let i = 0; i < out.length; i += 1) out[i] = picture.colors[picture.places[i]];
}

/** Low detail black, as published; high detail white. */
function paintRegions(picture, out) {
  const { width, height } = picture;
  for (let y = 0, i = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, i += 1) out[i] = regionAt(picture, x, y) ? WHITE : BLACK;
  }
}

/** Highlight every pixel of one codeword and dim the others. */
function paintCodeword({ places }, place, out) {
  for (let i = 0; i < out.length; i += 1) out[i] = places[i] === place ? HIGHLIGHT : DIMMED;
}

/** Root mean square error of a pixel over R, G and B, in levels. */
function errorOf(a, b) {
  const red = (a & 255) - (b & 255);
  const green = ((a >> 8) & 255) - ((b >> 8) & 255);
  const blue = ((a >> 16) & 255) - ((b >> 16) & 255);
  return Math.sqrt((red * red + green * green + blue * blue) / 3);
}

/** Paint each pixel's error; return the upper end of the scale, a power of two for 99 % of them. */
function paintError(original, result, out) {
  const counts = new Uint32Array(257);
  const errors = new Float32Array(out.length);
  for (let i = 0; i < out.length; i += 1) {
    errors[i] = errorOf(original[i], result[i]);
    counts[Math.ceil(errors[i])] += 1;
  }
  let highest = 256;
  for (let above = 0; highest > 0 && above + counts[highest] <= out.length / 100; highest -= 1) {
    above += counts[highest];
  }
  const scale = 2 ** clamp(Math.ceil(Math.log2(Math.max(highest, 1))), 2, 8);
  for (let i = 0; i < out.length; i += 1) {
    out[i] = HEAT[Math.min(255, Math.round((errors[i] * 255) / scale))];
  }
  return scale;
}

/** The heat map's colors, from no error to large: black, purple, red, orange, pale yellow. */
const HEAT_STOPS = [
  [0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99], [212, 72, 66], [245, 125, 21],
  [250, 193, 39], [252, 255, 164],
];
const HEAT = Uint32Array.from({ length: 256 }, (_, i) => {
  const place = (i / 255) * (HEAT_STOPS.length - 1);
  const stop = Math.min(Math.floor(place), HEAT_STOPS.length - 2);
  const [low, high] = [HEAT_STOPS[stop], HEAT_STOPS[stop + 1]];
  return pack(...low.map((value, c) => Math.round(value + (high[c] - value) * (place - stop))));
});

/** A canvas whose pixels are accessible as 32-bit words. */
class Layer {
  constructor(name, label) {
    this.canvas = make("canvas", { class: `akm-${name}`, role: "img", "aria-label": label });
    this.canvas.width = this.canvas.height = 0;
    this.context = this.canvas.getContext("2d");
    this.words = new Uint32Array(0);
  }

  /** @param {(out: Uint32Array) => T} fill  @template T  @returns {T} */
  paint(width, height, fill) {
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.image = new ImageData(width, height);
      this.words = new Uint32Array(this.image.data.buffer);
    }
    const answer = fill(this.words);
    this.context.putImageData(this.image, 0, 0);
    return answer;
  }

  clear() {
    this.canvas.width = this.canvas.height = 0;
  }
}

// ── Viewer: before and after, zoom and pan, overlays ────────────────────────────────────────────

const HINT = matchMedia("(hover: none)").matches
  ? "Pinch zooms, drag pans."
  : "Wheel zooms, drag pans, space shows the original.";
const MOST_SCREEN_PIXELS = 48; // width of one image pixel
const ZOOM_STEP = 1.5;
const PAN_STEP = 0.12; // of the view
const DRAG_STARTS = 4; // screen pixels; a shorter move is a click

class Viewer {
  /**
   * @param {(patch: Partial<State>) => void} change  Called when the user changes the view.
   * @param {(place: number) => void} point  Called with the codeword under the pointer, or -1.
   * @param {boolean} isGreedy  Whether the wheel zooms without focus: on a page, not in a notebook.
   */
  constructor(change, point, isGreedy) {
    this.change = change;
    this.point = point;
    this.isGreedy = isGreedy;
    this.state = { compare: "swipe", overlay: "none", codeword: -1, swipe: 0.5, ...WHOLE_VIEW };
    this.picture = null;
    this.pointed = -1;
    this.isHeld = false;
    this.pointers = new Map();
    this.original = new Layer("original", "Original");
    this.result = new Layer("result", "Compressed");
    this.overlay = new Layer("overlay", "Overlay");
    this.element = this.build();
    this.observer = new ResizeObserver(() => this.place());
    this.observer.observe(this.stage);
  }

  build() {
    this.before = make("div", { class: "akm-pane akm-before" }, this.original.canvas);
    this.after = make(
      "div", { class: "akm-pane akm-after" }, this.result.canvas, this.overlay.canvas,
    );
    this.beforeName = make("span", { class: "akm-badge akm-badge-before" }, "Original");
    this.afterName = make("span", { class: "akm-badge akm-badge-after" });
    this.legend = make("div", { class: "akm-legend", hidden: true });
    this.handle = make("div", {
      class: "akm-handle", role: "slider", tabindex: 0,
      "aria-label": "Swipe: where the original ends",
      "aria-valuemin": 0, "aria-valuemax": 100, "aria-orientation": "horizontal",
      onkeydown: (event) => this.keySwipe(event),
      onpointerdown: (event) => this.startSwipe(event),
    }, make("span", { class: "akm-knob", "aria-hidden": "true" }));
    this.stage = make("div", {
      class: "akm-stage", tabindex: 0, role: "group",
      "aria-label": "Picture. Arrows pan, plus and minus zoom, 0 fits, 1 shows actual pixels; "
        + "hold space for the original.",
      onkeydown: (event) => this.keyDown(event),
      onkeyup: (event) => event.key === " " && this.hold(false),
      onblur: () => this.hold(false),
      onpointerdown: (event) => this.pointerDown(event),
      onpointermove: (event) => this.pointerMove(event),
      onpointerup: (event) => this.pointerUp(event),
      onpointercancel: (event) => this.pointerUp(event),
      onpointerleave: () => this.pointAt(null),
    }, this.before, this.after, this.beforeName, this.afterName, this.handle, this.legend);
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    return make("section", { class: "akm-viewer", "aria-label": "Picture" },
      this.buildToolbar(), this.stage, this.buildFooter());
  }

  buildToolbar() {
    this.compare = segmented("Compare", COMPARE_LABELS, (compare) => this.change({ compare }));
    this.overlays = segmented("Overlay", OVERLAY_LABELS, (overlay) => this.change({ overlay }));
    this.opacity = make("input", {
      type: "range", min: 0, max: 1, step: 0.01, value: 0.8, class: "akm-opacity",
      "aria-label": "Opacity of the overlay", title: "Opacity of the overlay",
      oninput: () => this.showOpacity(),
    });
    return make("div", { class: "akm-toolbar" },
      this.compare.element, this.overlays.element, this.opacity);
  }

  buildFooter() {
    this.scaleText = button("100 %", () => this.zoomTo(1 / this.fit), {
      class: "akm-button akm-scale", title: "Show actual pixels",
    });
    const zoom = make("div", { class: "akm-zoom", role: "group", "aria-label": "Zoom" },
      button("−", () => this.zoomBy(1 / ZOOM_STEP), { "aria-label": "Zoom out" }),
      this.scaleText,
      button("+", () => this.zoomBy(ZOOM_STEP), { "aria-label": "Zoom in" }),
      button("Fit", () => this.zoomTo(1)));
    this.readout = make("p", { class: "akm-readout" });
    this.showReadout(null);
    return make("div", { class: "akm-footer" }, this.readout, zoom);
  }

  // What is shown

  showOriginal(width, height, rgb) {
    this.picture = null;
    this.result.clear();
    this.overlay.clear();
    this.original.paint(width, height, (out) => out.set(packRgb(rgb)));
    this.show(this.state);
  }

  /** @param {boolean} isFile  Whether these are the pixels of a decoded file. */
  showPicture(picture, isFile) {
    if (picture.width !== this.original.canvas.width) return;
    this.picture = picture;
    this.result.paint(picture.width, picture.height, (out) => paintResult(picture, out));
    say(this.afterName, isFile ? "Compressed" : "Preview: nearest codewords");
    this.paintOverlay();
    this.place();
  }

  /** @param {State} state */
  show(state) {
    const isNewOverlay = ["overlay", "codeword"].some((key) => state[key] !== this.state[key]);
    this.state = state;
    this.compare.show(state.compare);
    this.overlays.show(state.overlay);
    this.stage.dataset.compare = state.compare;
    this.handle.hidden = state.compare !== "swipe";
    if (isNewOverlay) this.paintOverlay();
    this.place();
  }

  paintOverlay() {
    const kind = this.picture ? this.state.overlay : "none";
    this.opacity.disabled = kind === "none";
    this.legend.replaceChildren();
    this.legend.hidden = kind === "none";
    const { picture, original, result, overlay } = this;
    if (kind === "none") return overlay.clear();
    const paint = (fill) => overlay.paint(picture.width, picture.height, fill);
    this.showOpacity();
    if (kind === "error") {
      this.legend.append(
        ...errorLegend(paint((out) => paintError(original.words, result.words, out))));
    } else if (kind === "regions" && picture.sizes.length === 1) {
      overlay.clear();
      this.legend.append("One codebook: all blocks are one region.");
    } else if (kind === "regions") {
      paint((out) => paintRegions(picture, out));
      this.legend.append(...regionLegend(picture));
    } else {
      const place = this.highlighted;
      if (place < 0) overlay.clear();
      else paint((out) => paintCodeword(picture, place, out));
      this.legend.append(
        place < 0 ? "Point at a pixel or choose a swatch." : describeCodeword(picture, place));
    }
    this.place();
  }

  get highlighted() {
    const chosen = this.state.codeword < 0 ? this.pointed : this.state.codeword;
    return this.picture && chosen < this.picture.colors.length ? chosen : -1;
  }

  showOpacity() {
    this.overlay.canvas.style.opacity = this.opacity.value;
  }

  // Where it is shown

  get width() {
    return this.original.canvas.width;
  }

  get height() {
    return this.original.canvas.height;
  }

  /** Screen pixels per pixel at zoom 1. */
  get fit() {
    if (!this.width) return 1;
    const { clientWidth, clientHeight } = this.after;
    return Math.min(clientWidth / this.width, clientHeight / this.height) || 1;
  }

  get scale() {
    return this.fit * this.state.zoom;
  }

  /** Position the canvases, the handle and the clip. */
  place() {
    const { state, scale, width, height } = this;
    const [paneWidth, paneHeight] = [this.after.clientWidth, this.after.clientHeight];
    const left = paneWidth / 2 - state.x * width * scale;
    const top = paneHeight / 2 - state.y * height * scale;
    for (const { canvas } of [this.original, this.result, this.overlay]) {
      canvas.style.width = `${width * scale}px`;
      canvas.style.height = `${height * scale}px`;
      canvas.style.transform = `translate(${left}px, ${top}px)`;
    }
    this.stage.classList.toggle("akm-pixelated", scale * devicePixelRatio >= 2);
    this.stage.classList.toggle("akm-zoomed", state.zoom > 1);
    this.stage.classList.toggle("akm-held", this.isHeld);
    const share = clamp(state.swipe, 0, 1) * 100;
    const isClipped = state.compare === "swipe" && !this.isHeld;
    this.after.style.clipPath = isClipped ? `inset(0 0 0 ${share}%)` : "none";
    this.handle.style.left = `${share}%`;
    this.handle.setAttribute("aria-valuenow", share.toFixed(0));
    this.handle.setAttribute("aria-valuetext", `${share.toFixed(0)} % original`);
    say(this.scaleText, `${Math.round(scale * 100)} %`);
  }

  /** Move the view so that no empty border shows where the picture could fill it. */
  look(zoom, x, y) {
    if (!this.width) return;
    const most = Math.max(1, MOST_SCREEN_PIXELS / this.fit);
    const at = clamp(zoom, 1, most);
    const middle = (value, size, pane) => {
      const half = pane / (2 * size * this.fit * at);
      return half >= 0.5 ? 0.5 : clamp(value, half, 1 - half);
    };
    this.change({
      zoom: at,
      x: middle(x, this.width, this.after.clientWidth),
      y: middle(y, this.height, this.after.clientHeight),
    });
  }

  zoomTo(zoom) {
    this.look(zoom, this.state.x, this.state.y);
  }

  /** Zoom about a point of the pane, by default its center: that point stays where it is. */
  zoomBy(factor, dx = 0, dy = 0) {
    const { zoom, x, y } = this.state;
    const most = Math.max(1, MOST_SCREEN_PIXELS / this.fit);
    const next = clamp(zoom * factor, 1, most);
    const shift = (1 / zoom - 1 / next) / this.fit;
    this.look(next, x + (dx * shift) / this.width, y + (dy * shift) / this.height);
  }

  panBy(dx, dy) {
    const { zoom, x, y } = this.state;
    this.look(zoom, x + dx / (this.width * this.scale), y + dy / (this.height * this.scale));
  }

  hold(isHeld) {
    if (this.isHeld === isHeld) return;
    this.isHeld = isHeld;
    this.place();
  }

  // What the user does

  keyDown(event) {
    if (event.target !== this.stage || event.ctrlKey || event.metaKey || event.altKey) return;
    const [across, down] = [this.after.clientWidth * PAN_STEP, this.after.clientHeight * PAN_STEP];
    const action = {
      "ArrowLeft": () => this.panBy(-across, 0),
      "ArrowRight": () => this.panBy(across, 0),
      "ArrowUp": () => this.panBy(0, -down),
      "ArrowDown": () => this.panBy(0, down),
      "+": () => this.zoomBy(ZOOM_STEP),
      "=": () => this.zoomBy(ZOOM_STEP),
      "-": () => this.zoomBy(1 / ZOOM_STEP),
      "0": () => this.zoomTo(1),
      "1": () => this.zoomTo(1 / this.fit),
      " ": () => this.hold(true),
    }[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  keySwipe(event) {
    const step = event.shiftKey ? 0.1 : 0.01;
    const { swipe } = this.state;
    const next = {
      ArrowLeft: swipe - step, ArrowDown: swipe - step, ArrowRight: swipe + step,
      ArrowUp: swipe + step, Home: 0, End: 1,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.change({ swipe: clamp(next, 0, 1) });
  }

  startSwipe(event) {
    event.stopPropagation();
    const box = this.stage.getBoundingClientRect();
    const move = ({ clientX }) =>
      this.change({ swipe: clamp((clientX - box.left) / box.width, 0, 1) });
    const end = () => this.handle.removeEventListener("pointermove", move);
    this.handle.setPointerCapture(event.pointerId);
    this.handle.addEventListener("pointermove", move);
    this.handle.addEventListener("lostpointercapture", end, { once: true });
  }

  /** The pointer's position in its pane: relative to the center, and as a pixel of the picture. */
  locate({ clientX, clientY }) {
    const isBefore = this.state.compare === "side"
      && clientX < this.after.getBoundingClientRect().left;
    const box = (isBefore ? this.before : this.after).getBoundingClientRect();
    const dx = clientX - box.left - box.width / 2;
    const dy = clientY - box.top - box.height / 2;
    const x = Math.floor(this.state.x * this.width + dx / this.scale);
    const y = Math.floor(this.state.y * this.height + dy / this.scale);
    return { dx, dy, x, y, isInside: x >= 0 && y >= 0 && x < this.width && y < this.height };
  }

  wheel(event) {
    if (!(this.isGreedy || event.ctrlKey || this.stage.matches(":focus-within"))) return;
    event.preventDefault();
    const { dx, dy } = this.locate(event);
    const pixels = event.deltaY * (event.deltaMode === 1 ? 30 : 1);
    this.zoomBy(2 ** clamp(-pixels / 240, -1, 1), dx, dy);
  }

  pointerDown(event) {
    if (event.button !== 0) return;
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.dragged = 0;
    if (this.state.compare === "hold") this.hold(true);
  }

  pointerMove(event) {
    if (this.pointers.has(event.pointerId)) this.drag(event);
    this.pointAt(this.locate(event));
  }

  drag(event) {
    const last = this.pointers.get(event.pointerId);
    const now = { x: event.clientX, y: event.clientY };
    this.pointers.set(event.pointerId, now);
    this.dragged += Math.hypot(now.x - last.x, now.y - last.y);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) this.pinch(last, now, other);
    else if (this.dragged > DRAG_STARTS) this.panBy(last.x - now.x, last.y - now.y);
  }

  pinch(last, now, other) {
    const spread = (point) => Math.max(Math.hypot(point.x - other.x, point.y - other.y), 1);
    const middle = { clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 };
    const { dx, dy } = this.locate(middle);
    this.zoomBy(spread(now) / spread(last), dx, dy);
  }

  pointerUp(event) {
    const isClick = this.pointers.delete(event.pointerId) && this.dragged <= DRAG_STARTS;
    if (!this.pointers.size) this.hold(false);
    if (isClick && event.type === "pointerup") this.pick(this.locate(event));
  }

  /** Keep the codeword of a pixel highlighted; a second call releases it. */
  pick({ x, y, isInside }) {
    if (this.state.overlay !== "codeword" || !this.picture || !isInside) return;
    const place = this.picture.places[y * this.width + x];
    this.change({ codeword: this.state.codeword === place ? -1 : place });
  }

  /** Describe the pixel under the pointer, and highlight its codeword. */
  pointAt(at) {
    const inside = at?.isInside && this.picture ? at : null;
    this.showReadout(inside);
    const place = inside ? this.picture.places[inside.y * this.width + inside.x] : -1;
    if (place === this.pointed) return;
    this.pointed = place;
    this.point(place);
    if (this.state.overlay === "codeword" && this.state.codeword < 0) this.paintOverlay();
  }

  showReadout(at) {
    if (!at) return say(this.readout, HINT);
    const i = at.y * this.width + at.x;
    const [before, after] = [this.original.words[i], this.result.words[i]];
    say(this.readout, [
      `${at.x}, ${at.y}`,
      `${hexOf(before)} → ${hexOf(after)}`,
      `error ${errorOf(before, after).toFixed(1)}`,
      nameCodeword(this.picture, this.picture.places[i]),
    ].join("  ·  "));
  }

  /** The picture as shown, including the overlay. @returns {Promise<Blob>} */
  snapshot() {
    const box = this.stage.getBoundingClientRect();
    const canvas = make("canvas");
    canvas.width = Math.round(box.width * devicePixelRatio);
    canvas.height = Math.round(box.height * devicePixelRatio);
    const context = canvas.getContext("2d");
    context.scale(devicePixelRatio, devicePixelRatio);
    context.imageSmoothingEnabled = !this.stage.classList.contains("akm-pixelated");
    context.fillStyle = getComputedStyle(this.stage).backgroundColor;
    context.fillRect(0, 0, box.width, box.height);
    this.draw(context, this.before, box, 0, [this.original]);
    if (!this.isHeld || this.state.compare === "side") {
      const clipped = this.state.compare === "swipe" ? this.state.swipe : 0;
      this.draw(context, this.after, box, clipped, [this.result, this.overlay]);
    }
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  draw(context, pane, stage, clipped, layers) {
    const box = pane.getBoundingClientRect();
    const { state, scale, width, height } = this;
    context.save();
    context.translate(box.left - stage.left, box.top - stage.top);
    context.beginPath();
    context.rect(box.width * clipped, 0, box.width, box.height);
    context.clip();
    for (const { canvas } of layers.filter(({ canvas }) => canvas.width)) {
      context.globalAlpha = canvas.style.opacity || 1;
      context.drawImage(
        canvas,
        box.width / 2 - state.x * width * scale,
        box.height / 2 - state.y * height * scale,
        width * scale,
        height * scale,
      );
    }
    context.restore();
  }

  close() {
    this.observer.disconnect();
  }
}

function errorLegend(scale) {
  const bar = make("span", { class: "akm-heat", "aria-hidden": "true" });
  bar.style.background = `linear-gradient(to right, ${[...HEAT].map(hexOf).join(",")})`;
  return [
    make("span", { class: "akm-legend-title" },
      "Error per pixel: RMS of R, G, B, in levels of 255"),
    bar,
    make("span", { class: "akm-ticks" },
      ...[0, scale / 4, scale / 2, (3 * scale) / 4].map((tick) => make("span", {}, `${tick}`)),
      make("span", {}, scale < 256 ? `≥ ${scale}` : "255")),
  ];
}

function regionLegend(picture) {
  const high = picture.regions.reduce((sum, region) => sum + (region ? 1 : 0), 0);
  const share = high / picture.regions.length;
  return [
    make("span", { class: "akm-key akm-key-low" }), `low detail ${percent(1 - share)}`,
    make("span", { class: "akm-key akm-key-high" }), `high detail ${percent(share)} of blocks`,
  ];
}

/** A codeword's index in the codebook of its region. */
function nameCodeword(picture, place) {
  const region = regionOf(picture, place);
  const name = `codeword ${place - startOf(picture, region)}`;
  return picture.sizes.length > 1 ? `${REGION_LABELS[region].toLowerCase()}, ${name}` : name;
}

function describeCodeword(picture, place) {
  const share = `${percent(picture.shares[place], 2)} of pixels`;
  return [nameCodeword(picture, place), hexOf(picture.colors[place]), share].join("  ·  ");
}

// ── Controls ────────────────────────────────────────────────────────────────────────────────────

/** A slider and a number input for one value; a logarithmic slider moves in octaves. */
function numberField({ key, label, low, high, step = 1, isLogarithmic = false }, change) {
  const [toSlider, fromSlider] = isLogarithmic
    ? [Math.log2, (octaves) => Math.round(2 ** octaves)]
    : [Number, Number];
  const id = newId();
  const set = (value) => change({ [key]: clamp(value, low, high) });
  const slider = make("input", {
    type: "range", id, min: toSlider(low), max: toSlider(high), step: isLogarithmic ? "any" : step,
    oninput: () => set(fromSlider(Number(slider.value))),
    onkeydown: (event) => {
      const sign = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      if (!isLogarithmic || !sign) return;
      event.preventDefault();
      const value = Number(number.value);
      set(value + sign * Math.max(1, Math.round(value / 32)));
    },
  });
  const number = make("input", {
    type: "number", min: low, max: high, step, inputmode: "decimal", "aria-label": label,
    oninput: () => number.value !== "" && number.checkValidity() && set(Number(number.value)),
    onblur: () => {
      number.value = slider.dataset.value;
    },
  });
  return {
    element: make("div", { class: "akm-field akm-number", "data-field": key },
      make("label", { for: id }, label), slider, number),
    show(state) {
      const value = state[key];
      if (fromSlider(Number(slider.value)) !== value) slider.value = toSlider(value);
      slider.dataset.value = value;
      slider.setAttribute("aria-valuetext", `${value}`);
      slider.style.setProperty("--akm-share",
        (toSlider(value) - toSlider(low)) / (toSlider(high) - toSlider(low)));
      if (number !== number.getRootNode().activeElement || Number(number.value) !== value) {
        number.value = value;
      }
    },
  };
}

function selectField({ key, label, options }, change) {
  const id = newId();
  const select = make("select", { id, onchange: () => change({ [key]: select.value }) },
    ...options.map((option) => make("option", { value: option }, option)));
  return {
    element: make("div", { class: "akm-field akm-select", "data-field": key },
      make("label", { for: id }, label), select),
    show(state) {
      if (!options.includes(state[key])) {
        options.push(state[key]);
        select.append(make("option", { value: state[key] }, state[key]));
      }
      select.value = state[key];
    },
  };
}

function switchField({ key, label }, change) {
  const id = newId();
  const input = make("input", {
    type: "checkbox", role: "switch", id, onchange: () => change({ [key]: input.checked }),
  });
  return {
    element: make("div", { class: "akm-field akm-switch", "data-field": key },
      make("label", { for: id }, label), input),
    show(state) {
      input.checked = state[key];
    },
  };
}

/** The image picker and the method's settings. */
class Controls {
  constructor(change, upload) {
    this.change = change;
    this.fields = [];
    this.images = make("select", {
      class: "akm-images", "aria-label": "Image",
      onchange: () => change({ image: this.images.value, codeword: -1, ...WHOLE_VIEW }),
    });
    this.file = make("input", {
      type: "file", accept: "image/*", hidden: true, "aria-label": "Open an image",
      onchange: () => {
        for (const file of this.file.files) upload(file);
        this.file.value = "";
      },
    });
    this.note = make("p", { class: "akm-hint akm-note" });
    this.method = segmented("Method", METHOD_LABELS, (method) => change({ method }));
    this.hint = make("p", { class: "akm-hint" });
    this.form = make("div", { class: "akm-fields" });
    this.element = make("div", { class: "akm-controls" },
      section("Image",
        make("div", { class: "akm-row" }, this.images,
          button("Open…", () => this.file.click(), { title: "Or drop an image, or paste one" }),
          this.file),
        this.note),
      section("Method", this.method.element, this.hint, this.form));
  }

  /** Build the fields from the choices that Python offers. */
  offer(choices) {
    const [lowestBlock, highestBlock] = [choices.block_sizes.at(0), choices.block_sizes.at(-1)];
    const [lowK, highK] = choices.k;
    const number = (key, label, low, high, isLogarithmic = false) =>
      numberField({ key, label, low, high, isLogarithmic }, this.change);
    const select = (key, label, options) => selectField({ key, label, options }, this.change);
    this.fields = [
      number("quality", "Quality", choices.quality[0], choices.quality[1]),
      number("k", "Codewords, k", lowK, highK, true),
      number("k1", "Low detail, k1", lowK, highK, true),
      number("k2", "High detail, k2", lowK, highK, true),
      number("effort", "Effort", choices.efforts[0], choices.efforts[1]),
      number("block_size", "Block size", lowestBlock, highestBlock, true),
      select("detail", "Detail measure", choices.measures),
      select("threshold", "Threshold", choices.thresholds),
      select("tune", "Tune", choices.tunes),
      select("color_space", "Color space", choices.color_spaces),
      select("dither", "Dithering", choices.ditherings),
      switchField({ key: "restoration", label: "Restoration" }, this.change),
    ];
    this.form.replaceChildren(...this.fields.map(({ element }) => element));
  }

  offerImages(images) {
    this.images.replaceChildren(...images.map(({ name, width, height }) =>
      make("option", { value: name }, `${name}  ${width} × ${height}`)));
  }

  /** @param {State} state */
  show(state) {
    this.images.value = state.image;
    this.method.show(state.method);
    say(this.hint, METHOD_HINTS[state.method]);
    for (const field of this.fields) {
      field.element.hidden = !METHODS[state.method].includes(field.element.dataset.field);
      field.show(state);
    }
  }
}

// ── Facts ───────────────────────────────────────────────────────────────────────────────────────

/** The numbers of the file, and where its bytes go. */
class Facts {
  constructor() {
    this.values = {};
    const fact = (key, label) => {
      this.values[key] = make("dd", { "data-fact": key }, "–");
      return make("div", { class: "akm-fact" }, make("dt", {}, label), this.values[key]);
    };
    this.progress = make("progress", { class: "akm-progress", max: 1, "aria-label": "Coder" });
    this.stage = make("span", { class: "akm-stage-name" });
    this.bar = make("div", { class: "akm-bar", role: "img" });
    this.parts = make("ul", { class: "akm-parts" });
    this.element = section("File",
      make("dl", { class: "akm-facts" },
        fact("bytes", "Bytes"),
        fact("psnr_db", "PSNR, dB"),
        fact("ssim", "SSIM"),
        fact("bits_per_pixel", "Bits per pixel"),
        fact("compression_ratio", "Raw RGB : file"),
        fact("ratio_to_input", "Input : file")),
      make("div", { class: "akm-coder" }, this.progress, this.stage),
      this.bar, this.parts);
    this.element.classList.add("akm-file");
    this.showSplit({}, 0);
  }

  /** The file is not known yet: nothing shown here may be mistaken for its size. */
  wait() {
    for (const value of Object.values(this.values)) say(value, "–");
    say(this.values.bytes, "pending");
    if (this.element.classList.contains("akm-pending")) return;
    this.element.classList.add("akm-pending");
    this.showSplit({}, 0);
    this.showProgress({ stage: "", share: 0 });
  }

  /** @param {PictureMessage} message */
  showQuality({ psnr_db, ssim, is_final }) {
    say(this.values.psnr_db, decibels(psnr_db));
    say(this.values.ssim, similarity(ssim));
    this.element.classList.toggle("akm-preview", !is_final);
  }

  showProgress({ stage, share }) {
    this.element.classList.add("akm-busy");
    this.progress.value = clamp(share, 0, 1);
    say(this.stage, stage);
  }

  rest() {
    this.element.classList.remove("akm-busy");
  }

  /** @param {FileMessage} message */
  showFile(message) {
    say(this.values.bytes, integer(message.bytes));
    say(this.values.bits_per_pixel, message.bits_per_pixel.toFixed(3));
    say(this.values.compression_ratio, message.compression_ratio.toFixed(1));
    say(this.values.ratio_to_input,
      message.ratio_to_input == null ? "–" : message.ratio_to_input.toFixed(1));
    this.showQuality({ ...message, is_final: true });
    this.showSplit(message.split, message.bytes);
    this.stop();
  }

  /** There will be no file. */
  fail() {
    say(this.values.bytes, "–");
    this.stop();
  }

  stop() {
    this.element.classList.remove("akm-pending");
    this.rest();
  }

  showSplit(split, bytes) {
    const known = Object.keys(PARTS);
    const others = Object.keys(split).filter((key) => !known.includes(key) && split[key]);
    const keys = [...known, ...others];
    const label = (key) => PARTS[key] ?? key.replaceAll("_", " ");
    this.bar.replaceChildren(...keys.map((key) => {
      const part = make("span", { class: "akm-part", "data-part": key });
      part.style.flexGrow = split[key] ?? 0;
      return part;
    }));
    this.bar.setAttribute("aria-label", bytes
      ? `Bytes: ${keys.map((key) => `${label(key)} ${split[key] ?? 0}`).join(", ")}`
      : "No bytes yet");
    this.parts.replaceChildren(...keys.map((key) => make("li", { "data-part": key },
      make("span", { class: "akm-part-name" }, label(key)),
      make("span", { class: "akm-part-bytes" }, bytes ? integer(split[key] ?? 0) : "–"),
      make("span", { class: "akm-part-share" }, bytes ? percent((split[key] ?? 0) / bytes) : ""))));
  }
}

// ── Curve: every setting tried ──────────────────────────────────────────────────────────────────

const CHART = { width: 340, height: 190, left: 34, right: 14, top: 8, bottom: 18 };

/** Chart positions for values between low and high, with ticks where people expect them. */
function axis(values, from, to, { isLogarithmic, pad, ticks }) {
  const scale = isLogarithmic ? Math.log : Number;
  let [low, high] = [Math.min(...values), Math.max(...values)].map(scale);
  const margin = Math.max((high - low) * 0.08, pad);
  [low, high] = [low - margin, high + margin];
  const place = (value) => from + ((scale(value) - low) / (high - low)) * (to - from);
  const invert = isLogarithmic ? Math.exp : Number;
  return { place, ticks: ticks(invert(low), invert(high)) };
}

/** 1, 2, 5, 10, 20, … between two values. */
function decadeTicks(low, high) {
  const ticks = [];
  for (let decade = 10 ** Math.floor(Math.log10(low)); decade <= high; decade *= 10) {
    ticks.push(...[1, 2, 5].map((digit) => digit * decade));
  }
  return ticks.filter((tick) => tick >= low && tick <= high);
}

function evenTicks(low, high) {
  const step = [1, 2, 5, 10, 20].find((size) => (high - low) / size <= 5) ?? 50;
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) ticks.push(tick);
  return ticks;
}

const octaveTicks = (low, high) =>
  Array.from({ length: 13 }, (_, i) => 2 ** i).filter((k) => k >= low && k <= high);

function shortBytes(bytes) {
  if (bytes >= 1e6) return `${bytes / 1e6} MB`;
  return bytes >= 1000 ? `${bytes / 1000} kB` : `${bytes}`;
}

const MARKS = {
  quality: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z",
  regular: "M-3.6 -3.6H3.6V3.6H-3.6Z",
  regions: "M0 -4.6L4.4 3.4H-4.4Z",
  peer: "M0 -4.6L4.6 0L0 4.6L-4.6 0Z",
};

/** The frame of a chart: grid, ticks and axis labels. */
function chartFrame(title, x, y, xText) {
  const { width, height, left, right, top, bottom } = CHART;
  const svg = make("svg:svg", {
    class: "akm-chart", viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": title,
  });
  for (const tick of y.ticks) {
    const at = y.place(tick);
    svg.append(make("svg:path", { class: "akm-grid", d: `M${left} ${at}H${width - right}` }),
      make("svg:text", { x: left - 6, y: at + 3.5, "text-anchor": "end" }, `${tick}`));
  }
  for (const tick of x.ticks) {
    const at = x.place(tick);
    svg.append(make("svg:path", { class: "akm-grid", d: `M${at} ${top}V${height - bottom}` }),
      make("svg:text", { x: at, y: height - bottom + 13, "text-anchor": "middle" }, xText(tick)));
  }
  return svg;
}

/** Which mark stands for which method. */
function markKey() {
  const entry = ([method, label]) =>
    make("li", {},
      make("svg:svg", { viewBox: "-6 -6 12 12", "aria-hidden": "true" },
        make("svg:path", { class: `akm-mark akm-mark-${method}`, d: MARKS[method] })),
      label);
  return make("ul", { class: "akm-marks" }, ...Object.entries(METHOD_LABELS).map(entry));
}

class Curve {
  /**
   * @param {(patch: Partial<State>) => void} change
   * @param {{peers: () => void, elbow: () => void}} ask
   */
  constructor(change, ask) {
    this.change = change;
    this.forget();
    this.plot = make("div", { class: "akm-plot" });
    this.caption = make("p", { class: "akm-caption", "aria-live": "off" });
    this.elbowPlot = make("div", { class: "akm-elbow-plot", hidden: true });
    this.element = section("PSNR in dB against bytes",
      markKey(), this.plot, this.caption,
      make("div", { class: "akm-row" },
        button("Peers at these bytes", ask.peers, {
          "data-ask": "peers", title: "PNG8, JPEG and WebP near the size of this file",
        }),
        button("Elbow", ask.elbow, {
          "data-ask": "elbow", title: "PSNR of regular K-means against k, and where it bends",
        })),
      this.elbowPlot);
    this.draw();
  }

  /** Start over for another image. */
  forget() {
    this.points = new Map(); // settings, as text → { state, bytes, psnr_db, ssim }
    this.peers = [];
    this.elbow = null;
    this.current = "";
  }

  clear() {
    this.forget();
    this.draw();
    this.drawElbow();
  }

  add(state, { bytes, psnr_db, ssim }) {
    const settings = methodSettings(state);
    this.current = JSON.stringify(settings);
    this.points.set(this.current, { settings, state, bytes, psnr_db, ssim });
    this.draw();
  }

  showPeers(points) {
    this.peers = points;
    this.draw();
  }

  showElbow(elbow) {
    this.elbow = elbow;
    this.drawElbow();
  }

  describeAll() {
    const count = this.points.size;
    if (!count) return "Each setting tried leaves a point.";
    return count === 1 ? "1 setting tried" : `${count} settings tried`;
  }

  draw() {
    say(this.caption, this.describeAll());
    const all = [...this.points.values(), ...this.peers];
    const finite = all.map(({ psnr_db }) => psnr_db).filter(Number.isFinite);
    if (!all.length) {
      const empty = { place: () => 0, ticks: [] };
      this.plot.replaceChildren(chartFrame("PSNR against bytes", empty, empty, String));
      return;
    }
    const { width, height, left, right, top, bottom } = CHART;
    const x = axis(all.map(({ bytes }) => bytes), left, width - right,
      { isLogarithmic: true, pad: 0.7, ticks: decadeTicks });
    const y = !finite.length ? { place: () => top, ticks: [] } : axis(finite, height - bottom, top,
      { isLogarithmic: false, pad: 1, ticks: evenTicks });
    const svg = chartFrame("PSNR against bytes", x, y, shortBytes);
    const at = ({ bytes, psnr_db }) => // a lossless file is at the top
      [x.place(bytes), Number.isFinite(psnr_db) ? y.place(psnr_db) : top];
    for (const peer of this.peers) svg.append(this.peerMark(peer, at(peer)));
    for (const [key, point] of this.points) svg.append(this.pointMark(key, point, at(point)));
    this.plot.replaceChildren(svg);
  }

  pointMark(key, { settings, state, bytes, psnr_db, ssim }, [x, y]) {
    const text = `${METHOD_LABELS[state.method]}: ${describe(state)} · ${integer(bytes)} bytes · `
      + `${decibels(psnr_db)} dB · SSIM ${similarity(ssim)}`;
    const isCurrent = key === this.current;
    const restore = () => this.change(settings);
    return make("svg:path", {
      class: `akm-mark akm-mark-${state.method}${isCurrent ? " akm-current" : ""}`,
      d: MARKS[state.method], transform: `translate(${x} ${y})`,
      tabindex: 0, role: "button", "aria-label": `${text}. Restore`,
      "aria-current": isCurrent ? "true" : null,
      onclick: restore,
      onkeydown: (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        restore();
      },
      onpointerenter: () => say(this.caption, text),
      onfocus: () => say(this.caption, text),
      onpointerleave: () => say(this.caption, this.describeAll()),
      onblur: () => say(this.caption, this.describeAll()),
    });
  }

  peerMark({ codec, label, bytes, psnr_db, ssim }, [x, y]) {
    const text = `${label} · ${integer(bytes)} bytes · ${decibels(psnr_db)} dB · `
      + `SSIM ${similarity(ssim)}`;
    return make("svg:g", {
      class: "akm-peer", role: "img", tabindex: 0, "aria-label": text,
      transform: `translate(${x} ${y})`,
      onpointerenter: () => say(this.caption, text),
      onfocus: () => say(this.caption, text),
      onpointerleave: () => say(this.caption, this.describeAll()),
      onblur: () => say(this.caption, this.describeAll()),
    },
    make("svg:path", { d: MARKS.peer }),
    make("svg:text", { x: 8, y: 3.5 }, codec));
  }

  drawElbow() {
    this.elbowPlot.hidden = !this.elbow;
    if (!this.elbow) return;
    const { width, height, left, right, top, bottom } = CHART;
    const points = this.elbow.points.filter(({ psnr_db }) => Number.isFinite(psnr_db));
    const x = axis(points.map(({ k }) => k), left, width - right,
      { isLogarithmic: true, pad: 0.2, ticks: octaveTicks });
    const y = axis(points.map(({ psnr_db }) => psnr_db), height - bottom, top,
      { isLogarithmic: false, pad: 1, ticks: evenTicks });
    const svg = chartFrame("PSNR against k", x, y, String);
    const line = points.map(({ k, psnr_db }) => `${x.place(k)} ${y.place(psnr_db)}`).join("L");
    svg.append(make("svg:path", { class: "akm-line", d: `M${line}` }));
    for (const { k, psnr_db } of points) {
      const isElbow = k === this.elbow.k;
      const choose = () => this.change({ method: "regular", k });
      svg.append(make("svg:path", {
        class: `akm-mark akm-mark-regular${isElbow ? " akm-current" : ""}`,
        d: MARKS.regular, transform: `translate(${x.place(k)} ${y.place(psnr_db)})`,
        role: "button", tabindex: 0,
        "aria-label": `k ${k}, ${decibels(psnr_db)} dB${isElbow ? ", the elbow" : ""}. Choose`,
        onclick: choose,
        onkeydown: (event) => event.key === "Enter" && choose(),
      }));
      if (isElbow) {
        svg.append(make("svg:text", {
          class: "akm-elbow", x: x.place(k) - 8, y: y.place(psnr_db) - 6, "text-anchor": "end",
        }, `elbow k = ${k}`));
      }
    }
    this.elbowPlot.replaceChildren(
      make("h2", { class: "akm-title" }, "PSNR in dB against k"), svg);
  }
}

// ── Codebook ────────────────────────────────────────────────────────────────────────────────────

const FEW_SWATCHES = 256; // as many as can follow a slider; more wait until it stops
const REST_MS = 150;

/** All codewords as swatches: one tab stop; arrows move, Enter shows a codeword's pixels. */
class Codebook {
  /** @param {(place: number) => void} choose  Called with the chosen codeword, or -1. */
  constructor(choose) {
    this.choose = choose;
    this.picture = null;
    this.chosen = -1;
    this.swatches = [];
    this.timer = 0;
    this.strip = make("canvas", {
      class: "akm-strip", role: "img", "aria-label": "Shares of the codewords",
    });
    this.groups = make("div", {
      class: "akm-swatches",
      onclick: (event) => this.onSwatch(event, (place) =>
        this.choose(place === this.chosen ? -1 : place)),
      onpointerover: (event) => this.onSwatch(event, (place) => this.tell(place)),
      onfocusin: (event) => this.onSwatch(event, (place) => this.tell(place)),
      onpointerleave: () => this.tell(this.chosen),
      onkeydown: (event) => this.move(event),
    });
    this.caption = make("p", { class: "akm-caption" });
    this.element = section("Codebook", this.strip, this.groups, this.caption);
    this.element.classList.add("akm-codebook");
  }

  show(picture) {
    this.picture = picture;
    clearTimeout(this.timer);
    if (picture.colors.length <= FEW_SWATCHES) this.draw();
    else this.timer = setTimeout(() => this.draw(), REST_MS);
  }

  draw() {
    const { picture } = this;
    this.drawStrip();
    if (picture.sizes.join() !== this.sizes) this.build(picture.sizes);
    this.swatches.forEach((swatch, place) => {
      const text = describeCodeword(picture, place);
      if (swatch.title === text) return;
      swatch.style.backgroundColor = hexOf(picture.colors[place]);
      swatch.title = text;
      swatch.setAttribute("aria-label", text);
    });
    this.mark(this.chosen);
  }

  /** Swatches are rebuilt only when their number changes. */
  build(sizes) {
    this.sizes = sizes.join();
    this.swatches = [];
    const density = [["many", 512], ["some", 64], ["few", 0]]
      .find(([, least]) => Math.max(...sizes) > least)[0];
    this.groups.replaceChildren(...sizes.map((size, region) => {
      const name = sizes.length > 1 ? `${REGION_LABELS[region]}: ` : "";
      const label = `${name}${integer(size)} codewords`;
      const first = this.swatches.length;
      const options = Array.from({ length: size }, (_, i) => make("div", {
        class: "akm-swatch", role: "option", tabindex: first + i ? -1 : 0, "data-place": first + i,
        "aria-selected": "false",
      }));
      this.swatches.push(...options);
      return make("div", {},
        make("p", { class: "akm-hint" }, label),
        make("div",
          { class: `akm-grid-${density}`, role: "listbox", "aria-label": label }, ...options));
    }));
  }

  /** Each codeword is as wide as its share of the pixels. */
  drawStrip() {
    const { strip: canvas, picture } = this;
    canvas.width = 720;
    canvas.height = 1;
    const context = canvas.getContext("2d");
    const total = picture.shares.reduce((sum, share) => sum + share, 0) || 1;
    let start = 0;
    picture.shares.forEach((share, place) => {
      const width = (share / total) * canvas.width;
      context.fillStyle = hexOf(picture.colors[place]);
      context.fillRect(start, 0, width + 1, 1);
      start += width;
    });
  }

  onSwatch(event, action) {
    const place = event.target.dataset?.place;
    if (place !== undefined) action(Number(place));
  }

  move(event) {
    const at = this.swatches.indexOf(event.target);
    if (at < 0) return;
    const columns = this.columns(at);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (event.key === "Enter" || event.key === " ") event.target.click();
    else if (step) this.focus(clamp(at + step, 0, this.swatches.length - 1));
    else return;
    event.preventDefault();
  }

  columns(at) {
    return getComputedStyle(this.swatches[at].parentElement).gridTemplateColumns.split(" ").length;
  }

  focus(place) {
    for (const swatch of this.groups.querySelectorAll('[tabindex="0"]')) swatch.tabIndex = -1;
    this.swatches[place].tabIndex = 0;
    this.swatches[place].focus();
  }

  /** Outline a codeword: the chosen one, or the one under the pointer in the picture. */
  mark(place) {
    this.groups.querySelector(".akm-marked")?.classList.remove("akm-marked");
    this.swatches[place]?.classList.add("akm-marked");
    this.tell(place);
  }

  tell(place) {
    const isKnown = this.picture && place >= 0 && place < this.picture.colors.length;
    say(this.caption,
      isKnown ? describeCodeword(this.picture, place) : "Choose one to see its pixels.");
  }

  select(place) {
    this.swatches[this.chosen]?.setAttribute("aria-selected", "false");
    this.swatches[place]?.setAttribute("aria-selected", "true");
    this.chosen = place;
    this.mark(place);
  }

  close() {
    clearTimeout(this.timer);
  }
}

// ── Take it with you ────────────────────────────────────────────────────────────────────────────

function download(blob, name) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Downloads and, in a notebook, files in the working directory. */
function takeAway({ take, save, snapshot, isNotebook }) {
  const command = make("input", {
    class: "akm-command", readonly: true, "aria-label": "Command line of these settings",
    placeholder: "adaptive-kmeans compress …",
  });
  const downloads = TAKE_AWAYS.map(([what, label]) =>
    button(label, () => take(what), { "data-take": what }));
  downloads.push(button("As shown", snapshot, {
    "data-take": "shown", title: "The picture as it is shown, overlay and all",
  }));
  const saves = TAKE_AWAYS.map(([what, label]) =>
    button(label, () => save(what), { "data-save": what }));
  const element = section("Take it with you",
    make("div", { class: "akm-row" }, command,
      button("Copy command", () => take("command"), { "data-take": "command" })),
    make("div", { class: "akm-takes" }, ...downloads));
  if (isNotebook) {
    element.append(make("p", { class: "akm-hint" }, "Save in the notebook's working directory"),
      make("div", { class: "akm-takes" }, ...saves));
  }
  return { element, showCommand(text) { command.value = text; } };
}

// ── The explorer ────────────────────────────────────────────────────────────────────────────────

const SILENT_MS = 8000; // after which the user is told that there is no answer
const SILENCE = {
  page: "No answer yet: the server is busy.",
  notebook: "No answer yet: the kernel is busy, or was restarted and the cell has to run again.",
};

/** Holds the state, and passes every message to the part that shows it. */
class Explorer {
  constructor(model, root) {
    this.root = root;
    this.model = model;
    this.isPage = model.get("home") === "page";
    this.link = new Link(model);
    this.state = null;
    this.choices = null; // what `welcome` offers
    this.uploaded = null; // the newest upload, to send again after a lost connection
    this.states = new Map(); // number → state, until its file has arrived
    this.silence = 0; // timer
    this.build();
    this.listen();
    if (model.get("connection") !== "lost") this.hello();
  }

  build() {
    const change = (patch) => this.change(patch);
    const point = (place) => this.codebook.mark(place < 0 ? this.state.codeword : place);
    this.viewer = new Viewer(change, point, this.isPage);
    this.controls = new Controls(change, (file) => this.upload(file));
    this.facts = new Facts();
    this.curve = new Curve(change, {
      peers: () => this.ask("peers"),
      elbow: () => this.ask("elbow"),
    });
    this.codebook = new Codebook((place) =>
      change({ codeword: place, ...(place < 0 ? {} : { overlay: "codeword" }) }));
    this.takes = takeAway({
      take: (what) => this.ask("take", { what }),
      save: (what) => this.ask("save", { what }),
      snapshot: async () =>
        download(await this.viewer.snapshot(), `${this.state.image}-shown.png`),
      isNotebook: !this.isPage,
    });
    this.banner = make("p", { class: "akm-banner", role: "status", hidden: true });
    this.viewer.stage.append(this.banner);
    this.status = make("p", { class: "akm-status", role: "status", "aria-live": "polite" });
    this.whole = button("Encode the whole", () => this.ask("whole"), { hidden: true });
    this.controls.note.after(this.whole);
    this.viewer.element.append(this.status);
    this.root.classList.add("akm");
    this.root.dataset.lmSuppressShortcuts = "true"; // else JupyterLab uses the arrows for cells
    this.root.dataset.home = this.isPage ? "page" : "notebook";
    this.root.dataset.number = "-1";
    this.root.replaceChildren(make("div", { class: "akm-body" },
      this.viewer.element,
      make("div", { class: "akm-side" },
        this.controls.element,
        make("div", { class: "akm-results" },
          this.facts.element, this.curve.element, this.takes.element),
        this.codebook.element)));
  }

  listen() {
    this.onMessage = (message, buffers) => {
      this.hear();
      this[`on_${message.type}`]?.(message, buffers);
    };
    this.onConnection = () => this.connect(this.model.get("connection"));
    this.model.on("msg:custom", this.onMessage);
    this.model.on("change:connection", this.onConnection);
    this.root.addEventListener("dragover", (event) => this.drag(event, true));
    this.root.addEventListener("dragleave", (event) => this.drag(event, false));
    this.root.addEventListener("drop", (event) => this.drop(event));
    this.pasteTarget = this.isPage ? document : this.root;
    this.onPaste = (event) => this.receive(event.clipboardData);
    this.pasteTarget.addEventListener("paste", this.onPaste);
  }

  // From the user

  /** @param {Partial<State>} patch  What the user changed. */
  change(patch) {
    if (!this.state) return;
    if (Object.entries(patch).every(([key, value]) => this.state[key] === value)) return;
    const isNewImage = patch.image !== undefined && patch.image !== this.state.image;
    const isOnlyView = Object.keys(patch).every((key) => VIEW_KEYS.includes(key));
    this.state = { ...this.state, ...patch };
    this.show();
    if (isNewImage) this.forgetImage();
    if (!isOnlyView) this.want();
  }

  /** Ask for the picture and the file of the state. */
  want() {
    this.waitForFile();
    this.link.sendSoon((number) => {
      this.states.set(number, this.state);
      return this.state;
    });
  }

  ask(type, fields = {}) {
    this.say("");
    this.link.send({ type, number: this.link.number, ...fields });
  }

  async upload(file) {
    if (!this.choices) return;
    if (file.size > this.choices.upload_bytes) {
      const most = `${this.choices.upload_bytes / 2 ** 20} MB`;
      this.say(`${file.name}: expected at most ${most}, received more`, true);
      return;
    }
    this.say(`Reading ${file.name}…`);
    const bytes = await file.arrayBuffer();
    this.uploaded = { name: file.name, bytes };
    this.link.send({ type: "upload", name: file.name }, [bytes]);
  }

  receive(transfer) {
    const file = [...(transfer?.files ?? [])][0];
    if (file) this.upload(file);
    return Boolean(file);
  }

  drag(event, isOver) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    this.root.classList.toggle("akm-dropping", isOver);
  }

  drop(event) {
    this.root.classList.remove("akm-dropping");
    if (this.receive(event.dataTransfer)) event.preventDefault();
  }

  // To the user

  /** Show the state in every control, in the root's attributes and in the address. */
  show() {
    for (const [key, value] of Object.entries(this.state)) {
      this.root.setAttribute(`data-${key.replaceAll("_", "-")}`, value);
    }
    this.controls.show(this.state);
    this.viewer.show(this.state);
    if (this.state.codeword !== this.codebook.chosen) this.codebook.select(this.state.codeword);
    this.model.set("query", queryOf(this.state));
  }

  say(text, isError = false) {
    say(this.status, text);
    this.status.classList.toggle("akm-error", isError);
    this.root.dataset.error = isError ? text : "";
  }

  waitForFile() {
    this.root.dataset.bytes = "pending";
    this.facts.wait();
    this.silence ||= setTimeout(() => this.say(SILENCE[this.root.dataset.home]), SILENT_MS);
  }

  /** An answer has arrived, whatever it is. */
  hear() {
    clearTimeout(this.silence);
    this.silence = 0;
    if (Object.values(SILENCE).includes(this.status.textContent)) this.say("");
  }

  forgetImage() {
    this.link.forgetImage();
    this.curve.clear();
  }

  // From Python

  hello() {
    this.isWelcome = false;
    this.waitForFile();
    if (this.state && this.state.image === this.uploaded?.image) {
      this.link.send({ type: "upload", name: this.uploaded.name }, [this.uploaded.bytes]);
    }
    const query = this.state ? queryOf(this.state) : this.model.get("query");
    this.link.send({ type: "hello", query: query ?? "" });
  }

  connect(connection) {
    this.root.dataset.connection = connection;
    this.banner.hidden = connection !== "lost";
    say(this.banner, connection === "lost"
      ? "Connection lost. Your settings are kept; trying to reconnect…" : "");
    if (connection === "open") this.hello();
  }

  on_welcome({ images, choices, state }) {
    this.isWelcome = true;
    this.root.dataset.connection = "open";
    this.link.restart();
    this.say("");
    this.choices = choices;
    this.controls.offer(choices);
    this.controls.offerImages(images);
    this.state = state;
    this.show();
    this.states.set(0, state);
  }

  on_images({ images, state }) {
    if (this.uploaded) this.uploaded.image = state.image;
    if (!this.isWelcome) return;
    this.controls.offerImages(images);
    this.say("");
    this.change({ image: state.image, codeword: -1, ...WHOLE_VIEW });
  }

  on_original({ name, width, height, scale_note }, [rgb]) {
    say(this.controls.note, scale_note ?? "");
    this.whole.hidden = !scale_note;
    this.root.dataset.original = name;
    this.viewer.showOriginal(width, height, bytesOf(rgb));
  }

  /** @param {PictureMessage} message */
  on_picture(message, buffers) {
    if (!this.link.accepts(message.number)) return;
    this.showPicture(message, buffers, message.is_final);
    this.facts.showQuality(message);
    const waited = this.link.answered(message.number);
    if (waited !== null) this.root.dataset.latencyMs = waited.toFixed(1);
    this.root.dataset.stage = "preview";
  }

  /** @param {FileMessage} message */
  on_file(message, buffers) {
    if (!this.link.isNewest(message.number)) return;
    this.link.accepts(message.number);
    this.showPicture(message, buffers, true);
    this.facts.showFile(message);
    this.curve.add(this.states.get(message.number) ?? this.state, message);
    this.states.clear();
    this.root.dataset.bytes = message.bytes;
    this.root.dataset.stage = "decoded";
  }

  showPicture(message, buffers, isFile) {
    const picture = readPicture(message, buffers);
    this.viewer.showPicture(picture, isFile);
    this.codebook.show(picture);
    this.root.dataset.psnrDb = message.psnr_db;
    this.root.dataset.ssim = message.ssim;
    this.root.dataset.number = message.number;
  }

  on_progress(message) {
    if (this.link.isNewest(message.number)) this.facts.showProgress(message);
  }

  on_whole({ width, height, bytes, bits_per_pixel, psnr_db }) {
    this.facts.rest();
    this.say(`Whole image, ${width} × ${height}: ${integer(bytes)} bytes, `
      + `${bits_per_pixel.toFixed(3)} bits/pixel, PSNR ${decibels(psnr_db)} dB`);
  }

  on_peers({ points, missing }) {
    this.facts.rest();
    this.curve.showPeers(points);
    this.say(missing.join("; "));
  }

  on_elbow(elbow) {
    this.facts.rest();
    this.curve.showElbow(elbow);
  }

  async on_taken({ what, name, text }, buffers = []) {
    if (what !== "command") {
      download(new Blob(buffers.length ? buffers : [text]), name);
      return this.say(`${name} downloaded.`);
    }
    this.takes.showCommand(text);
    try {
      await navigator.clipboard.writeText(text);
      this.say("Command copied.");
    } catch {
      this.say("The browser does not allow copying; select the command instead.");
    }
  }

  on_saved({ path }) {
    this.say(`Saved ${path}`);
  }

  on_error({ about, number, message }) {
    this.say(message, true);
    this.link.answered(number);
    if (["state", "file"].includes(about)) this.facts.fail();
    else if (["whole", "peers", "elbow"].includes(about)) this.facts.rest();
  }

  close() {
    clearTimeout(this.silence);
    this.model.off("msg:custom", this.onMessage);
    this.model.off("change:connection", this.onConnection);
    this.pasteTarget.removeEventListener("paste", this.onPaste);
    this.viewer.close();
    this.codebook.close();
    this.link.close();
  }
}

export default {
  render({ model, el }) {
    const explorer = new Explorer(model, el);
    return () => explorer.close();
  },
};
