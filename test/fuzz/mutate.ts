import type { Random } from '../../src/base/random.js';

/** Values at which parsers go wrong: limits of numbers, names with a meaning, and bytes that end things. */
const TOKENS = [
  ...[
    '',
    '0',
    '-1',
    '1e309',
    '-0',
    '65536',
    '4294967296',
    '9007199254740993',
    '1e-400',
    'NaN',
    'Infinity',
    '0x10',
  ],
  ...['null', 'true', '[]', '{}', '""', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length'],
  ...[
    '\0',
    '\n',
    '\r\n',
    '\t',
    ' ',
    '\\',
    '"',
    "'",
    '`',
    '\u2028',
    '\ufeff',
    '\ud800',
    '\udfff',
    '😀',
    '\u001b[2J',
  ],
  ...[
    '%',
    '%00',
    '%zz',
    '%E0%A4%A',
    '://',
    '//',
    '@',
    ':',
    '?',
    '#',
    '&',
    ';',
    ',',
    '=',
    '{',
    '}',
    '[',
    ']',
    '(',
    ')',
  ],
  ...['[::1]', '127.0.0.1', '../..', '/etc/passwd', '{{', '<!--', '*/', '/*', '#{', '1d', '5s', '%s'],
];

/** Changes a text at random, and keeps most of its structure: a parser is to get beyond its first line. */
export function mutated(seed: string, corpus: readonly string[], random: Random): string {
  let text = seed;
  const rounds = 1 + Math.floor(random() * random() * 8);
  for (let n = 0; n < rounds; n++) text = once(text, corpus, random);
  return text.slice(0, 20_000);
}

function once(text: string, corpus: readonly string[], random: Random): string {
  const at = Math.floor(random() * (text.length + 1));
  const end = Math.min(text.length, at + 1 + Math.floor(random() * random() * 40));
  const token = pick(TOKENS, random);
  switch (Math.floor(random() * 10)) {
    case 0:
      return text.slice(0, at) + token + text.slice(at);
    case 1:
      return text.slice(0, at) + token + text.slice(end);
    case 2:
      return text.slice(0, at) + text.slice(end);
    case 3:
      return text.slice(0, end) + text.slice(at);
    case 4: {
      const other = pick(corpus, random);
      return text.slice(0, at) + other.slice(Math.floor(random() * other.length));
    }
    case 5:
      return text.slice(0, at) + String.fromCharCode(Math.floor(random() * 0x250)) + text.slice(at + 1);
    case 6:
      return text.slice(0, at) + text.slice(at, end).repeat(1 + Math.floor(random() * 30)) + text.slice(end);
    case 7:
      // A number becomes another one.
      return text.replace(/-?\d+(?:\.\d+)?/g, (one) => (random() < 0.3 ? token : one));
    case 8: {
      // A value of JSON becomes one of another kind.
      const values = [...text.matchAll(/(?<=[:,[]\s{0,4})(?:"[^"]{0,200}"|-?[\d.]+|true|false|null)/g)];
      const one = values[Math.floor(random() * values.length)];
      if (one === undefined) return text;
      const value = pick(
        ['null', '{}', '[]', '[null]', '-1', '"x"', 'true', '1e400', '[[[]]]', '{"a":{}}'],
        random,
      );
      return text.slice(0, one.index) + value + text.slice(one.index + one[0].length);
    }
    default: {
      const lines = text.split('\n');
      const from = Math.floor(random() * lines.length);
      const [line = ''] = lines.splice(from, 1);
      lines.splice(Math.floor(random() * (lines.length + 1)), 0, line, ...(random() < 0.5 ? [line] : []));
      return lines.join('\n');
    }
  }
}

export function pick<T>(all: readonly T[], random: Random): T {
  return all[Math.floor(random() * all.length)] as T;
}
