import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsoncError, parseJsonc } from '../../src/cli/jsonc.js';

const read = (text: string) => parseJsonc(text).value;
const complaint = (text: string): string => {
  try {
    return JSON.stringify(read(text));
  } catch (error) {
    if (!(error instanceof JsoncError)) throw error;
    return `${error.place.line}:${error.place.column} ${error.message}`;
  }
};

describe('JSON with comments', () => {
  it('is JSON, whatever the value and however it is written', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.integer({ min: 0, max: 4 }), (text, indent) => {
        const value: unknown = JSON.parse(text);
        expect(read(JSON.stringify(value, null, indent))).toEqual(value);
        expect(read(text)).toEqual(value);
      }),
    );
  });

  it('rejects what JSON.parse rejects, and accepts what it accepts, after any one edit', () => {
    const accepts = (parse: (text: string) => unknown, text: string) => {
      try {
        parse(text);
        return true;
      } catch (error) {
        expect(error).toBeInstanceOf(parse === JSON.parse ? SyntaxError : JsoncError);
        return false;
      }
    };
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), fc.nat(), fc.string({ maxLength: 2 }), (text, at, edit) => {
        const place = at % (text.length + 1);
        const edited = text.slice(0, place) + edit + text.slice(place + 1);
        // What only this parser allows, and the names that occur twice, which only JSON.parse does.
        fc.pre(!/[/\uFEFF]|,\s*[\]}]/.test(edited));
        const jsonc = accepts(read, edited);
        fc.pre(jsonc || !/occurs twice|levels deep/.test(complaint(edited)));
        expect([edited, jsonc]).toEqual([edited, accepts(JSON.parse, edited)]);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['// a\n{ "a": 1, /* b\n */ "b": [1, 2,], } // c', { a: 1, b: [1, 2] }],
    ['\uFEFF{"a":"// no comment"}', { a: '// no comment' }],
    ['{"__proto__": {"a": 1}}', JSON.parse('{"__proto__": {"a": 1}}')],
    ['/**/1/**/', 1],
    ['[-0.5e+3]', [-500]],
    ['{}\r\n// end', {}],
  ])('may be %j', (text, value) => {
    expect(read(text)).toEqual(value);
  });

  it.each([
    ['', '1:1 the file is empty'],
    ['\uFEFF{ a: 1 }', "1:3 a name in double quotes is expected, not 'a'"],
    ['{\n  "a": 1\n  "b": 2\n}', `3:3 ',' or '}' is expected, not '"'`],
    ['{\r\n"a" 1}', "2:5 ':' is expected after \"a\", not '1'"],
    ['[1,,2]', "1:4 a value is expected, not ','"],
    ['[01]', "1:2 a value is expected, not '0'"],
    ['[1', "1:3 ',' or ']' is expected, not the end of the file"],
    ['{"a": "b\n"}', '1:7 the text that begins here has no end'],
    ['"\\x"', '1:1 this text has an escape or a control character that JSON does not allow'],
    ['{ /* a }', '1:3 the comment that begins here has no end'],
    ['{"a": 1, "a": 2}', '1:10 "a" occurs twice'],
    ['{} {}', "1:4 unexpected '{' after the end of the value"],
    ['nul', "1:1 a value is expected, not 'n'"],
    [`${'['.repeat(100_000)}`, '1:202 nested more than 200 levels deep'],
  ])('has a place for what is wrong in %j', (text, message) => {
    expect(complaint(text)).toBe(message);
  });

  it('says where each name and item stands', () => {
    const { placeOf } = parseJsonc('{\n  "a": {\n    "b": [1,\n      2]\n  }\n}');
    expect(placeOf(['a', 'b'])).toEqual({ line: 3, column: 5 });
    expect(placeOf(['a', 'b', '1'])).toEqual({ line: 4, column: 7 });
    expect(placeOf(['a', 'c'])).toBeNull();
  });
});
