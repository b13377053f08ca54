import { percentDecoded, percentEncoded, wellFormed } from './percent.js';

/**
 * Masks secrets in text that poolctl is about to show. It masks three things: values that were registered as secrets,
 * the password of anything that looks like a URL, and the values of keys and headers that hold secrets. In doubt it
 * masks too much: the password of a URL ends at the last `@` of the word, as passwords contain unescaped signs.
 * The time it takes is proportional to the length of the text.
 */
export function maskSecrets(text: string): string {
  if (!MAY_HOLD_SECRET.test(text)) return maskValues(text);
  return maskUserinfo(maskKeys(maskValues(text)), wordsWithUserinfo);
}

/** Masks one URL that somebody typed, well-formed or not: all of it is one word, even with blanks in the password. */
export function maskUrl(url: string): string {
  return maskUserinfo(maskKeys(maskBare(maskValues(url))), oneWord);
}

/** In a connection string a password with blanks should have been quoted, and goes on up to the next key. */
function maskBare(url: string, found: string[] | null = null): string {
  return url.replace(
    /((?:password|passwd|pwd)\s{0,3}=\s{0,3})(?!['"\s])([^&;]*?)(?=\s\w{1,40}\s?=|[&;]|$)/gi,
    (_, key: string, value: string) => {
      found?.push(value);
      return `${key}${MASK}`;
    },
  );
}

/**
 * Registers a secret value that was parsed, so that it is masked wherever it appears: raw, percent-encoded, and escaped
 * for JSON, SQL, HTML and connection strings. Not registered: values of fewer than 4 characters and common words, as
 * masking them would garble the text and so tell the value, and values equal to one of `visible` (the user, host or
 * database). The structure around a secret still masks those.
 */
export function registerSecret(value: string, visible: readonly (string | null | undefined)[] = []): void {
  if (value.length < SHORTEST || COMMON.has(value.toLowerCase()) || visible.includes(value)) return;
  for (const form of formsOf(value)) {
    // The newest stay: a program that rotates passwords does not collect them.
    registered.delete(form);
    registered.add(form);
  }
  for (const form of registered) {
    if (registered.size <= MOST_REGISTERED) break;
    registered.delete(form);
  }
  masker = null;
  reportMasker = null;
}

/**
 * Registers each secret in a text that was parsed: a URL, a connection string, a header, a configuration or an
 * assignment of the environment. What the text also says in the open (a user with the same name) stays visible.
 */
export function registerSecretsIn(text: string, visible: readonly (string | null | undefined)[] = []): void {
  if (!MAY_HOLD_SECRET.test(text)) return;
  const found: string[] = [];
  const open = maskUserinfo(maskKeys(text, found), wordsWithUserinfo, found);
  const isUrl = text.includes('://') && !/[\r\n]/.test(text);
  const whole = isUrl ? maskUserinfo(maskKeys(maskBare(text, found), found), oneWord, found) : '';
  const shown = new Set(`${open} ${whole}`.split(/[^\p{L}\p{N}_.-]+/u));
  for (const value of new Set(found.flatMap(readingsOf))) {
    if (!shown.has(value)) registerSecret(value, visible);
  }
}

/** The forms of a secret as it was written: unquoted, decoded, and without the scheme of a header. */
function readingsOf(written: string): string[] {
  const [, scheme = '', rest = ''] = /^(bearer|basic|token|digest)\s+(.*)$/is.exec(written) ?? [];
  const values = [written, ...(rest === '' ? [] : [rest])];
  if (/^basic$/i.test(scheme)) {
    const pair = Buffer.from(rest, 'base64').toString('utf8');
    values.push(pair, pair.slice(pair.indexOf(':') + 1));
  }
  for (const value of [...values]) {
    if (value.includes('%')) values.push(percentDecoded(value));
    if (value.includes('\\')) values.push(value.replace(/\\(.)/gs, '$1'), fromJson(value));
    if (/(['"])\1/.test(value)) values.push(value.replace(/(['"])\1/g, '$1'));
    if (value.includes('&') || value.includes('+')) values.push(value.replaceAll('+', ' '));
  }
  return values;
}

function fromJson(text: string): string {
  try {
    return String(JSON.parse(`"${text}"`));
  } catch {
    return text;
  }
}

/** A value as texts quote it. */
function formsOf(value: string): Set<string> {
  const percent = percentEncoded(value);
  const strict = percent.replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  const inJson = JSON.stringify(value).slice(1, -1);
  return new Set([
    value,
    percent,
    strict,
    percent.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    strict.replaceAll('%20', '+'),
    encodeURI(wellFormed(value)),
    inJson,
    // Text with JSON in it, in a JSON report.
    JSON.stringify(inJson).slice(1, -1),
    value.replaceAll("'", "''"),
    value.replaceAll('"', '""'),
    value.replace(/['\\]/g, '\\$&'),
    value.replace(/[&<>"']/g, (sign) => HTML[sign] ?? sign),
    value.replace(/\s+/g, ' '),
  ]);
}

const HTML: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const MASK = '***';
const SHORTEST = 4;
const MOST_REGISTERED = 256;
/** Without one of these a text holds no secret that its structure shows. */
const MAY_HOLD_SECRET = /[@=:'"`]|%3d|bearer|basic|SCRAM-|md5|PRIVATE/i;
/** Words of reports, and passwords so common that masking them would tell what they are. */
const COMMON = new Set(
  [
    'postgres postgresql password passwd secret pgbouncer poolctl localhost default database server test root user',
    'admin main data prod true false null text json html passed failed pass fail error errors info warn warning idle',
    'wait waits waiting open close closed time times count rate rate runs pool pools size query load name host port',
    'node start stop state active healthy none auto all ready steps step check checks worker workers mysql redis',
    'guest public dev local token changeme',
  ].flatMap((line) => line.split(' ')),
);
const registered = new Set<string>();
let masker: ((text: string) => string) | null = null;
let reportMasker: ((text: string) => string) | null = null;
/** A field of ours. What comes from outside, as the message by which errors are counted, has other signs too. */
const NAME = /^[A-Za-z_$][\w$-]*$/;
/** Values that are numbers: in a report they stand for figures. */
const NUMBER = /^[\d.,]+$/;

/** Masks the registered values alone: for strings that are part of a report. */
export function maskValues(text: string): string {
  if (registered.size === 0) return text;
  masker ??= maskerOf([...registered]);
  return masker(text);
}

/**
 * Masks the registered values in a whole report, and leaves its structure alone: figures stay, and of JSON the names of
 * fields.
 */
export function maskReport(text: string): string {
  if (registered.size === 0) return text;
  if (/^\s*[[{]/.test(text)) {
    return text.replace(/"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:)?/g, (all, inner: string, colon: string = '') =>
      colon !== '' && NAME.test(inner) ? all : `"${maskValues(inner)}"${colon}`,
    );
  }
  reportMasker ??= maskerOf([...registered].filter((one) => !NUMBER.test(one)));
  return reportMasker(text);
}

/** The same data with its texts masked by `mask`. Fields keep their names. */
export function maskData<T>(value: T, mask: (text: string) => string): T {
  return masked(value, mask) as T;
}

function masked(value: unknown, mask: (text: string) => string): unknown {
  if (typeof value === 'string') return mask(value);
  if (Array.isArray(value)) return value.map((one) => masked(one, mask));
  if (typeof value !== 'object' || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const pairs = Object.entries(value).map(([key, one]) => [
    NAME.test(key) ? key : mask(key),
    masked(one, mask),
  ]);
  return Object.fromEntries(pairs);
}

/** Most texts hold none of the values, and a plain search for each is faster than one expression for all. */
function maskerOf(values: string[]): (text: string) => string {
  // A longer one first: a shorter may be a part of it.
  values.sort((a, b) => b.length - a.length);
  return (text) =>
    values.reduce(
      (said, value) => (said.includes(value) ? said.replace(patternOf(value), MASK) : said),
      text,
    );
}

/** Within a longer word a value of letters and digits is a coincidence. */
function patternOf(value: string): RegExp {
  const literal = value.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  const before = /^[A-Za-z0-9]/.test(value) ? '(?<![A-Za-z0-9])' : '';
  return new RegExp(`${before}${literal}${/[A-Za-z0-9]$/.test(value) ? '(?![A-Za-z0-9])' : ''}`, 'g');
}

/** A password with blanks is looked for within so many characters, on the same line. */
const LOOK_AHEAD = 200;

/** Masks the passwords of words that look like `scheme://user:password@host`, or would with a typo corrected. */
function maskUserinfo(
  text: string,
  wordsOf: (text: string) => Iterable<Word>,
  found: string[] | null = null,
): string {
  let out = '';
  let done = 0;
  for (const { word, index } of wordsOf(text)) {
    if (index < done) continue;
    const span = passwordIn(word);
    if (span === null) continue;
    const end = index + word.length;
    const to = span.isOpen ? end + rest(text.slice(end, end + LOOK_AHEAD)) : index + span.to;
    out += `${text.slice(done, index + span.from)}${MASK}`;
    done = Math.max(to, index + span.to);
    found?.push(text.slice(index + span.from, done));
  }
  return out + text.slice(done);
}

interface Word {
  readonly word: string;
  readonly index: number;
}

function oneWord(text: string): Iterable<Word> {
  return [{ word: text, index: 0 }];
}

/** The words that may hold a password: those with an `@` or `//` in them. */
function* wordsWithUserinfo(text: string): Iterable<Word> {
  const anchor = /@|\/\//g;
  const blank = /\s/g;
  for (let match = anchor.exec(text), before = 0; match !== null; match = anchor.exec(text)) {
    let index = match.index;
    while (index > before && !isBlank(text.charCodeAt(index - 1))) index--;
    blank.lastIndex = match.index;
    const end = blank.exec(text)?.index ?? text.length;
    yield { word: text.slice(index, end), index };
    before = end;
    anchor.lastIndex = end;
  }
}

/** As \s has it, for the signs that occur; a word that is too long is masked no less. */
function isBlank(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13) || code === 0xa0 || code === 0x2028 || code === 0x2029;
}

interface Span {
  readonly from: number;
  readonly to: number;
  /** There is no `@` in the word: the password has a blank in it and goes on, or the host is missing. */
  readonly isOpen: boolean;
}

function passwordIn(word: string): Span | null {
  const at = word.lastIndexOf('@');
  if (at < 0) return passwordWithoutHost(word);
  const slashes = word.indexOf('//');
  const from = slashes < 0 || slashes > at ? 0 : slashes + 2;
  const colon = word.indexOf(':', from);
  if (colon < 0 || colon >= at - 1) return null;
  const before = word.slice(0, colon);
  // A file, the key of an object, and a drive of Windows.
  if (/(?:^|[^a-z])(?:file|sqlite|node):\/\/|["'`]$/i.test(before)) return null;
  if (from === 0 && /(?:^|[^a-z0-9])[a-z]$/i.test(before) && /[\\/]/.test(word[colon + 1] ?? '')) return null;
  const hasUserOnly = before.indexOf('@', from) >= 0 && PORT.test(word.slice(colon + 1, at));
  return hasUserOnly ? null : { from: colon + 1, to: at, isOpen: false };
}

const PORT = /^\d{0,5}(?:[/?#,;.:)\]}>'"`]|$)/;

function passwordWithoutHost(word: string): Span | null {
  for (const match of word.matchAll(/\/\/[^\s:/?#[\]]*:/g)) {
    const from = match.index + match[0].length;
    const { length } = word;
    if (!PORT.test(word.slice(from, from + 6))) return { from, to: length, isOpen: true };
  }
  return null;
}

/** How much of what follows a word belongs to the password that begins in it. */
function rest(text: string): number {
  const [line = ''] = text.split(/[\r\n]/, 1);
  const at = line.search(/@[\w[./%-]/);
  if (at < 0) return 0;
  const [word = ''] = line.slice(at).split(/\s/, 1);
  return at + word.lastIndexOf('@');
}

/** The name of a secret, up to its value. Every part is bounded, so that the search takes linear time. */
const KEY = new RegExp(
  [
    // The cause `wrong-password` is followed by words about it.
    '(?<!wrong-)(?<key>pass(?:word|wd|phrase|code)|pwd|secret(?:[_-]?access)?(?:[_-]?key)?|token|api[_-]?key|access[_-]?key',
    '|private[_-]?key|account[_-]?key|credentials?|authorization|cookie|signature|jwt|(?<![a-z])(?:pass|pw))\\d{0,3}',
    '(?:(?<quote>\\\\?["\'`])?[ \\t]{0,4}(?:=>?|:=?|%3d)[ \\t]{0,4}',
    // SQL names a password without a sign between; a parser's "unexpected token ','" is none.
    "|(?<=(?:pass(?:word|wd|phrase|code)|pwd|secret|pw)\\d{0,3})[ \\t]{1,4}(?='))",
    "|identified[ \\t]{1,4}by[ \\t]{1,4}(?=')",
  ].join(''),
  'gi',
);

function maskKeys(text: string, found: string[] | null = null): string {
  let out = '';
  let done = 0;
  KEY.lastIndex = 0;
  for (let match = KEY.exec(text); match !== null; match = KEY.exec(text)) {
    const { from, to } = valueAt(text, KEY.lastIndex, /authorization|cookie/i.test(match.groups?.key ?? ''));
    if (to > from) {
      out += `${text.slice(done, from)}${MASK}`;
      done = to;
      found?.push(text.slice(from, to));
    }
    KEY.lastIndex = Math.max(to, KEY.lastIndex);
  }
  return maskShapes(out + text.slice(done), found);
}

/** The extent of a value that begins here: within quotes, to the end of the line, or one word. */
function valueAt(text: string, start: number, isHeader: boolean): { from: number; to: number } {
  const isEscaped = text[start] === '\\';
  const quote = text[isEscaped ? start + 1 : start] ?? '';
  if (quote === '"' || quote === "'" || quote === '`') {
    const opening = isEscaped ? `\\${quote}` : quote;
    const from = start + opening.length;
    return { from, to: closing(text, from, opening) };
  }
  const ends = isHeader ? HEADER_END : VALUE_END;
  ends.lastIndex = start;
  for (let match = ends.exec(text); match !== null; match = ends.exec(text)) {
    if (match[0] === '\\') ends.lastIndex++;
    else if (isHeader || endsValue(text, match.index)) return { from: start, to: match.index };
  }
  return { from: start, to: text.length };
}

/** The end of a value. A backslash matches too, because it escapes the next character. */
const HEADER_END = /[\r\n"'`\\]/g;
const VALUE_END = /[\s&"'`;,\\]/g;
const QUOTED_END = /[\n"'`\\]/g;

/** The quote that ends the value: one that is neither escaped nor doubled. */
function closing(text: string, from: number, quote: string): number {
  QUOTED_END.lastIndex = from;
  for (let match = QUOTED_END.exec(text); match !== null; match = QUOTED_END.exec(text)) {
    const at = match.index;
    if (match[0] === '\n') return at;
    if (text.startsWith(quote, at)) {
      const isDoubled = at > from && quote.length === 1 && text[at + 1] === quote;
      if (!isDoubled) return at;
      QUOTED_END.lastIndex = at + 2;
    } else if (match[0] === '\\') QUOTED_END.lastIndex = at + 2;
  }
  return text.length;
}

function endsValue(text: string, at: number): boolean {
  const sign = text[at] ?? '';
  if (sign === '"' || sign === "'" || sign === '`')
    return /^(?:[\s,;)\]}>:.&"'`\\]|$)/.test(text[at + 1] ?? '');
  // Elsewhere they may be part of the value.
  return sign === ';' || sign === ',' ? /^[;,] ?[\w. -]{1,30}=/.test(text.slice(at, at + 33)) : true;
}

/** Secrets that can be told by their form. */
function maskShapes(text: string, found: string[] | null = null): string {
  const keep = (all: string, head: string): string => {
    found?.push(all);
    return `${head}${MASK}`;
  };
  if (!/bearer|basic|SCRAM-|md5|PRIVATE/i.test(text)) return text;
  return text
    .replace(/\b(bearer[ \t]+)(?!(?:token|auth|scheme)\w*)[^\s'"`,;]+/gi, keep)
    .replace(/\b([Bb]asic[ \t]+)(?=[\w+/]?[a-z+/]*[A-Z0-9=])[\w+/]{6,}=*/g, keep)
    .replace(/\b(SCRAM-SHA-256\$)[^\s'"]+/g, `$1${MASK}`)
    .replace(/\bmd5[0-9a-f]{32}\b/g, `md5${MASK}`)
    .replace(/(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)[\s\S]*?(?=-----END|$)/g, `$1${MASK}`);
}
