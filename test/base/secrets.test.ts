import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskSecrets, maskUrl, registerSecret } from '../../src/base/secrets.js';

describe('masking secrets', () => {
  it.each([
    ['postgres://anna:s3cret@db:5432/x', 'postgres://anna:***@db:5432/x'],
    [
      'a password with an at-sign: postgres://anna:s3@cret@db/x',
      'a password with an at-sign: postgres://anna:***@db/x',
    ],
    ['with a slash: postgres://anna:s3/cr?t#@db/x', 'with a slash: postgres://anna:***@db/x'],
    ["with a quote: 'postgres://anna:s3'cret@db/x'", "with a quote: 'postgres://anna:***@db/x'"],
    ['without a user: redis://:s3cret@db', 'without a user: redis://:***@db'],
    ['two: a://b:s3cret@c d://e:s3cret@f', 'two: a://b:***@c d://e:***@f'],
    ['host=db password=s3cret user=anna', 'host=db password=*** user=anna'],
    ["host=db password='s3cret two' user=anna", "host=db password='***' user=anna"],
    ["host=db password = 's3\\'cret two' user=anna", "host=db password = '***' user=anna"],
    ['host=db password=s3\\ cret user=anna', 'host=db password=*** user=anna'],
    ['https://x/?user=a&password=s3cret&b=c', 'https://x/?user=a&password=***&b=c'],
    ['https://x/?pwd=s3cret&b=c', 'https://x/?pwd=***&b=c'],
    ['PGPASSWORD=s3cret', 'PGPASSWORD=***'],
    ['postgres//app:s3cret@localhost/x', 'postgres//app:***@localhost/x'],
    ['postgresql:/app:s3cret@localhost/x', 'postgresql:***@localhost/x'],
    ['app:s3cret@localhost/x', 'app:***@localhost/x'],
    ['cannot use postgres://app:my s3cret@h/d here', 'cannot use postgres://app:***@h/d here'],
    ['postgres://app:s3cret', 'postgres://app:***'],
    ['postgres://me@srv:s3cret@srv.example/d', 'postgres://me@srv:***@srv.example/d'],
    ['jdbc:postgresql://h/d?user=a&password=s3cret', 'jdbc:postgresql://h/d?user=a&password=***'],
    ['Host=h;Password=s3c;ret;Database=d', 'Host=h;Password=***;Database=d'],
    ['{"password":"s3cret","user":"anna"}', '{"password":"***","user":"anna"}'],
    ['{"password": "s3\\"cret"}', '{"password": "***"}'],
    ['"{\\"dbPassword\\":\\"s3cret\\"}"', '"{\\"dbPassword\\":\\"***\\"}"'],
    ['Authorization: Bearer s3cret', 'Authorization: ***'],
    ['authorization: Basic dXNlcjpzM2NyZXQ=\r\nhost: h', 'authorization: ***\r\nhost: h'],
    ['sent Bearer s3cret to h', 'sent Bearer *** to h'],
    ['X-Api-Key: s3cret', 'X-Api-Key: ***'],
    ["ALTER ROLE a PASSWORD 's3''cret'", "ALTER ROLE a PASSWORD '***'"],
    ['db_pass: s3cret', 'db_pass: ***'],
    ['"a" "SCRAM-SHA-256$4096:salt$stored:server"', '"a" "SCRAM-SHA-256$***"'],
  ])('%s', (text, masked) => {
    expect(maskSecrets(text)).toBe(masked);
    expect(maskSecrets(masked)).toBe(masked);
  });

  it.each([
    `Unexpected token ',', "{a:1,,}" is not valid JSON`,
    'postgres://anna@db:5432/x',
    'postgres://anna@db:5432/x?application_name=me@h',
    'http://127.0.0.1:8080/path',
    'sqlite:./file.db',
    'sqlite:///C:/Users/me@work/app.db',
    'a: b@c',
    'at run (file:///srv/app/node_modules/.pnpm/a@1.0.0/x.js:10:5)',
    'at run (C:\\work\\node_modules\\@scope\\x.js:10:5)',
    'write postgres://user@host:5432/database',
    'postgres://h1:5432,h2:5433/d',
    'http://[::1]:8080/metrics',
    'password authentication failed for user "anna"',
    'pg (app.mjs 10079): wrong-password: pg: cannot grow beyond 0',
    'Basic authentication is off',
    'git@github.com:org/repo.git',
    '{"email":"me@example.org"}',
    'tokens: 500, token_count=3',
  ])('leaves %s alone', (text) => {
    expect(maskSecrets(text)).toBe(text);
  });

  it('treats one typed URL as one word', () => {
    expect(maskUrl('postgres://app:a b c d@h/d')).toBe('postgres://app:***@h/d');
    expect(maskUrl('postgres:app:s3cret@h/d')).toBe('postgres:***@h/d');
    expect(maskUrl('host=h password=my s3cret dbname=d')).toBe('host=h password=*** dbname=d');
  });

  it('masks a value that was parsed wherever it appears, raw, percent-encoded and in JSON', () => {
    const value = 'cor/rect "horse';
    registerSecret(value);
    for (const form of [value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1)]) {
      expect(maskSecrets(`the server said ${form}!`)).toBe('the server said ***!');
    }
  });

  it('does not mask by value what is short, a common word, visible anyway, or part of a longer word', () => {
    registerSecret('abc');
    registerSecret('postgres');
    registerSecret('inventory', ['inventory']);
    registerSecret('tableau');
    const text = 'abc postgres inventory tableaus';
    expect(maskSecrets(text)).toBe(text);
    expect(maskSecrets('a tableau.')).toBe('a ***.');
  });

  it('forgets the oldest values, so that rotating passwords do not pile up', () => {
    registerSecret('oldest-value');
    for (let i = 0; i < 400; i++) registerSecret(`rotated-value-${i}`);
    expect(maskSecrets('oldest-value rotated-value-399')).toBe('oldest-value ***');
  });
});

/** Passwords as people have them, unescaped signs included. */
const PASSWORD = fc
  .tuple(
    fc.stringMatching(/^[A-Za-z0-9]{5,9}$/),
    fc.constantFrom('', '/', '?', '#', '@', ':', '%', '$', '!', '=', '+', '*', '"', "'", '//', '@@', ':/'),
    fc.stringMatching(/^[A-Za-z]{5,9}$/),
  )
  .map(([head, sign, tail]) => ({ text: `Z${head}${sign}${tail}`, parts: [head, tail] }));

const FORMS: readonly ((secret: string) => string)[] = [
  (secret) => `postgres://app:${secret}@db.example:5432/shop?sslmode=require`,
  (secret) => `postgresql+asyncpg://app:${secret}@h1,h2/shop`,
  (secret) => `postgres//app:${secret}@localhost/x`,
  (secret) => `cannot connect to 'mysql://app:${secret}@db/shop': refused`,
  (secret) => `jdbc:postgresql://h/d?user=a&password=${encodeURIComponent(secret)}&ssl=true`,
  (secret) =>
    `{"url":"postgres://a:${encodeURIComponent(secret)}@h/d","db":{"password":${JSON.stringify(secret)}}}`,
  (secret) => `host=h password='${secret.replace(/['\\]/g, '\\$&')}' dbname=d`,
  (secret) => `DETAIL: ALTER ROLE app PASSWORD '${secret.replaceAll("'", "''")}'`,
  (secret) => `Authorization: Bearer ${secret.replace(/["']/g, '')}`,
  (secret) => `PGPASSWORD="${secret.replace(/["\\]/g, '\\$&')}"\nPGUSER=app`,
  (secret) => `db:\n  password: "${secret.replaceAll('"', '\\"')}"\n  user: app\n`,
];

describe('random texts', () => {
  it('show no secret, in 10,000 URLs, configurations and server messages', () => {
    const texts = fc.tuple(PASSWORD, fc.constantFrom(...FORMS));
    fc.assert(
      fc.property(texts, ([{ text, parts }, form]) => {
        const shown = maskSecrets(form(text));
        return parts.every((part) => !shown.includes(part));
      }),
      { numRuns: 10_000 },
    );
  });

  it('never throw, and a second pass changes nothing', () => {
    const piece = fc.constantFrom(
      '//',
      ':',
      '@',
      '=',
      '"',
      "'",
      '\\',
      ' ',
      '\n',
      'password',
      'Bearer ',
      'a',
      '&',
      ';',
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 30 }).map((all) => all.join('')),
        (text) => {
          const once = maskSecrets(text);
          expect(typeof once).toBe('string');
        },
      ),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['one letter', 'a'],
    ['slashes', '/'],
    ['users without an end', '//a:'],
    ['ports', '//a:1/'],
    ['at-signs', '@'],
    ['keys', 'password='],
    ['open quotes', "password='"],
    ['key letters', 'pass-'],
    ['bearers', 'bearer '],
    ['blanks', ' '],
    ['keys of dashes', '-_'],
    ['URLs', 'postgres://a:b@c '],
    ['open URLs', 'postgres://a:b '],
    ['private keys', '-----BEGIN PRIVATE KEY-----'],
    ['backslashes', 'password=\\'],
  ])('take time in proportion to their length: %s', (_, piece) => {
    const cpuOf = (length: number): number => {
      const text = piece.repeat(Math.ceil(length / piece.length));
      const spent = Array.from({ length: 5 }, () => {
        const before = process.cpuUsage();
        maskSecrets(text);
        const { user, system } = process.cpuUsage(before);
        return user + system;
      });
      return Math.min(...spent);
    };
    cpuOf(50_000);
    // Eight times the text: quadratic time would be 64 times.
    expect(cpuOf(400_000)).toBeLessThan(25 * Math.max(cpuOf(50_000), 2000));
  });
});
