import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WireError } from '../../../src/loadtest/wire/errors.js';
import { messageOf } from '../../../src/loadtest/wire/messages.js';
import { ANSWERS, BIND_COMPLETE, completed, eventsOf, failed, READY, readIn, row } from './answers.js';

const SELECT = Buffer.concat([BIND_COMPLETE, row('a'), row('b'), completed('SELECT 2'), READY]);

describe('the parser of answers', () => {
  it('counts completions, rows and bytes, and tells the status of the transaction', () => {
    const { events, parser } = readIn(SELECT, [SELECT.length]);
    expect(events).toEqual([
      ['completed', 'S'.charCodeAt(0)],
      ['ready', 'I'.charCodeAt(0)],
    ]);
    expect([parser.rows, parser.bytes, parser.isWithin]).toEqual([2, SELECT.length, false]);
  });

  it('reads of an error its SQLSTATE, its message, its hint, and the severity that no language changes', () => {
    const bytes = Buffer.concat([failed('22012', 'division by zero'), READY]);
    expect(readIn(bytes, [bytes.length]).events[0]).toEqual([
      'failed',
      { severity: 'ERROR', code: '22012', message: 'division by zero', hint: 'Hint' },
    ]);
  });

  it('says the same however the stream is split', () => {
    const answers = fc.array(fc.constantFrom(...ANSWERS), { minLength: 1, maxLength: 5 });
    const sizes = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(answers, sizes, (parts, pieces) => {
        const bytes = Buffer.concat(parts);
        expect(eventsOf(bytes, pieces)).toEqual(eventsOf(bytes, [bytes.length]));
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it('ends garbage with a typed error, or waits for more of it, however it is split', () => {
    const garbage = fc.uint8Array({ minLength: 5, maxLength: 200 });
    fc.assert(
      fc.property(garbage, fc.integer({ min: 1, max: 50 }), (bytes, size) => {
        expect(eventsOf(bytes, [size])).toEqual(eventsOf(bytes, [bytes.length]));
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  it.each([
    ['a type that no answer has', messageOf('R', Buffer.alloc(4)), /type 'R' and length 8/],
    ['a type that cannot be printed', Buffer.from([0, 0, 0, 0, 4]), /type 0x00/],
    ['a length below its own four bytes', Buffer.from('2\0\0\0\x03', 'latin1'), /type '2' and length 3/],
    ['a status of two bytes', messageOf('Z', Buffer.from('II')), /type 'Z' and length 6/],
    [
      'a length above what PostgreSQL can send',
      Buffer.from('D\xff\xff\xff\xff', 'latin1'),
      /length 4294967295/,
    ],
    ['the beginning of a COPY', messageOf('H', Buffer.alloc(3)), /began a COPY/],
  ])('refuses %s', (_, bytes, message) => {
    for (const sizes of [[bytes.length], [1]]) {
      expect(() => readIn(bytes, sizes)).toThrow(message);
      expect(() => readIn(bytes, sizes)).toThrow(WireError);
    }
  });

  it('takes a row that is larger than any read, without keeping it', () => {
    const large = Buffer.concat([row('x'.repeat(200_000)), completed('SELECT 1'), READY]);
    const { events, parser } = readIn(large, [65_536]);
    expect([events.length, parser.rows, parser.bytes]).toEqual([2, 1, large.length]);
  });
});
