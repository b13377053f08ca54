import { describe, expect, it } from 'vitest';
import { consoleName, iniName, iniValue, pairOf, userLine, userList } from '../../src/pgbouncer/names.js';
import { authTypeFor, md5Secret, parsePasswords, scramSecret } from '../../src/pgbouncer/secrets.js';
import { fateOf, targetOf } from '../../src/pgbouncer/versions.js';

describe('secrets', () => {
  it('are those of PostgreSQL: md5 of password and name', () => {
    expect(md5Secret({ name: 'admin', password: '1234' })).toBe('md545f2603610af569b6155c45067268c6b');
  });

  it('are the same for the same salt, whatever form of Unicode the password is typed in', () => {
    const salt = Buffer.alloc(16, 7);
    expect(scramSecret('p\u00e9', salt)).toBe(scramSecret('pe\u0301', salt));
    expect(scramSecret('I\u00adX', salt)).toBe(scramSecret('\u2168', salt));
    // What the profile forbids is taken as it is, and what it would leave nothing of.
    expect(scramSecret('\u2028\u2168', salt)).not.toBe(scramSecret('\u2028IX', salt));
    expect(scramSecret('\u00ad', salt)).not.toBe(scramSecret('', salt));
    expect(scramSecret('a\u00a0b', salt)).toBe(scramSecret('a b', salt));
    expect(scramSecret('a', salt)).toMatch(
      /^SCRAM-SHA-256\$4096:BwcHBwcHBwcHBwcHBwcHBw==\$[\w+/]{43}=:[\w+/]{43}=$/,
    );
  });

  it('say by what auth_type all of them get in', () => {
    expect(authTypeFor([{ name: 'a', secret: 'SCRAM-SHA-256$x' }])).toBe('scram-sha-256');
    expect(authTypeFor([{ name: 'a', secret: 'md5x' }])).toBe('md5');
  });

  it('come from lines of name:password, of which an error shows only the number', () => {
    expect(parsePasswords('a:b:c\r\n"x:""y":z \n')).toEqual([
      { name: 'a', password: 'b:c' },
      { name: 'x:"y', password: 'z ' },
    ]);
    expect(() => parsePasswords('a:b\nsecret')).toThrow(/^line 2 of the passwords is not name:password$/);
    expect(() => parsePasswords('')).toThrow('no passwords');
    expect(() => parsePasswords('a:b\nb:c\na:d')).toThrow(/^line 3 .*'a' a second time$/);
    expect(() => parsePasswords('x"a:b')).toThrow('line 1');
    expect(() => parsePasswords('a:')).toThrow('line 1');
    expect(parsePasswords('a:b\rc\r')).toEqual([{ name: 'a', password: 'b\rc' }]);
  });
});

describe('names', () => {
  it.each([
    ['Shop_1', 'Shop_1'],
    ['a"b', '"a""b"'],
    ['50%', '"50%"'],
    ['x'.repeat(63), 'x'.repeat(63)],
    [`${'x'.repeat(60)}-`, `"${'x'.repeat(60)}-"`],
  ])('%j is %s on the console', (name, written) => {
    expect(consoleName(name)).toBe(written);
  });

  it('are refused where their place cannot hold them', () => {
    expect(() => consoleName('x'.repeat(64))).toThrow('63 bytes');
    expect(() => consoleName(`${'x'.repeat(61)}-`)).toThrow('63 bytes');
    expect(() => userLine('a\nb', 's')).toThrow('line break');
    expect(() => userList('admin_users', ['a,b'])).toThrow('commas');
    expect(() => pairOf('password', 'a\nb')).toThrow('line break');
    expect(() => consoleName('')).toThrow('empty');
    expect(() => consoleName('a\0')).toThrow('zero byte');
    expect(() => iniName('')).toThrow('no name');
    expect(() => iniName('x'.repeat(64))).toThrow('64 bytes');
    expect(() => userLine('é'.repeat(32), 's')).toThrow('64 bytes');
    expect(iniName('x'.repeat(63))).toHaveLength(63);
    expect(() => pairOf('host', '')).toThrow('empty');
    expect(() => iniValue('logfile', 'a\nb')).toThrow('line break');
    expect(() => iniValue('logfile', ' a')).toThrow('space');
    expect(iniValue('logfile', 'a b')).toBe('a b');
    expect(() => userList('admin_users', ['a b'])).toThrow('spaces');
    expect(userList('admin_users', ['a', 'b'])).toBe('a, b');
    expect(() => iniName('pgbouncer')).toThrow('admin console');
  });

  it('are quoted as each place wants it', () => {
    expect(iniName('my-db.1')).toBe('my-db.1');
    expect(iniName('my db')).toBeNull();
    expect(pairOf('password', "it's 50%")).toBe("password='it''s 50%'");
    expect(userLine('a"b', 'c"d')).toBe('"a""b" "c""d"\n');
  });
});

describe('versions', () => {
  it.each([
    ['pgbouncer', 'max_prepared_statements', '1.20', 'leftOut'],
    ['pgbouncer', 'max_prepared_statements', '1.21', 'kept'],
    ['databases', 'reserve_pool_size', '1.23', 'renamed'],
    ['databases', 'reserve_pool_size', '1.24', 'kept'],
    ['pgbouncer', 'nonsense', '1.25', 'unknown'],
  ] as const)('[%s] %s in %s is %s', (section, key, target, kind) => {
    expect(fateOf(section, key, target).kind).toBe(kind);
  });

  it('know their first and last keys of each section', () => {
    for (const key of ['admin_users', 'verbose']) expect(fateOf('pgbouncer', key, '1.18').kind).toBe('kept');
    for (const key of ['application_name', 'user'])
      expect(fateOf('databases', key, '1.18').kind).toBe('kept');
    expect(fateOf('databases', '', '1.18').kind).toBe('unknown');
    expect(fateOf('databases', 'reserve_pool_size', '1.23')).toMatchObject({ key: 'reserve_pool' });
    // The renaming is of databases only: [pgbouncer] has had the name all along.
    expect(fateOf('pgbouncer', 'reserve_pool_size', '1.18').kind).toBe('kept');
  });

  it('of an installed PgBouncer are taken for the nearest that is known', () => {
    expect(targetOf('PgBouncer 1.21.0')).toBe('1.21');
    expect(['1.18.0', '1.25.2', '1.30.0', '1.17.0', 'none'].map(targetOf)).toEqual([
      '1.18',
      '1.25',
      '1.25',
      '1.18',
      null,
    ]);
  });
});
