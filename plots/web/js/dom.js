// @ts-check
// Elements. What comes from the trace becomes text here, never markup.

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function get(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`no element ${id}`);
  return found;
}

/**
 * The text of an element of the page.
 * @param {string} id
 */
export function text(id) {
  return document.getElementById(id)?.textContent ?? '';
}

/**
 * The 2d context of a canvas.
 * @param {HTMLCanvasElement} canvas
 */
export function context(canvas) {
  const found = canvas.getContext('2d');
  if (!found) throw new Error('no 2d canvas');
  return found;
}

/**
 * A table: heads, and rows of cells. A cell that is [text, ns] carries the exact figure too.
 * @param {string} caption
 * @param {string[]} heads
 * @param {(Node | string | [string, number])[][]} rows
 */
export function table(caption, heads, rows) {
  const cells = rows.map((row) =>
    make(
      'tr',
      {},
      ...row.map((cell, at) => {
        /** @type {Record<string, string>} */
        const attributes = at === 0 ? { scope: 'row' } : {};
        if (Array.isArray(cell)) attributes['data-value'] = String(cell[1]);
        return make(at === 0 ? 'th' : 'td', attributes, Array.isArray(cell) ? cell[0] : cell);
      }),
    ),
  );
  return make(
    'table',
    {},
    make('caption', {}, caption),
    make('thead', {}, make('tr', {}, ...heads.map((head) => make('th', { scope: 'col' }, head)))),
    make('tbody', {}, ...cells),
  );
}

/**
 * A button that does something.
 * @param {string} label
 * @param {() => void} act
 * @param {Record<string, string>} attributes
 */
export function button(label, act, attributes = {}) {
  const made = make('button', { type: 'button', class: 'link', ...attributes }, label);
  made.addEventListener('click', act);
  return made;
}
