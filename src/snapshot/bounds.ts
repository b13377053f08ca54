/**
 * Limits on data from sockets and files. A sender may be hostile: text and lists are cut, and fields that this version
 * does not know are kept only up to these limits.
 */
export const MOST_TEXT = 10_000;
export const MOST_ITEMS = 20_000;
/** Unknown fields of one object. */
export const MOST_FIELDS = 100;
/** Levels of nesting in an unknown field. JSON.stringify overflows the stack on thousands. */
const MOST_LEVELS = 8;

export type Fields = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function cut(value: string): string {
  return value.length > MOST_TEXT ? value.slice(0, MOST_TEXT) : value;
}

/** The fields of an object that are not in `known`, up to the limits; null if there are none. */
export function unknownFields(value: Fields, known: Fields, most = MOST_FIELDS): Fields | null {
  let kept: [string, unknown][] | null = null;
  for (const key of Object.keys(value)) {
    if (Object.hasOwn(known, key)) continue;
    kept ??= [];
    if (kept.length >= most) break;
    keep(kept, key, value[key], MOST_LEVELS);
  }
  return kept === null ? null : Object.fromEntries(kept);
}

function keep(kept: [string, unknown][], key: string, value: unknown, levels: number): void {
  if (key === '__proto__' || key.length > MOST_TEXT) return;
  const copy = bounded(value, levels);
  if (copy !== undefined) kept.push([key, copy]);
}

/** A copy of plain data within the limits; undefined for what JSON cannot hold, and for what is nested too deep. */
function bounded(value: unknown, levels: number): unknown {
  switch (typeof value) {
    case 'string':
      return cut(value);
    case 'number':
      return Number.isFinite(value) ? value : undefined;
    case 'boolean':
      return value;
    case 'object': {
      if (value === null) return null;
      if (levels === 0) return undefined;
      if (Array.isArray(value))
        return value.slice(0, MOST_ITEMS).map((item) => bounded(item, levels - 1) ?? null);
      const kept: [string, unknown][] = [];
      for (const [key, item] of Object.entries(value).slice(0, MOST_FIELDS))
        keep(kept, key, item, levels - 1);
      return Object.fromEntries(kept);
    }
    default:
      return undefined;
  }
}
