import { wholeNumber } from './reader.js';
import { Since } from './versions.js';

/**
 * The id of a request, found without reading the rest of it: a refusal must carry it, or the client waits for an answer
 * that nobody can match. -1 for requests that have none.
 */
export function requestId(fields: readonly string[], version: number): number {
  const type = Number(fields[0]);
  const place = idPlace(type, version);
  return place === null ? -1 : (wholeNumber(fields[place]) ?? -1);
}

/** The field that holds the id; null for none. Older messages have a version of their own before it. */
function idPlace(type: number, version: number): 1 | 2 | null {
  const since = AFTER_VERSION_UNTIL[type];
  if (since !== undefined) return version >= since ? 1 : 2;
  if (AFTER_VERSION.has(type)) return 2;
  return FIRST.has(type) ? 1 : null;
}

/** Messages that lose their own version with a server version. */
const AFTER_VERSION_UNTIL: Readonly<Record<number, number>> = {
  3: Since.orderContainer,
  4: Since.cmeTagging,
  20: Since.syntheticRealtimeBars,
  22: Since.scannerOptions,
};
const AFTER_VERSION = new Set([
  ...[1, 2, 7, 9, 10, 11, 21, 23, 25, 50, 51, 52, 53, 54, 55, 56, 57],
  ...[62, 63, 67, 68, 69, 70, 74, 75, 76, 77],
]);
const FIRST = new Set([
  ...[78, 79, 81, 83, 84, 86, 87, 88, 89, 90, 92, 93, 94, 95, 96, 97, 98],
  ...[100, 101, 102, 103, 104],
]);
