import { describe, expect, it } from 'vitest';
import type { DatabaseOptions } from '../../src/db/connection.js';
import { createDatabase } from '../../src/db/database.js';
import { findPassword } from '../../src/db/drivers/pg-pass.js';

function complaint(url: string, options: DatabaseOptions = {}): string {
  try {
    createDatabase(url, options);
    return '';
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_DB_OPTION' });
    return String(error);
  }
}

describe('the URL of a PostgreSQL database', () => {
  it.each([
    ['postgres://app:secret@db.example:6543/orders', 'postgres://app@db.example:6543/orders'],
    ['postgresql://app@db.example/orders', 'postgres://app@db.example/orders'],
    ['POSTGRES://db.example', 'postgres://db.example/'],
    ['postgres://app:p:w@x/y@db.example/orders', 'postgres://app@db.example/orders'],
    ['postgres://a%40b:p%25@[::1]:5432/my%20db', 'postgres://a@b@[::1]:5432/my db'],
    ['postgres:///orders?host=/var/run/postgresql', 'postgres:///var/run/postgresql/orders'],
    ['postgres://', 'postgres:///'],
    ['postgres://h/d?password=a%40b&application_name=me@h', 'postgres://h/d'],
  ])('%s is shown as %s', (url, name) => {
    expect(createDatabase(url)).toMatchObject({ name, dialect: 'postgresql' });
  });

  it('has the sizes and times of the direct profile, or of that for PgBouncer', () => {
    const settingsOf = (url: string, options?: DatabaseOptions) => createDatabase(url, options).pool.settings;
    expect(settingsOf('postgres://h/d')).toMatchObject({
      ...{ size: 20, maxOverflow: 30, timeoutMs: 30_000, recycleMs: 3_600_000, prePing: true },
    });
    const pooled = { size: 5, maxOverflow: 10, timeoutMs: 10_000, recycleMs: 1_800_000, prePing: true };
    expect(settingsOf('postgres://h/d?pgbouncer=true')).toMatchObject(pooled);
    expect(settingsOf('postgres://h/d', { pgbouncer: true })).toMatchObject(pooled);
    expect(settingsOf('postgres://h/d?connect_timeout=7')).toMatchObject({ createTimeoutMs: 7000 });
    expect(settingsOf('postgres://h/d?connect_timeout=7', { createTimeoutMs: 1 }).createTimeoutMs).toBe(1);
  });

  it.each<[what: string, url: string, complaint: RegExp]>([
    ['no slashes', 'postgres:app@h/d', /write postgres:\/\/user@host:5432\/database/],
    ['a port that is no number', 'postgres://h:54x/d', /the port must be a number from 1 to 65535/],
    ['a port out of range', 'postgres://h:65536/d', /the port must be/],
    ['a port of 0', 'postgres://h:0/d', /the port must be/],
    [
      'a % that begins nothing',
      'postgres://u:100%@h/d',
      /the password has a % that begins no percent-encoding/,
    ],
    ['a zero byte', 'postgres://h/d%00', /the database holds a zero byte/],
    [
      'an unknown parameter',
      'postgres://h/d?sslmod=require',
      /unknown parameter 'sslmod'; did you mean sslmode\?/,
    ],
    [
      'an unknown sslmode',
      'postgres://h/d?sslmode=maybe',
      /sslmode is one of disable, allow, prefer, require, verify-ca/,
    ],
    ['half a client certificate', 'postgres://h/d?sslcert=a.crt', /sslcert and sslkey go together/],
    [
      'a time that is none',
      'postgres://h/d?statement_timeout=soon',
      /statement_timeout: 'soon' is not a duration/,
    ],
    ['a negative time', 'postgres://h/d?lock_timeout=-1', /lock_timeout: '-1' is negative/],
    [
      'a threshold that is none',
      'postgres://h/d?prepare_threshold=x',
      /prepare_threshold: 'x' is not a whole/,
    ],
    [
      'neither yes nor no',
      'postgres://h/d?pgbouncer=perhaps',
      /pgbouncer: 'perhaps' is neither true nor false/,
    ],
  ])('refuses %s', (_, url, expected) => {
    expect(complaint(url)).toMatch(expected);
  });

  it.each<[what: string, options: DatabaseOptions, complaint: RegExp]>([
    [
      'options of SQLite',
      { mode: 'inline', journal: 'wal' },
      /mode is no option of postgresql; journal is no option/,
    ],
    [
      'a negative threshold',
      { prepareThreshold: -1 },
      /prepareThreshold must be a whole number from 0, got -1/,
    ],
    ['a second password', { password: 'other' }, /a password in the URL, and another in the options/],
  ])('refuses, beside it, %s', (_, options, expected) => {
    expect(complaint('postgres://u:pw@h/d', options)).toMatch(expected);
  });

  it('refuses its own options for SQLite', () => {
    expect(complaint('sqlite:a.db', { pgbouncer: true })).toMatch(/pgbouncer is no option of sqlite/);
    expect(complaint('sqlite:a.db', { readOnly: true })).toBe('');
  });

  it.each([
    ['?statement_timeout=5s', {}, 'statement_timeout'],
    ['?lock_timeout=5', {}, 'lock_timeout'],
    ['?idle_in_transaction_session_timeout=5', {}, 'idle_in_transaction_session_timeout'],
    ['?options=-c%20jit=off', {}, 'options'],
    ['', { readOnly: true }, 'readOnly'],
  ])('refuses what PgBouncer would not take or drop: %j %j', (params, options, what) => {
    expect(complaint(`postgres://h/d${params}`, { ...options, pgbouncer: true })).toContain(
      `PgBouncer takes no ${what}: set it on the role, with ALTER ROLE ... SET`,
    );
    expect(complaint(`postgres://h/d${params}`, options)).toBe('');
  });

  it.each([
    'postgres://app:SECRET@h:x/d',
    'postgres://app:SECRET@h1:x,h2/d',
    'postgres://app:SECRET',
    'postgres://app:SECRET/d',
    'postgres://app:SEC?RET@h/d',
    'postgres://app:SEC#RET@h:x/d',
    'postgres://app:SEC/RET@h:x/d',
    'postgres://app:SEC%RET@h/d',
    'postgres://app:SECRET@@h:x/d',
    'postgres://h/d?password=SECRET&sslx=1',
    'postgres:app:SECRET@h/d',
  ])('does not show the password that it refuses: %s', (url) => {
    const text = complaint(url);
    expect(text).not.toBe('');
    expect(text).not.toMatch(/SEC|RET/);
  });
});

describe('a password file', () => {
  const address = { host: 'db.example', port: 5432, user: 'app', database: 'orders' };

  it.each<[what: string, line: string, password: string | null]>([
    ['names everything', 'db.example:5432:orders:app:pw', 'pw'],
    ['fits everything', '*:*:*:*:pw', 'pw'],
    ['is for another host', 'other:5432:orders:app:pw', null],
    ['is for another port', 'db.example:5433:orders:app:pw', null],
    ['is for another database', 'db.example:5432:other:app:pw', null],
    ['is for another user', 'db.example:5432:orders:other:pw', null],
    ['has colons in the password', '*:*:*:*:a:b:c', 'a:b:c'],
    ['has escapes in the password', '*:*:*:*:a\\:b\\\\c', 'a:b\\c'],
    ['has spaces and all kinds of signs', '*:*:*:*: p w # "ü" ', ' p w # "ü" '],
    ['is a comment', '#*:*:*:*:pw', null],
    ['has no password', '*:*:*:*:', null],
    ['has too few fields', '*:*:pw', null],
    ['is empty', '', null],
    ['ends as on Windows', '*:*:*:*:pw\r', 'pw'],
  ])('with a line that %s', (_, line, password) => {
    expect(findPassword(`${line}\n`, address)).toBe(password);
  });

  it('gives what stands in the first line that fits', () => {
    const text = 'x:*:*:*:no\n*:*:orders:app:first\n*:*:*:*:second';
    expect(findPassword(text, address)).toBe('first');
  });

  it.each([
    ['/var/run/postgresql', 'localhost:*:*:*:pw'],
    ['/var/run/postgresql', '/var/run/postgresql:*:*:*:pw'],
    ['::1', '\\:\\:1:*:*:*:pw'],
  ])('knows the host %s by %s', (host, line) => {
    expect(findPassword(line, { ...address, host })).toBe('pw');
  });
});
