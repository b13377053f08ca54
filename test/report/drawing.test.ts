import { describe, expect, it } from 'vitest';
import { drawBar, drawLength, drawSparkline } from '../../src/report/bar.js';
import { palette } from '../../src/report/color.js';
import { type Column, tableLines } from '../../src/report/table.js';
import { padEnd, padStart, printable, truncate, widthOf, wrap } from '../../src/report/text.js';

const unicode = { unicode: true };
const ascii = { unicode: false };

describe('text', () => {
  it('is as wide as it is drawn', () => {
    expect(widthOf('abc')).toBe(3);
    expect(widthOf('\u001b[31mabc\u001b[0m')).toBe(3);
    expect(widthOf('日本')).toBe(4);
    expect(widthOf('e\u0301')).toBe(1);
    expect(widthOf('🙂')).toBe(2);
    expect(padEnd('日', 4)).toBe('日  ');
    expect(padStart('日', 4)).toBe('  日');
  });

  it('is cut with an ellipsis', () => {
    expect(truncate('abcdef', 6, unicode)).toBe('abcdef');
    expect(truncate('abcdef', 4, unicode)).toBe('abc…');
    expect(truncate('abcdef', 4, ascii)).toBe('a...');
    expect(truncate('日本語', 4, unicode)).toBe('日…');
    expect(truncate('abcdef', 2, ascii)).toBe('..');
    expect(truncate('abcdef', 0, unicode)).toBe('');
  });

  it('from outside is harmless', () => {
    expect(printable('select\n  1\t;')).toBe('select 1 ;');
    expect(printable('\u001b[2J\u001b]0;title\u0007x')).toBe('x');
    expect(printable('a\u0007b\u202ec')).toBe('a\\x07b\\u{202e}c');
  });

  it('is wrapped at spaces', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrap('incomprehensible to me', 5)).toEqual(['incomprehensible', 'to me']);
    expect(wrap('  ', 5)).toEqual([]);
    // A figure and its unit stay together.
    expect(wrap('bad above 1 s, from 12 % on', 11)).toEqual(['bad above', '1 s, from', '12 % on']);
  });
});

describe('a gauge', () => {
  it.each([
    [0, '░░░░', '[....]'],
    [0.5, '██░░', '[##..]'],
    [1, '████', '[####]'],
    [7, '████', '[####]'],
    [Number.NaN, '░░░░', '[....]'],
  ])('of %d', (share, drawn, inAscii) => {
    expect(drawBar(share, 4, unicode)).toBe(drawn);
    expect(drawBar(share, 6, ascii)).toBe(inAscii);
  });
});

describe('the bar of a chart', () => {
  it.each([
    [0, '', ''],
    [0.0001, '▏', '#'],
    [0.5, '█████', '#####'],
    [0.55, '█████▌', '######'],
    [1, '██████████', '##########'],
  ])('of %d', (share, drawn, inAscii) => {
    expect(drawLength(share, 10, unicode)).toBe(drawn);
    expect(drawLength(share, 10, ascii)).toBe(inAscii);
  });
});

describe('a sparkline', () => {
  it('goes from 0 to the largest, with a gap where nothing was measured', () => {
    expect(drawSparkline([0, 1, null, 4, 8], unicode)).toBe('▁▂ ▅█');
    expect(drawSparkline([0, 0], unicode)).toBe('▁▁');
    expect(drawSparkline([0, 4, 8], ascii)).toBe('_+#');
    expect(drawSparkline([], unicode)).toBe('');
  });
});

describe('a table', () => {
  it('has figures to the right, words to the left, and nothing behind the last cell', () => {
    const rows = [
      { name: 'a', count: 5 },
      { name: 'long name', count: 1000 },
    ];
    const columns: Column<(typeof rows)[number]>[] = [
      { title: 'count', align: 'right', cell: (row) => String(row.count) },
      { title: 'name', cell: (row) => row.name },
    ];
    expect(tableLines(rows, columns)).toEqual(['count  name', '    5  a', ' 1000  long name']);
    expect(tableLines([], columns, { indent: '  ', title: (text) => `*${text}*` })).toEqual([
      '  *count  name*',
    ]);
  });

  it('has no title line where no column has a title', () => {
    expect(tableLines([1], [{ title: '', cell: String }])).toEqual(['1']);
  });
});

describe('a palette', () => {
  it('colours only where colour is wanted', () => {
    expect(palette({ color: false }).bad('x')).toBe('x');
    expect(palette({ color: true }).bad('x')).toBe('\u001b[31mx\u001b[39m');
  });
});
