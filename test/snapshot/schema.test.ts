import { describe, expect, it } from 'vitest';
import { type Fields, MOST_FIELDS, MOST_ITEMS, MOST_TEXT, unknownFields } from '../../src/snapshot/bounds.js';
import {
  type AnySchema,
  amount,
  count,
  either,
  figure,
  flag,
  grouped,
  integer,
  isTrue,
  list,
  listOfAll,
  literal,
  measured,
  nullOr,
  object,
  optional,
  orBlank,
  orNull,
  pair,
  port,
  readAs,
  record,
  tally,
  text,
  told,
  word,
} from '../../src/snapshot/schema.js';
import { sumOf } from '../../src/snapshot/sums.js';

/** `undefined` in place of an answer: it has another shape. */
const MALFORMED = undefined;
const point = object({ x: figure, y: told(figure) });

describe('a value from another version, or from somebody hostile', () => {
  it.each<[string, AnySchema, unknown, unknown]>([
    ['text', text, 'a', 'a'],
    ['text that is just not too long', text, 'x'.repeat(MOST_TEXT), 'x'.repeat(MOST_TEXT)],
    ['text that is too long is cut', text, 'x'.repeat(MOST_TEXT + 1), 'x'.repeat(MOST_TEXT)],
    ['a number is no text', text, 1, MALFORMED],
    ['a figure', figure, -1.5, -1.5],
    ['no figure', figure, Number.POSITIVE_INFINITY, MALFORMED],
    ['an amount', amount, 0, 0],
    ['no amount', amount, -0.1, MALFORMED],
    ['a count', count, 0, 0],
    ['a count is whole', count, 0.5, MALFORMED],
    ['a count is not negative', count, -1, MALFORMED],
    ['an integer', integer, -1, -1],
    ['the first port', port, 1, 1],
    ['the last port', port, 65_535, 65_535],
    ['no port', port, 0, MALFORMED],
    ['beyond the last port', port, 65_536, MALFORMED],
    ['a flag', flag, false, false],
    ['no flag', flag, 0, MALFORMED],
    ['what is true', isTrue, true, true],
    ['what is not said to be true', isTrue, 'yes', false],
    ['a literal', literal(1), 1, 1],
    ['another literal', literal(1), 2, MALFORMED],
    ['a word of a newer version', word(['a']), 'b', 'b'],
    ['either, the one', either(flag, count), true, true],
    ['either, the other', either(flag, count), 3, 3],
    ['neither', either(flag, count), 'x', MALFORMED],
    ['what is not measured', orNull(count), null, null],
    ['what is malformed is not measured', orNull(count), 'x', null],
    ['what is measured', orNull(count), 4, 4],
    ['null, where the whole may be', nullOr(count), null, null],
    ['null, where a source cannot tell', measured(count), null, null],
    ['a part that must be there', object({ a: measured(count) }), {}, MALFORMED],
    ['a part that must be right', object({ a: measured(count) }), { a: '2' }, MALFORMED],
    ['malformed, where the whole may be', nullOr(count), 'x', MALFORMED],
    ['a list leaves malformed items out', list(count), [1, 'x', 2], [1, 2]],
    ['no list is an empty one', list(count), 'x', []],
    ['a list that must be right', listOfAll(count), [1, 2], [1, 2]],
    ['a list that is not', listOfAll(count), [1, 'x'], MALFORMED],
    ['a pair', pair(text, count), ['a', 1], ['a', 1]],
    ['a pair that is none', pair(text, count), ['a'], MALFORMED],
    ['an object', point, { x: 1, y: 2 }, { x: 1, y: 2 }],
    ['an object without what is always told', point, { x: 1 }, { x: 1, y: null }],
    ['an object without what it is', point, { y: 1 }, MALFORMED],
    ['a list is no object', point, [], MALFORMED],
    ['null is no object', point, null, MALFORMED],
    [
      'a field of a newer version is kept',
      point,
      { x: 1, y: 2, z: { a: [1] } },
      { x: 1, y: 2, z: { a: [1] } },
    ],
    ['a blank for what is absent', orBlank(object({ y: told(count) })), undefined, { y: null }],
    ['a blank for what is malformed', orBlank(object({ y: told(count) })), 'x', { y: null }],
    ['no blank for what is there', orBlank(object({ y: told(count) })), { y: 1 }, { y: 1 }],
    ['a part that is there', object({ a: optional(count) }), { a: 1 }, { a: 1 }],
    ['a part that is absent', object({ a: optional(count) }), {}, {}],
    ['a part that is malformed', object({ a: optional(count) }), { a: 'x' }, {}],
    ['a record leaves malformed values out', record(count), { a: 1, b: 'x' }, { a: 1 }],
    ['no record is an empty one', record(count), [1], {}],
    ['a tally', tally(['a', 'b']), { a: 1 }, { a: 1, b: null }],
    ['no tally is one that counted nothing', tally(['a', 'b']), 7, { a: null, b: null }],
  ])('%s', (_, schema, value, expected) => {
    const found = readAs(schema, value);
    expect(found === null && expected === undefined ? undefined : found).toEqual(expected);
    if (typeof expected === 'object' && expected !== null) {
      expect(Object.keys(found as object)).toEqual(Object.keys(expected));
    }
  });

  it('is cut where it is a list: of a good one, the first so many', () => {
    const long = Array.from({ length: MOST_ITEMS + 1 }, (_, at) => at);
    expect(readAs(list(count), long)).toHaveLength(MOST_ITEMS);
    expect(readAs(listOfAll(count), long)).toBeNull();
    expect(readAs(listOfAll(count), long.slice(1))).toHaveLength(MOST_ITEMS);
  });

  it('has an optional part only where there is one', () => {
    const shape = object({ a: optional(count), b: told(text) });
    const keysOf = (value: unknown): string[] => Object.keys(readAs(shape, value) ?? {});
    expect(keysOf({ a: 1, b: 'x' })).toEqual(['a', 'b']);
    expect(keysOf({ b: 'x' })).toEqual(['b']);
    expect(keysOf({ a: 'x' })).toEqual(['b']);
    expect(keysOf(Object.create({ a: 1, b: 'x' }))).toEqual(['b']);
    expect(readAs(shape, Object.create({ b: 'inherited' }))).toEqual({ b: null });
  });

  it('is an empty list where it is no list, whatever the items are', () => {
    expect(readAs(list(text), 'x')).toEqual([]);
    expect(readAs(list(text), ['x'])).toEqual(['x']);
  });

  it('has no prototype of its own making', () => {
    const evil = JSON.parse('{"x":1,"y":2,"__proto__":{"polluted":true}}') as unknown;
    expect(readAs(point, evil)).toEqual({ x: 1, y: 2 });
    expect(Object.getPrototypeOf(readAs(point, evil))).toBe(Object.prototype);
    expect(readAs(object({ toString: optional(text) }), {})).toEqual({});
  });

  it('is ungrouped, whether it is written in a group or side by side', () => {
    const shape = grouped('inner', object({ a: told(count) }), { b: count });
    expect(readAs(shape, { inner: { a: 1 }, b: 2 })).toEqual({ a: 1, b: 2 });
    expect(readAs(shape, { a: 1, b: 2 })).toEqual({ a: 1, b: 2 });
    expect(readAs(shape, { inner: 5, b: 2 })).toMatchObject({ a: null, b: 2 });
    expect(readAs(shape, { inner: { b: 7 }, b: 2 })).toEqual({ a: null, b: 2 });
    expect(readAs(shape, 'x')).toBeNull();
  });
});

describe('fields that are not known', () => {
  const nested = (levels: number): unknown => (levels === 0 ? 1 : { in: nested(levels - 1) });
  const depthOf = (value: unknown): number =>
    typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;

  it('are kept up to limits, and are null where there are none', () => {
    expect(unknownFields({ a: 1 }, { a: 0 })).toBeNull();
    expect(unknownFields({ a: 1, b: 2 }, { a: 0 })).toEqual({ b: 2 });
    const many = Object.fromEntries(Array.from({ length: MOST_FIELDS + 1 }, (_, at) => [`f${at}`, at]));
    expect(Object.keys(unknownFields(many, {}) ?? {})).toHaveLength(MOST_FIELDS);
    expect(Object.keys(unknownFields(many, {}, 3) ?? {})).toEqual(['f0', 'f1', 'f2']);
    expect(Object.keys((unknownFields({ many }, {}) as { many: object }).many)).toHaveLength(MOST_FIELDS);
    expect(unknownFields({ ['k'.repeat(MOST_TEXT)]: 1, ['k'.repeat(MOST_TEXT + 1)]: 2 }, {})).toEqual({
      ['k'.repeat(MOST_TEXT)]: 1,
    });
  });

  it('are plain data: the rest is left out, and in a list is null', () => {
    const odd = { fine: null, yes: true, text: 'x'.repeat(MOST_TEXT + 1), nan: Number.NaN, call: () => 1 };
    expect(unknownFields(odd, {})).toStrictEqual({ fine: null, yes: true, text: 'x'.repeat(MOST_TEXT) });
    expect(unknownFields({ all: [1, undefined, Number.NaN, 'a'] }, {})).toEqual({
      all: [1, null, null, 'a'],
    });
    const long = { all: new Array(MOST_ITEMS + 1).fill(1) };
    expect((unknownFields(long, {}) as typeof long).all).toHaveLength(MOST_ITEMS);
  });

  it('are left out where they would set a prototype', () => {
    const evil = JSON.parse('{"__proto__":{"x":1},"in":{"__proto__":{"x":1},"y":2}}') as Fields;
    const kept = unknownFields(evil, {});
    expect(JSON.stringify(kept)).toBe('{"in":{"y":2}}');
  });

  it('are left out where they are nested too deep', () => {
    expect(depthOf(unknownFields({ deep: nested(8) }, {}))).toBe(9);
    expect(depthOf(unknownFields({ deep: nested(5000) }, {}))).toBe(9);
    expect(depthOf(unknownFields({ deep: nested(7) }, {}))).toBe(8);
  });
});

it.each([
  [[], null],
  [[null, null], null],
  [[null, 0], 0],
  [[1, null, 2], 3],
])('the sum of %j is %s', (values, sum) => {
  expect(sumOf(values)).toBe(sum);
});
