/**
 * The page: provides the explorer with a `model` whose messages go over one WebSocket.
 *
 * A frame is binary: the length of the JSON as uint32, little-endian; the JSON, in UTF-8, whose
 * `buffers` are the lengths of the buffers; then the buffers, end to end.
 */

import explorer from "./explorer.js";

const FIRST_RETRY_MS = 300;
const LAST_RETRY_MS = 4000;
const ADDRESS_MS = 250; // browsers limit how often an address may change

/** @param {object} message  @param {ArrayBuffer[]} buffers  @returns {Blob} */
function joinFrame(message, buffers) {
  const lengths = buffers.map((buffer) => buffer.byteLength);
  const json = new TextEncoder().encode(JSON.stringify({ ...message, buffers: lengths }));
  const head = new DataView(new ArrayBuffer(4));
  head.setUint32(0, json.length, true);
  return new Blob([head, json, ...buffers]);
}

/** @param {ArrayBuffer} frame  @returns {[object, DataView[]]} */
function splitFrame(frame) {
  const length = new DataView(frame).getUint32(0, true);
  const message = JSON.parse(new TextDecoder().decode(new Uint8Array(frame, 4, length)));
  let start = 4 + length;
  const buffers = message.buffers.map((size) => {
    start += size;
    return new DataView(frame, start - size, size);
  });
  return [message, buffers];
}

/** What anywidget provides in a notebook, over a WebSocket that reconnects by itself. */
class SocketModel {
  constructor(url) {
    this.url = url;
    this.values = { home: "page", connection: "lost" };
    this.listeners = new Map();
    this.retry = FIRST_RETRY_MS;
  }

  get(name) {
    return this.values[name];
  }

  set(name, value) {
    if (this.values[name] === value) return;
    this.values[name] = value;
    this.emit(`change:${name}`);
  }

  on(event, listener) {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
  }

  off(event, listener) {
    this.listeners.set(event, (this.listeners.get(event) ?? []).filter((one) => one !== listener));
  }

  emit(event, ...values) {
    for (const listener of this.listeners.get(event) ?? []) listener(...values);
  }

  save_changes() {}

  /** What cannot be sent is dropped: the explorer sends its whole state when it is connected. */
  send(message, callbacks, buffers = []) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(joinFrame(message, buffers));
  }

  connect() {
    this.socket = new WebSocket(this.url);
    this.socket.binaryType = "arraybuffer";
    this.socket.addEventListener("open", () => {
      this.retry = FIRST_RETRY_MS;
      this.set("connection", "open");
    });
    this.socket.addEventListener("message", ({ data }) =>
      this.emit("msg:custom", ...splitFrame(data)));
    this.socket.addEventListener("close", () => {
      this.set("connection", "lost");
      setTimeout(() => this.connect(), this.retry);
      this.retry = Math.min(2 * this.retry, LAST_RETRY_MS);
    });
  }
}

const socket = new URL("socket", location.href); // next to the page, under its token
socket.protocol = location.protocol.replace("http", "ws");
const model = new SocketModel(socket);
model.set("query", location.search.slice(1));

let addressTimer = 0;
model.on("change:query", () => {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => {
    history.replaceState(null, "", `?${model.get("query")}`);
  }, ADDRESS_MS);
});

explorer.render({ model, el: document.getElementById("explorer") });
model.connect();
