// Opens the data of the page: a JSON header, and compressed typed arrays beside it.

const TYPES = {
  int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array,
  int32: Int32Array, uint32: Uint32Array, float32: Float32Array,
};

/** Bytes of a base64 text. */
export function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
  return bytes;
}

/** Bytes of a gzip stream. */
export async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * An array as it was before it was packed.
 *
 * Bytes are stored plane by plane (all lowest bytes first); `width` columns run in rows; with
 * `delta` a row holds what it adds to the row before; with `step` a whole number k means k * step,
 * and the lowest number of its type no value (NaN).
 */
export function decoded(bytes, entry) {
  const Type = TYPES[entry.type];
  const size = Type.BYTES_PER_ELEMENT;
  const planes = bytes.subarray(entry.at, entry.at + entry.count * size);
  const raw = new Uint8Array(entry.count * size);
  for (let b = 0; b < size; b++) {
    const from = b * entry.count;
    for (let k = 0; k < entry.count; k++) raw[k * size + b] = planes[from + k];
  }
  const values = new Type(raw.buffer);
  if (!entry.delta && !entry.step) return values;
  const out = entry.step ? new Float64Array(entry.count) : new Int32Array(entry.count);
  const width = entry.width || 1;
  const none = { int8: -128, int16: -32768, int32: -2147483648 }[entry.type];
  const sum = new Float64Array(width);
  for (let k = 0; k < entry.count; k++) {
    let v = values[k];
    if (entry.delta) v = sum[k % width] += v;
    out[k] = entry.step ? (!entry.delta && v === none ? NaN : v * entry.step) : v;
  }
  return out;
}

/** The page's header and a function that gives an array by name (null where there is none). */
export async function openPayload() {
  const text = (id) => document.getElementById(id).textContent;
  const header = window.twinHeader || JSON.parse(text("twin-header"));
  const bytes = await inflated(bytesOf((window.twinData || text("twin-data")).trim()));
  const entries = new Map(header.arrays.map((e) => [e.name, e]));
  const array = (name) => {
    const entry = entries.get(name);
    return entry ? decoded(bytes, entry) : null;
  };
  return { header, array };
}
