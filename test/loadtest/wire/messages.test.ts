import { describe, expect, it } from 'vitest';
import { Outbox, parseMessage, SYNC, templateOf } from '../../../src/loadtest/wire/messages.js';

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

describe('messages to the server', () => {
  it('are those of the protocol: Bind with values as text, Execute, Sync', () => {
    const out = new Outbox();
    out.execute(templateOf('s1', 2), [1234567, null]);
    out.add(SYNC);
    expect(latin1(out.take())).toBe(
      'B\0\0\0\x1d\0s1\0\0\0\0\x02\0\0\0\x071234567\xff\xff\xff\xff\0\0' + 'E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04',
    );
  });

  it('prepare a statement under its name, with types that the server finds out', () => {
    expect(latin1(parseMessage('s1', 'SELECT 1'))).toBe('P\0\0\0\x12s1\0SELECT 1\0\0\0');
  });

  it.each([
    [0, '0'],
    [7, '7'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    [-42, '-42'],
    [1.5, '1.5'],
    [1e21, '1e+21'],
    ['', ''],
    ['naïve 名前', 'naïve 名前'],
    ['x'.repeat(5000), 'x'.repeat(5000)],
  ])('write the value %j as the text that the driver would send', (value, text) => {
    const out = new Outbox();
    out.execute(templateOf('s', 1), [value]);
    const bytes = Buffer.from(out.take());
    const length = bytes.readInt32BE(12);
    expect(bytes.subarray(16, 16 + length).toString('utf8')).toBe(text);
    // Bind ends with its two bytes of result formats, where Execute begins.
    expect(bytes.readInt32BE(1) + 1).toBe(16 + length + 2);
    expect(String.fromCharCode(bytes[16 + length + 2] ?? 0)).toBe('E');
  });

  it('grow as far as needed, and keep what was taken if the buffer is renewed', () => {
    const out = new Outbox();
    for (let i = 0; i < 500; i++) out.execute(templateOf('s1', 1), [i]);
    const taken = out.take();
    const copy = Buffer.from(taken);
    out.renew();
    for (let i = 0; i < 500; i++) out.execute(templateOf('s1', 1), [500 - i]);
    expect(Buffer.compare(taken, copy)).toBe(0);
  });
});
