import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatCount,
  formatDuration,
  formatMs,
  formatRate,
  formatShare,
  formatSize,
  parseBoolean,
  parseCount,
  parseDuration,
  parseDurationOrNever,
  parseNumber,
  parseRate,
  parseShare,
  parseSize,
  ValueError,
} from '../../src/base/units.js';

describe('a duration', () => {
  it.each([
    ['250ms', 250],
    ['5s', 5000],
    ['1.5s', 1500],
    ['1m', 60_000],
    ['2min', 120_000],
    ['1m30s', 90_000],
    ['1h 5m', 3_900_000],
    ['1d', 86_400_000],
    ['500us', 0.5],
    ['5 s', 5000],
    [' 5s ', 5000],
    ['0', 0],
    ['0s', 0],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    ['5', /has no unit; write 5ms or 5s/],
    ['', /'' is not a duration/],
    ['abc', /not a duration/],
    ['5x', /unknown unit 'x'/],
    ['5S', /unknown unit 'S'/],
    ['-5s', /negative/],
    ['-5', /negative/],
    ['5s1m', /from long to short/],
    ['1s1s', /from long to short/],
    ['1.2.3s', /not a duration/],
    ['s', /not a duration/],
    ['Infinity', /not a duration/],
    ['NaN', /not a duration/],
    ['0x10ms', /unknown unit 'x'/],
    ['5s;', /not a duration/],
  ])("refuses '%s'", (text, message) => {
    expect(() => parseDuration(text)).toThrow(ValueError);
    expect(() => parseDuration(text)).toThrow(message);
  });

  it('has a bare number in seconds only where that was agreed', () => {
    expect(parseDuration('2.0', { bareUnit: 's' })).toBe(2000);
    expect(() => parseDuration('-1', { bareUnit: 's' })).toThrow(/negative/);
  });

  it('is held to its limits', () => {
    expect(() => parseDuration('9ms', { leastMs: 10 })).toThrow("'9ms' is too short; 10ms is the least");
    expect(() => parseDuration('2h', { mostMs: 3_600_000 })).toThrow("'2h' is too long; 1h is the most");
  });

  it.each(['never', 'none', 'off', '-1', 'Never'])('may be no limit at all: %s', (text) => {
    expect(parseDurationOrNever(text)).toBeNull();
  });

  it.each([
    [0, '0ms'],
    [0.25, '250us'],
    [250, '250ms'],
    [12.345, '12.345ms'],
    [1500, '1.5s'],
    [30_000, '30s'],
    [90_000, '1m30s'],
    [1_800_000, '30m'],
    [3_600_000, '1h'],
    [90_061_500, '1d1h1m1.5s'],
    [null, 'never'],
  ])('of %s ms is written %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e13 }), (us) => {
        expect(parseDuration(formatDuration(us / 1000))).toBeCloseTo(us / 1000, 2);
      }),
    );
  });
});

describe('a measured time', () => {
  it.each([
    [null, '-'],
    [0, '0 ms'],
    [0.0123, '12.3 us'],
    [0.85, '850 us'],
    [0.9999, '1.00 ms'],
    [1.234, '1.23 ms'],
    [12.34, '12.3 ms'],
    [123.4, '123 ms'],
    [999.6, '1.00 s'],
    [12_345, '12.3 s'],
    [-5, '-5.00 ms'],
  ])('of %s ms reads %s', (ms, text) => {
    expect(formatMs(ms)).toBe(text);
  });
});

describe('a count', () => {
  it.each([
    ['1000', 1000],
    ['1_000', 1000],
    ['10k', 10_000],
    ['1.5k', 1500],
    ['2M', 2_000_000],
    ['0', 0],
    ['+5', 5],
  ])('%s is %d', (text, value) => {
    expect(parseCount(text)).toBe(value);
  });

  it.each([
    '',
    'ten',
    '1.5',
    '1e3',
    '5K',
    '0x10',
    '1,000',
    'NaN',
    'Infinity',
    '99999999999999999999',
    '1__0',
  ])("refuses '%s'", (text) => {
    expect(() => parseCount(text)).toThrow(`'${text}' is not a whole number`);
  });

  it('is held to its limits', () => {
    expect(() => parseCount('-1')).toThrow("'-1' is too low; 0 is the least");
    expect(() => parseCount('0', { least: 1 })).toThrow("'0' is too low; 1 is the least");
    expect(() => parseCount('5k', { most: 1000 })).toThrow("'5k' is too high; 1,000 is the most");
    expect(parseCount('-1', { least: -1 })).toBe(-1);
  });

  it('is written with commas on every machine', () => {
    expect(formatCount(1_234_567)).toBe('1,234,567');
    expect(formatCount(1234.5678, 2)).toBe('1,234.57');
    expect(formatCount(null)).toBe('-');
  });
});

describe('a number', () => {
  it('may have a fraction', () => {
    expect(parseNumber('0.5')).toBe(0.5);
    expect(parseNumber('.5')).toBe(0.5);
    expect(parseNumber('-2e3')).toBe(-2000);
  });

  it.each(['', '1.2.3', 'x', 'NaN', 'Infinity', '0b1'])("refuses '%s'", (text) => {
    expect(() => parseNumber(text)).toThrow('is not a number');
  });
});

describe('a rate', () => {
  it.each([
    ['50/s', 50],
    ['3000/m', 50],
    ['5/100ms', 50],
    ['1_000/s', 1000],
    ['0.5/s', 0.5],
    ['50 / s', 50],
  ])('%s is %d per second', (text, perSecond) => {
    expect(parseRate(text)).toBe(perSecond);
  });

  it.each(['50', '50/', '/s', '50/x', '50/0s', 'x/s', '-5/s'])("refuses '%s'", (text) => {
    expect(() => parseRate(text)).toThrow(ValueError);
  });

  it.each([
    [0, '0/s'],
    [0.123, '0.12/s'],
    [12.34, '12.3/s'],
    [1234.5, '1,235/s'],
    [null, '-'],
  ])('of %s reads %s', (perSecond, text) => {
    expect(formatRate(perSecond)).toBe(text);
  });
});

describe('a size', () => {
  it.each([
    ['512', 512],
    ['64kB', 64_000],
    ['3MB', 3_000_000],
    ['1GiB', 2 ** 30],
    ['1.5 MiB', 1_572_864],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(['', 'MB', '3XB', '-1MB'])("refuses '%s'", (text) => {
    expect(() => parseSize(text)).toThrow('is not a size');
  });

  it('is written in powers of 1000', () => {
    expect(formatSize(999)).toBe('999 B');
    expect(formatSize(3_400_000)).toBe('3.40 MB');
    expect(formatSize(null)).toBe('-');
  });
});

describe('a share', () => {
  it('is a percentage or a fraction of 1', () => {
    expect(parseShare('5%')).toBe(0.05);
    expect(parseShare('12.5 %')).toBe(0.125);
    expect(parseShare('0.05')).toBe(0.05);
  });

  it('is from 0 to 1', () => {
    expect(() => parseShare('5')).toThrow("'5' has no unit; write 5%");
    expect(() => parseShare('-1%')).toThrow('too low');
    expect(() => parseShare('%')).toThrow('is not a share');
  });

  it.each([
    [1, '100 %'],
    [0, '0 %'],
    [0.995, '99.5 %'],
    [0.99999, '99.9 %'],
    [0.00001, '<0.1 %'],
    [null, '-'],
  ])('of %s reads %s: all and none are said only where they are true', (share, text) => {
    expect(formatShare(share)).toBe(text);
  });
});

describe('a switch', () => {
  it.each(['true', 'yes', 'on', '1', 'TRUE'])('%s is true', (text) => {
    expect(parseBoolean(text)).toBe(true);
  });

  it.each(['false', 'no', 'off', '0'])('%s is false', (text) => {
    expect(parseBoolean(text)).toBe(false);
  });

  it('is nothing else', () => {
    expect(() => parseBoolean('2')).toThrow("'2' is neither true nor false");
  });
});
