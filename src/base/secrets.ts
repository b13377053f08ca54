/**
 * Masks secrets in text that poolctl is about to show. It masks three things: values that were registered as secrets,
 * the password of anything that looks like a URL, and the values of keys and headers that hold secrets. In doubt it
 * masks too much: the password of a URL ends at the last `@` of the word, as passwords contain unescaped signs.
 * The time it takes is proportional to the length of the text.
 */
export function maskSecrets(text: string): string {
  return maskUserinfo(maskKeys(maskValues(text)), wordsWithUserinfo);
}

/** Masks one URL that somebody typed, well-formed or not: all of it is one word, even with blanks in the password. */
export function maskUrl(url: string): string {
  return maskUserinfo(maskKeys(maskBare(maskValues(url))), (text) => [{ word: text, index: 0 }]);
}

/** In a connection string a password with blanks should have been quoted, and goes on up to the next key. */
function maskBare(url: string): string {
  return url.replace(
    /((?:password|passwd|pwd)\s{0,3}=\s{0,3})(?!['"\s])[^&;]*?(?=\s\w{1,40}\s?=|[&;]|$)/gi,
    `$1${MASK}`,
  );
}

/**
 * Registers a secret value that was parsed, so that it is masked wherever it appears, also percent-encoded. Not
 * registered: values of fewer than 6 characters and common words, as masking them would garble the text, and values
 * equal to one of `visible` (the user, host or database). The structure around a secret still masks those.
 */
export function registerSecret(value: string, visible: readonly (string | null | undefined)[] = []): void {
  if (value.length < SHORTEST || COMMON.has(value.toLowerCase()) || visible.includes(value)) return;
  for (const form of new Set([
    value,
    encodeURIComponent(wellFormed(value)),
    JSON.stringify(value).slice(1, -1),
  ])) {
    // The newest stay: a program that rotates passwords does not collect them.
    registered.delete(form);
    registered.add(form);
  }
  for (const form of registered) {
    if (registered.size <= MOST_REGISTERED) break;
    registered.delete(form);
  }
  pattern = null;
}

const MASK = '***';
const SHORTEST = 6;
const MOST_REGISTERED = 96;
const COMMON = new Set(
  'postgres postgresql password passwd secret pgbouncer poolctl localhost default database server'.split(' '),
);
const registered = new Set<string>();
let pattern: RegExp | null = null;

/** Masks the registered values alone: for reports, whose structure is poolctl's own. */
export function maskValues(text: string): string {
  if (registered.size === 0) return text;
  pattern ??= patternOf(registered);
  return text.replace(pattern, MASK);
}

/** Within a longer word a value of letters and digits is a coincidence. The longest is tried first. */
function patternOf(values: Iterable<string>): RegExp {
  const parts = [...values]
    .sort((a, b) => b.length - a.length)
    .map((value) => {
      const literal = value.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
      const before = /^[A-Za-z0-9]/.test(value) ? '(?<![A-Za-z0-9])' : '';
      return `${before}${literal}${/[A-Za-z0-9]$/.test(value) ? '(?![A-Za-z0-9])' : ''}`;
    });
  return new RegExp(parts.join('|'), 'g');
}

function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd');
}

/** A password with blanks is looked for within so many characters, on the same line. */
const LOOK_AHEAD = 200;

/** Masks the passwords of words that look like `scheme://user:password@host`, or would with a typo corrected. */
function maskUserinfo(text: string, wordsOf: (text: string) => Iterable<Word>): string {
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
  }
  return out + text.slice(done);
}

interface Word {
  readonly word: string;
  readonly index: number;
}

/** The words that may hold a password: those with an `@` or `//` in them. */
function* wordsWithUserinfo(text: string): Iterable<Word> {
  const anchor = /@|\/\//g;
  const blank = /\s/g;
  for (let match = anchor.exec(text), before = 0; match !== null; match = anchor.exec(text)) {
    let index = match.index;
    while (index > before && !/\s/.test(text[index - 1] ?? '')) index--;
    blank.lastIndex = match.index;
    const end = blank.exec(text)?.index ?? text.length;
    yield { word: text.slice(index, end), index };
    before = end;
    anchor.lastIndex = end;
  }
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

/** What names a secret, up to its value. Every part is bounded, so that the search takes linear time. */
const KEY = new RegExp(
  [
    '(?<key>pass(?:word|wd|phrase|code)|pwd|secret(?:[_-]?access)?(?:[_-]?key)?|token|api[_-]?key|access[_-]?key',
    '|private[_-]?key|account[_-]?key|credentials?|authorization|cookie|signature|jwt|(?<![a-z])(?:pass|pw))\\d{0,3}',
    "(?:(?<quote>\\\\?[\"'`])?[ \\t]{0,4}(?:=>?|:=?|%3d)[ \\t]{0,4}|[ \\t]{1,4}(?='))",
    "|identified[ \\t]{1,4}by[ \\t]{1,4}(?=')",
  ].join(''),
  'gi',
);

function maskKeys(text: string): string {
  let out = '';
  let done = 0;
  KEY.lastIndex = 0;
  for (let match = KEY.exec(text); match !== null; match = KEY.exec(text)) {
    const { from, to } = valueAt(text, KEY.lastIndex, /authorization|cookie/i.test(match.groups?.key ?? ''));
    if (to > from) out += `${text.slice(done, from)}${MASK}`;
    if (to > from) done = to;
    KEY.lastIndex = Math.max(to, KEY.lastIndex);
  }
  return maskShapes(out + text.slice(done));
}

/** Where a value stands that begins here: within quotes, to the end of the line, or one word. */
function valueAt(text: string, start: number, isHeader: boolean): { from: number; to: number } {
  const [opening = ''] = /^\\?["'`]/.exec(text.slice(start, start + 2)) ?? [];
  const from = start + opening.length;
  if (opening !== '') return { from, to: closing(text, from, opening) };
  let at = from;
  while (at < text.length && !endsValue(text, at, isHeader)) at += text[at] === '\\' ? 2 : 1;
  return { from, to: Math.min(at, text.length) };
}

/** The quote that ends the value: one that is neither escaped nor doubled. */
function closing(text: string, from: number, quote: string): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\n') return at;
    if (text.startsWith(quote, at)) {
      const isDoubled = at > from && quote.length === 1 && text[at + 1] === quote;
      if (!isDoubled) return at;
      at++;
    } else if (text[at] === '\\') at++;
  }
  return text.length;
}

function endsValue(text: string, at: number, isHeader: boolean): boolean {
  const sign = text[at] ?? '';
  if (isHeader) return /[\r\n"'`]/.test(sign);
  if (/[\s&]/.test(sign)) return true;
  if (/["'`]/.test(sign)) return !/\w/.test(text[at + 1] ?? '');
  // Elsewhere they may be part of the value.
  return /[;,]/.test(sign) && /^[;,] ?[\w. -]{1,30}=/.test(text.slice(at, at + 33));
}

/** Secrets that can be told by their form. */
function maskShapes(text: string): string {
  return text
    .replace(/\b(bearer[ \t]+)(?!(?:token|auth|scheme)\w*)[^\s'"`,;]+/gi, `$1${MASK}`)
    .replace(/\b([Bb]asic[ \t]+)(?=[\w+/]?[a-z+/]*[A-Z0-9=])[\w+/]{6,}=*/g, `$1${MASK}`)
    .replace(/\b(SCRAM-SHA-256\$)[^\s'"]+/g, `$1${MASK}`)
    .replace(/\bmd5[0-9a-f]{32}\b/g, `md5${MASK}`)
    .replace(/(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)[\s\S]*?(?=-----END|$)/g, `$1${MASK}`);
}
