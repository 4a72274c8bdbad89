// @ts-check
// Bytes out of the page's text, and numbers out of bytes.

/**
 * @param {string} text base64
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function decode64(text) {
  const size = text.length;
  let padding = 0;
  while (padding < 2 && text.charCodeAt(size - 1 - padding) === 61) padding += 1;
  const bytes = new Uint8Array((size / 4) * 3 - padding);
  const slice = 4 << 16;
  for (let from = 0, at = 0; from < size; from += slice) {
    const part = atob(text.slice(from, from + slice));
    for (let i = 0; i < part.length; i += 1) bytes[at + i] = part.charCodeAt(i);
    at += part.length;
  }
  return bytes;
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes raw deflate
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * Read LEB128 numbers.
 * @param {Uint8Array} bytes
 * @param {number} from
 * @param {number} count
 * @returns {{numbers: Float64Array, next: number}}
 */
export function varints(bytes, from, count) {
  const numbers = new Float64Array(count);
  let at = from;
  for (let i = 0; i < count; i += 1) {
    let byte = bytes[at++];
    let value = byte & 0x7f;
    let scale = 128;
    while (byte >= 0x80) {
      byte = bytes[at++];
      value += (byte & 0x7f) * scale;
      scale *= 128;
    }
    numbers[i] = value;
  }
  return { numbers, next: at };
}

/**
 * Byte strings, each behind its length in eight bytes.
 * @param {Uint8Array} bytes
 * @returns {Uint8Array[]}
 */
export function parts(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = [];
  for (let at = 0; at < bytes.length; ) {
    const size = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
    found.push(bytes.subarray(at + 8, at + 8 + size));
    at += 8 + size;
  }
  return found;
}
