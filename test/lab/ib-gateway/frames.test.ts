import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeFrame,
  encodeHello,
  escapeUnicode,
  FrameReader,
  type Inbound,
  MOST_FRAME_BYTES,
} from '../../../src/lab/ib-gateway/wire/frames.js';

function read(pieces: readonly Buffer[]): Inbound[] {
  const reader = new FrameReader();
  return pieces.flatMap((piece) => reader.take(piece));
}

const hello = encodeHello('v100..193');

describe('the greeting', () => {
  it('is read from the bytes that @stoqey/ib 1.6.10 was seen to send', () => {
    const observed = Buffer.from('4150490000000009763130302e2e313933', 'hex');
    expect(hello).toEqual(observed);
    expect(read([observed])).toEqual([
      { kind: 'hello', hello: { fromVersion: 100, toVersion: 193, connectOptions: '' } },
    ]);
  });

  it.each([
    ['v176', { fromVersion: 176, toVersion: 176, connectOptions: '' }],
    ['v100..176 +PACEAPI', { fromVersion: 100, toVersion: 176, connectOptions: '+PACEAPI' }],
    ['v100..176\0', { fromVersion: 100, toVersion: 176, connectOptions: '' }],
  ])('%j is understood', (text, expected) => {
    expect(read([encodeHello(text)])).toEqual([{ kind: 'hello', hello: expected }]);
  });

  it.each([
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'not the TWS protocol'],
    ['one byte that differs', Buffer.from('B'), 'not the TWS protocol'],
    ['the old protocol', Buffer.from('63\0'), 'no length prefixes'],
    ['versions the wrong way round', encodeHello('v193..100'), 'bad version range'],
    ['words', encodeHello('hello'), 'bad version range'],
    ['nothing', encodeHello(''), 'empty frame'],
    ['a length without end', Buffer.from('API\0\xff\xff\xff\xff', 'latin1'), 'frame too long'],
  ])('%s is refused', (_, bytes, reason) => {
    expect(read([bytes])).toEqual([{ kind: 'bad', reason }]);
  });

  it('is waited for while it may still come', () => {
    expect(read([hello.subarray(0, 3)])).toEqual([]);
    expect(read([hello.subarray(0, 10)])).toEqual([]);
  });
});

describe('a frame', () => {
  it.each([
    [[49, 1], '00000005343900310'],
    [[71, 2, 7, ''], '000000083731003200370000'],
  ])('%j is laid out with its length and NULs', (fields, hex) => {
    expect(encodeFrame(fields).toString('hex')).toContain(hex);
  });

  it.each([
    [
      [true, false, null, 'é', 1.5],
      ['1', '0', '', 'é', '1.5'],
    ],
    [['a\0b'], ['a b']],
  ])('%j arrives as %j', (sent, fields) => {
    expect(read([hello, encodeFrame(sent)]).at(-1)).toEqual({ kind: 'message', fields });
  });

  it.each([
    ['longer than any request', MOST_FRAME_BYTES + 1, 'frame too long'],
    ['as long as a negative number', 0xffff_fff0, 'frame too long'],
    ['empty', 0, 'empty frame'],
  ])('that says it is %s is refused without waiting for it', (_, length, reason) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(length);
    expect(read([hello, bytes, Buffer.from('more')]).slice(1)).toEqual([{ kind: 'bad', reason }]);
  });

  it('whose length is not said in full is waited for, and little is kept', () => {
    const reader = new FrameReader();
    reader.take(hello);
    expect(reader.take(Buffer.from([0, 0]))).toEqual([]);
    expect(reader.heldBytes).toBe(2);
    expect(reader.take(Buffer.from([0, 3, 52, 57, 0]))).toEqual([{ kind: 'message', fields: ['49'] }]);
    expect(reader.heldBytes).toBe(0);
  });

  it('is the same however the stream is cut', () => {
    const message = fc.array(fc.string(), { minLength: 1, maxLength: 8 });
    const cuts = fc.array(fc.nat({ max: 400 }));
    fc.assert(
      fc.property(fc.array(message, { maxLength: 10 }), cuts, (messages, places) => {
        const stream = Buffer.concat([hello, ...messages.map((fields) => encodeFrame(fields))]);
        const at = [0, ...places.filter((place) => place < stream.length).sort((a, b) => a - b)];
        const pieces = at.map((start, index) => stream.subarray(start, at[index + 1]));
        expect(read(pieces)).toEqual(read([stream]));
        expect(read(pieces).length).toBe(1 + messages.length);
      }),
    );
  });

  it('of garbage is refused or read, and never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const reader = new FrameReader();
        reader.take(hello);
        reader.take(Buffer.from(bytes));
        expect(reader.heldBytes).toBeLessThanOrEqual(200);
      }),
    );
  });
});

it.each([
  ['Société', 'Soci\\u00e9t\\u00e9'],
  ['plain', 'plain'],
  ['a\nb', 'a\\u000ab'],
])('texts for people are escaped: %j', (text, escaped) => {
  expect(escapeUnicode(text)).toBe(escaped);
});
