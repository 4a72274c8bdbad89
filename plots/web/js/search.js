// @ts-check
// What a text is found in: names of threads, lines of code, patterns, spans.

/** @typedef {import('./types').Facts} Facts */

/**
 * @typedef {{kind: 'lane', lane: number} | {kind: 'place', place: number} | {kind: 'pattern', pattern: number}
 *   | {kind: 'span', span: number}} Hit
 */

/**
 * @param {Facts} facts
 * @param {string} text
 * @returns {Hit[]}
 */
export function search(facts, text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return [];
  /** @param {string[]} words */
  const has = (...words) => words.some((word) => word.toLowerCase().includes(wanted));
  return [
    ...facts.patterns.flatMap((pattern, at) =>
      has(pattern.name, pattern.sentence) ? [/** @type {Hit} */ ({ kind: 'pattern', pattern: at })] : [],
    ),
    ...facts.said.slowest.flatMap((span, at) =>
      has(facts.said.names[span.name]) ? [/** @type {Hit} */ ({ kind: 'span', span: at })] : [],
    ),
    ...facts.lanes.flatMap((lane, at) =>
      has(lane.name, String(lane.tid)) ? [/** @type {Hit} */ ({ kind: 'lane', lane: at })] : [],
    ),
    ...facts.places.flatMap((place, at) =>
      at && has(...place) ? [/** @type {Hit} */ ({ kind: 'place', place: at })] : [],
    ),
  ];
}
