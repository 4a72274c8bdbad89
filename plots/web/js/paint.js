// @ts-check
// Lanes as pixels: a column's colours are as high as their shares, around the lane's middle (plots/timeline/lanes.py).

/**
 * @typedef {object} Ink
 * @property {number} colour as ImageData has it
 * @property {number} hatch the same, of lines or dots over it; 0: none
 * @property {boolean} dots
 * @property {number} height
 * @property {boolean} kept never lost: one pixel is left of it
 */

/**
 * "#RRGGBB" as a pixel.
 * @param {string} colour
 * @returns {number}
 */
export function pixel(colour) {
  const value = parseInt(colour.slice(1), 16);
  return (0xff000000 | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}

/**
 * @param {number} a
 * @param {number} b
 * @param {number} part of b
 */
function mixed(a, b, part) {
  const red = (a & 255) + ((b & 255) - (a & 255)) * part;
  const green = ((a >> 8) & 255) + (((b >> 8) & 255) - ((a >> 8) & 255)) * part;
  const blue = ((a >> 16) & 255) + (((b >> 16) & 255) - ((a >> 16) & 255)) * part;
  return (0xff000000 | (Math.round(blue) << 16) | (Math.round(green) << 8) | Math.round(red)) >>> 0;
}

/**
 * Paint one lane.
 * @param {Uint32Array} pixels
 * @param {number} stride
 * @param {number} rows of the picture
 * @param {number} top
 * @param {number} height even
 * @param {number} columns
 * @param {Float32Array} shares a slot for each ink, and one for what is unknown
 * @param {Ink[]} inks the most important first
 * @param {number} ground colour
 * @param {number} unknown colour
 */
export function paintLane(pixels, stride, rows, top, height, columns, shares, inks, ground, unknown) {
  const half = height / 2;
  const middle = top + half;
  const count = inks.length;
  const levels = new Float64Array(count);
  for (let x = 0; x < columns; x += 1) {
    let level = 0;
    let lost = -1; // the first one that must not be, if it is too small to be seen
    let seen = false;
    for (let i = 0; i < count; i += 1) {
      const share = shares[i * columns + x];
      if (share > 0) {
        const tall = half * inks[i].height * (share < 1 ? share : 1);
        if (inks[i].kept && !seen) {
          seen = true;
          if (tall < 0.5) lost = i;
        }
        level += tall;
      }
      levels[i] = level;
    }
    const until = Math.min(Math.ceil(level - 1e-3), half);
    for (let row = 0, i = 0; row < until; row += 1) {
      while (i < count && levels[i] <= row + 1e-3) i += 1;
      if (i < count && levels[i] >= row + 1 - 1e-3) {
        put(pixels, stride, rows, middle, x, row, inks[i].colour, inks[i].hatch, inks[i].dots);
        continue;
      }
      let colour = ground;
      let reached = row;
      for (let j = i; j < count && reached < row + 1; j += 1) {
        const to = Math.min(levels[j], row + 1);
        if (to <= reached) continue;
        // A mixture of what is there so far and this one, by their parts of what is painted of the row.
        colour = reached > row ? mixed(colour, inks[j].colour, (to - reached) / (to - row)) : inks[j].colour;
        reached = to;
      }
      put(pixels, stride, rows, middle, x, row, mixed(ground, colour, reached - row), 0, false);
    }
    if (lost >= 0) put(pixels, stride, rows, middle, x, 0, inks[lost].colour, 0, false);
    if (shares[count * columns + x] > 0.5 && x % 4 < 2) {
      const y = Math.floor(middle);
      if (y >= 0 && y < rows) pixels[y * stride + x] = unknown;
    }
  }
}

/**
 * @param {Uint32Array} pixels
 * @param {number} stride
 * @param {number} rows
 * @param {number} middle
 * @param {number} x
 * @param {number} away
 * @param {number} colour
 * @param {number} hatch
 * @param {boolean} dots
 */
function put(pixels, stride, rows, middle, x, away, colour, hatch, dots) {
  const up = middle - 1 - away;
  const down = middle + away;
  if (up >= 0 && up < rows) pixels[up * stride + x] = hatch && inked(x, up, dots) ? hatch : colour;
  if (down >= 0 && down < rows) pixels[down * stride + x] = hatch && inked(x, down, dots) ? hatch : colour;
}

/**
 * Whether a pixel is on one of the diagonal lines, or dots.
 * @param {number} x
 * @param {number} y
 * @param {boolean} dots
 */
function inked(x, y, dots) {
  if (!dots) return ((x + y) & 7) < 2;
  return (y & 3) < 2 && ((x + (y & 4)) & 7) < 2;
}

/**
 * Paint a strip of stacked shares, from its bottom up.
 * @param {Uint32Array} pixels
 * @param {number} stride
 * @param {number} rows
 * @param {number} top
 * @param {number} height
 * @param {number} columns
 * @param {{colour: number, shares: Float32Array}[]} stack
 * @param {number} ground
 */
export function paintStack(pixels, stride, rows, top, height, columns, stack, ground) {
  for (let x = 0; x < columns; x += 1) {
    let each = 0;
    let level = stack.length ? stack[0].shares[x] * height : 0;
    for (let row = 0; row < height; row += 1) {
      let colour = ground;
      let reached = row;
      let first = true;
      while (each < stack.length && reached < row + 1) {
        const until = Math.min(level, row + 1);
        if (until > reached) {
          const part = until - reached;
          colour = first && part >= 1 ? stack[each].colour : mixed(colour, stack[each].colour, part);
          reached = until;
          first = false;
        }
        if (level >= row + 1) break;
        each += 1;
        if (each < stack.length) level += stack[each].shares[x] * height;
      }
      const y = top + height - 1 - row;
      if (y >= 0 && y < rows) pixels[y * stride + x] = colour;
    }
  }
}
