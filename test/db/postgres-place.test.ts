import { describe, expect, it } from 'vitest';
import {
  checkPostgresUrl,
  databaseOf,
  isLoopback,
  locatePostgres,
  saysPgbouncer,
  serverUrl,
} from '../../src/db/postgres-place.js';

describe('what stays on this machine', () => {
  it.each(['127.0.0.1', '127.9.8.7', '::1', '::ffff:127.0.0.1', '/var/run/postgresql', 'localhost', '127.1'])(
    'is %s',
    async (host) => {
      expect(await isLoopback(host)).toBe(true);
    },
  );

  it.each(['10.0.0.1', '0.0.0.0', '192.0.2.1', '128.0.0.1', '2001:db8::1', '::', '::ffff:10.0.0.1'])(
    'is not %s',
    async (host) => {
      expect(await isLoopback(host)).toBe(false);
    },
  );
});

describe('a PostgreSQL target', () => {
  const ENV = {
    PGHOST: 'db.example',
    PGPORT: '6543',
    PGUSER: 'anna',
    PGDATABASE: 'orders',
    PGPASSWORD: 's3cret',
    PGPASSFILE: '/home/anna/pass',
    PGSSLMODE: 'require',
  };

  it('is filled up from the environment, and what the URL says wins', () => {
    expect(locatePostgres('postgres:///', ENV)).toEqual({
      url: 'postgres://anna@db.example:6543/orders?sslmode=require',
      host: 'db.example',
      password: 's3cret',
      passwordFile: '/home/anna/pass',
    });
    const own = 'postgres://bob:p%40ss@10.0.0.1:5432/shop?sslmode=disable';
    expect(locatePostgres(own, ENV)).toMatchObject({
      url: 'postgres://bob@10.0.0.1:5432/shop?sslmode=disable',
      host: '10.0.0.1',
      password: 'p@ss',
    });
  });

  it('is on localhost where nobody says otherwise, empty variables included', () => {
    expect(locatePostgres('postgres://', { PGHOST: '', PGUSER: '' })).toEqual({
      url: 'postgres://localhost/',
      host: 'localhost',
      password: null,
      passwordFile: null,
    });
  });

  it.each([
    ['postgres://u@h/d?host=%2Frun%2Fpg', '/run/pg'],
    ['postgres://u@%2Frun%2Fpg/d', '/run/pg'],
    ['postgres://u@[::1]:5432/d', '::1'],
    ['postgresql://u:p@w@h/d', 'h'],
  ])('%s is at %s', (url, host) => {
    const place = locatePostgres(url, {});
    expect(place.host).toBe(host);
    // What is connected to later is the same.
    expect(locatePostgres(place.url, { PGHOST: 'elsewhere' }).host).toBe(host);
  });

  it('has its password in nothing that is shown', () => {
    const url = 'postgres://u:one@h/d?password=two&application_name=x';
    expect(locatePostgres(url, {})).toMatchObject({ password: 'two', host: 'h' });
    expect(locatePostgres(url, {}).url).not.toMatch(/one|two/);
  });

  it('that is wrong is told with everything that is wrong with it', () => {
    const wrong = 'postgres://u:s3cret@h:99999/d?sslspeed=5&sslmode=maybe';
    expect(() => checkPostgresUrl(wrong)).toThrow(
      /unknown parameter 'sslspeed'.*port must be.*sslmode is one of/,
    );
    expect(() => checkPostgresUrl(wrong)).not.toThrow(/s3cret/);
    expect(() => locatePostgres('postgres://h/d', { PGPORT: 'many' })).toThrow(/port must be a number/);
  });

  it('may say whether PgBouncer is between', () => {
    expect(saysPgbouncer('postgres://h/d')).toBe(null);
    expect(saysPgbouncer('postgres://h/d?pgbouncer=true')).toBe(true);
    expect(saysPgbouncer('postgres://h/d?pgbouncer=false')).toBe(false);
  });

  it('is asked about itself without the time-outs of the load, and other databases without its settings', () => {
    const settings = 'application_name=x&statement_timeout=5s&options=-c%20jit%3Doff';
    const { url } = locatePostgres(`postgres://u@h:5432/a%2Fb?${settings}`, {});
    expect(databaseOf(url)).toBe('a/b');
    expect(serverUrl(url)).toBe('postgres://u@h:5432/a%2Fb?application_name=x&options=-c+jit%3Doff');
    expect(serverUrl(url, 'pgbouncer')).toBe('postgres://u@h:5432/pgbouncer?application_name=x');
  });
});
