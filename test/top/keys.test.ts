import { describe, expect, it } from 'vitest';
import { BINDINGS, decodeKeys } from '../../src/top/keys.js';
import { helpLines } from '../../src/top/views/details.js';

describe('keys', () => {
  it.each([
    ['letters', 'ab', ['a', 'b']],
    ['arrows, in both modes', '\x1b[A\x1bOB\x1b[C\x1b[D', ['up', 'down', 'right', 'left']],
    ['a lone Esc', '\x1b', ['escape']],
    ['Esc and then a letter', '\x1bq', ['escape', 'q']],
    ['pages and ends', '\x1b[5~\x1b[6~\x1b[H\x1b[4~', ['pageup', 'pagedown', 'home', 'end']],
    ['Enter, Tab, Backspace', '\r\t\x7f\x1b[Z', ['enter', 'tab', 'backspace', 'shift-tab']],
    ['Ctrl-C', '\x03', ['ctrl-c']],
    ['more than ASCII', 'é漢', ['é', '漢']],
    ['a sequence that is not known, which is no text', '\x1b[38;5;1mx', ['x']],
    ['control characters that mean nothing', '\x00\x01', []],
  ])('are read from %s', (_, text, keys) => {
    expect(decodeKeys(text)).toEqual({ keys, rest: '' });
  });

  it('are read from a sequence that comes in two parts', () => {
    const first = decodeKeys('x\x1b[');
    expect(first).toEqual({ keys: ['x'], rest: '\x1b[' });
    expect(decodeKeys(`${first.rest}A`)).toEqual({ keys: ['up'], rest: '' });
  });

  it('are bound once each', () => {
    const all = BINDINGS.flatMap(({ keys }) => keys);
    expect(new Set(all).size).toBe(all.length);
  });

  it('are all in the help; those that act only where they may', () => {
    const text = (allowActions: boolean) =>
      helpLines({ allowActions })
        .map((line) => line.map((span) => span.text).join(''))
        .join('\n');
    for (const { words, acts } of BINDINGS) {
      expect(text(true)).toContain(words);
      expect(text(false).includes(words)).toBe(acts !== true);
    }
  });
});
