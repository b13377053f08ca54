import { describe, expect, it } from 'vitest';
import { BINDINGS, splitInput } from '../../src/top/keys.js';
import { helpLines } from '../../src/top/views/details.js';

describe('keys', () => {
  it.each([
    ['Esc and then a letter', '\x1bq', ['\x1b[27u', 'q']],
    ['Esc twice and a letter', '\x1b\x1bq', ['\x1b[27u', '\x1b[27u', 'q']],
    ['arrows between letters', 'a\x1b[Ab', ['a', '\x1b[A', 'b']],
    ['Backspace', '\x7f', ['\b']],
    ['more than ASCII', 'é漢', ['é', '漢']],
    ['an unknown sequence', '\x1b[38;5;1mx', ['x']],
    ['the answer to a cursor request', '\x1b[1;5Rx', ['x']],
  ])('are split one by one: %s', (_, text, inputs) => {
    expect(splitInput(text)).toEqual({ inputs, rest: '' });
  });

  it('are read from a sequence that comes in two parts', () => {
    const first = splitInput('x\x1b[');
    expect(first).toEqual({ inputs: ['x'], rest: '\x1b[' });
    expect(splitInput(`${first.rest}A`)).toEqual({ inputs: ['\x1b[A'], rest: '' });
  });

  it('leave a last Esc undecided: a read may end within a sequence', () => {
    expect(splitInput('x\x1b')).toEqual({ inputs: ['x'], rest: '\x1b' });
  });

  it('never wait for the end of a sequence that has none', () => {
    expect(splitInput(`\x1b[${'1;'.repeat(40)}`).rest).toBe('');
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
