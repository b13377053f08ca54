import { describe, expect, it } from 'vitest';
import type { WatchedHolder, WatchedSnapshot } from '../../src/snapshot/pool.js';
import { parsePublishPort } from '../../src/watch/publish-port.js';
import { summaryOf } from '../../src/watch/summary.js';

const holder = (leaseId: number, more: Partial<WatchedHolder> = {}): WatchedHolder => ({
  ...{ leaseId, ageMs: 2000, site: 'shop.js:1:2', stack: null, leaked: false },
  ...{ lastSql: null, busy: null, localPort: null, backendPid: null },
  ...more,
});
const pool = (name: string, holders: readonly WatchedHolder[]) =>
  ({ name, size: 5, holders }) as unknown as WatchedSnapshot;

describe('the summary at exit', () => {
  it('is empty where no lease is out', () => {
    expect(summaryOf([pool('orders', [])])).toBe('');
  });

  it('has a line for each place, the most leases first, and the oldest of each', () => {
    const holders = [
      holder(1, { ageMs: 41_000, lastSql: 'select 1' }),
      holder(2, { site: 'users.js:7:1', ageMs: 3000 }),
      holder(3, { site: 'users.js:7:1' }),
      holder(4, { site: null, ageMs: null }),
    ];
    expect(summaryOf([pool('idle', []), pool('orders', holders)])).toBe(
      [
        'poolctl: 4 leases out at exit',
        '  orders: 4 of 5',
        '    2 acquired at users.js:7:1, for 3s',
        '    1 acquired at shop.js:1:2, for 41s, last: select 1',
        '    1 acquired at a place that was not sampled',
        '',
      ].join('\n'),
    );
  });

  it('cuts a long SQL text after 100 characters, and none that has as many', () => {
    const shown = (lastSql: string) =>
      /last: (.*)\n/.exec(summaryOf([pool('a', [holder(1, { lastSql })])]))?.[1];
    expect(shown('x'.repeat(100))).toBe('x'.repeat(100));
    expect(shown('x'.repeat(101))).toBe(`${'x'.repeat(100)}...`);
    expect(shown(`\n  ${'x'.repeat(100)}\n  `)).toBe('x'.repeat(100));
  });

  it('shows nothing that steers a terminal, and no more than a line of SQL', () => {
    const lastSql = `select '\u001b[2J\u009b31m\u202e' --\n${'x'.repeat(500)}`;
    const text = summaryOf([pool('a\u001b]0;b\u0007', [holder(1, { lastSql })])], 3);
    expect(text).toContain('1 lease out at exit of thread 3');
    expect(text).toContain("last: select '?[2J?31m?' -- xxx");
    expect(text).not.toMatch(/[^\n\P{Cc}]|\p{Cf}/u);
    for (const line of text.split('\n')) expect(line.length).toBeLessThan(200);
  });
});

describe('the address to publish at', () => {
  it.each([
    ['127.0.0.1:9876', { host: '127.0.0.1', port: 9876 }],
    ['[::1]:9876', { host: '::1', port: 9876 }],
    ['localhost:1', { host: '127.0.0.1', port: 1 }],
  ])('is taken from %s', (text, expected) => {
    expect(parsePublishPort(text)).toEqual(expected);
  });

  it.each([
    ['0.0.0.0:9876', 'can be reached from elsewhere'],
    ['10.0.0.1:9876', 'can be reached from elsewhere'],
    ['127.0.0.1', 'is not an address like'],
    ['127.0.0.1:99999', 'is not an address like'],
  ])('is not taken from %s', (text, message) => {
    expect(() => parsePublishPort(text)).toThrow(message);
  });
});
