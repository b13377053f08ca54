/**
 * A place is where a value stands, as text: a variable, `this`, a temporary, or a property of one of these.
 * `12:340|client@352` is the variable `client` of the function at 340 in file 12; `12:340|ctx@352.tx` its property.
 * Values that are no place start with `=`: constants, and `=?` for what is not known.
 */
export type Place = string;

export const UNKNOWN: Place = '=?';
/** An element of an array, map or set at a position that is not known. */
export const ELEMENT = '[]';

/** The value that a function literal is, by the id of the function. */
export function functionValue(id: string): Place {
  return `=ƒ${id}`;
}

/** The id of the function that a value is; null where it is something else. */
export function functionOf(value: string | null): string | null {
  return value?.startsWith('=ƒ') === true ? value.slice(2) : null;
}

/** The name of an element or property, by the value of its key. */
export function keyName(key: Place): string {
  if (key.startsWith('="')) return String(JSON.parse(key.slice(1)));
  return /^=\d+$/.test(key) ? key.slice(1) : ELEMENT;
}

export function isPlace(value: Place): boolean {
  return !value.startsWith('=');
}

export function property(place: Place, name: string): Place {
  return isPlace(place) ? `${place}.${name.replace(/[^\w$#[\]()-]/g, '_')}` : UNKNOWN;
}

/** Whether the first place is the second or within it. */
export function isWithin(place: Place, outer: Place): boolean {
  return place.startsWith(outer) && (place.length === outer.length || place[outer.length] === '.');
}

export function rootOf(place: Place): Place {
  const dot = place.indexOf('.');
  return dot < 0 ? place : place.slice(0, dot);
}

export function lastSegment(place: Place): string {
  const name = place.slice(place.lastIndexOf('.') + 1);
  return name.slice(name.lastIndexOf('|') + 1).replace(/@\d+$/, '');
}

export function isTemporary(place: Place): boolean {
  return /\|%\d+$/.test(place);
}

/** The id of the function that a place's variable belongs to; null for `this`. */
export function ownerOf(place: Place): string | null {
  const bar = place.indexOf('|');
  return bar < 0 ? null : place.slice(0, bar);
}

/**
 * The rest of `place` when `source` is read into another place: '' for the thing itself, `.x` for a part of it. Null
 * if `place` is not within `source`. An element at an unknown position may be any element.
 */
export function remainder(place: Place, source: Place): string | null {
  if (isWithin(place, source)) return place.slice(source.length);
  if (!source.includes('.') || rootOf(place) !== rootOf(source)) return null;
  if (!source.includes(ELEMENT) && !place.includes(ELEMENT)) return null;
  const [found, wanted] = [place.split('.'), source.split('.')];
  const fits = wanted.every((segment, at) => isSameSegment(found[at], segment));
  return fits
    ? found
        .slice(wanted.length)
        .map((segment) => `.${segment}`)
        .join('')
    : null;
}

function isSameSegment(found: string | undefined, wanted: string): boolean {
  if (found === undefined || found === wanted) return found === wanted;
  return isElement(wanted) && isElement(found) && (found === ELEMENT || wanted === ELEMENT);
}

function isElement(segment: string): boolean {
  return segment === ELEMENT || /^\d+$/.test(segment);
}
