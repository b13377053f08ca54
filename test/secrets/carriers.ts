import fc from 'fast-check';

/** A secret as somebody has it, and where it is given to poolctl. */
export interface Given {
  readonly secret: string;
  /** The text that poolctl parses. */
  readonly text: string;
  /** The secret in it with the sign on either side: what no output may show, however short the secret is. */
  readonly inText: string;
}

const LETTERS = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const SIGNS = '/?#@:%$!=+*"\'\\&;,.-_~`^|<>()[]{} äßéЖ漢😀';
const letter = fc.constantFrom(...LETTERS);
const sign = fc.constantFrom(...SIGNS);

/** Marked, so that no report has it by chance; with whatever signs people put into passwords. */
const LONG = fc
  .array(fc.oneof({ weight: 2, arbitrary: letter }, { weight: 1, arbitrary: sign }), {
    minLength: 1,
    maxLength: 20,
  })
  .map((all) => `Zq${all.join('')}xK`);
/** Too short to be masked by value: nothing but the structure around them tells that they are secrets. */
const SHORT = fc.array(letter, { minLength: 1, maxLength: 3 }).map((all) => all.join(''));

export const SECRET = fc.oneof({ weight: 9, arbitrary: LONG }, { weight: 1, arbitrary: SHORT });

const url = encodeURIComponent;
const quoted = (secret: string) => secret.replace(/['\\]/g, '\\$&');
const json = (secret: string) => JSON.stringify(secret).slice(1, -1);
const base64 = (secret: string) => Buffer.from(`me:${secret}`).toString('base64');

/** How a secret comes to poolctl: what stands before it, itself as it is written there, and what stands behind it. */
const FORMS: readonly (readonly [before: string, write: (secret: string) => string, after: string])[] = [
  ['postgres://app:', url, '@db.example:5432/shop?sslmode=require'],
  ['postgresql+asyncpg://app:', url, '@h1:5432,h2/shop'],
  ['jdbc:postgresql://db/shop?user=app&password=', url, '&ssl=true'],
  ["host=db user=app password='", quoted, "' dbname=shop"],
  ["shop = host=db user=app password='", quoted, "' pool_size=5"],
  ['redis://:', url, '@cache:6379/0'],
  ['rediss://app:', url, '@cache/0'],
  ['amqp://app:', url, '@mq:5672/vhost'],
  ['mysql://app:', url, '@db/shop'],
  ['mongodb+srv://app:', url, '@cluster.example/shop'],
  ['prometheus:http://me:', url, '@host:9090/metrics'],
  ['https://host/metrics?token=', url, '&x=1'],
  ['wss://feed.example/?api_key=', url, ''],
  ['PGPASSWORD=', (secret) => `"${json(secret)}"`, ''],
  ['{"loadtest":{"password":"', json, '"}}'],
  ['{"url":"postgres://app:', url, '@db/shop"}'],
  ['Authorization: Basic ', base64, ''],
  ['Proxy-Authorization: Basic ', base64, ''],
  ["ALTER ROLE app PASSWORD '", (secret) => secret.replaceAll("'", "''"), "'"],
];

export const GIVEN: fc.Arbitrary<Given> = fc
  .tuple(SECRET, fc.constantFrom(...FORMS))
  .map(([secret, form]) => {
    const [before, write, after] = form;
    const text = before + write(secret) + after;
    return { secret, text, inText: before.slice(-1) + write(secret) + after.slice(0, 1) };
  });

/** As servers and libraries quote a secret. */
export const QUOTES: readonly ((secret: string) => string)[] = [
  (secret) => secret,
  (secret) => url(secret),
  (secret) => json(secret),
  (secret) => `"${secret}"`,
  (secret) => secret.replaceAll("'", "''"),
];

const NAMES: Readonly<Record<string, string>> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": '#39' };
const html = (text: string) => text.replace(/[&<>"']/g, (one) => `&${NAMES[one]};`);

/** All ways to write a secret that an output may not have. */
export function formsOf(secret: string): readonly string[] {
  return [...new Set([secret, url(secret), json(secret), quoted(secret), html(secret), base64(secret)])];
}
