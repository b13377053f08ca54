import { CodedError } from './coded-error.js';

/**
 * Values as people write and read them: durations (`250ms`, `1m30s`), rates (`50/s`), sizes (`3MB`), counts
 * (`10k`), shares (`5%`). Inside, durations are milliseconds, rates are per second, sizes are bytes.
 * `parse...` throws a ValueError that says what was expected; `format...` never throws.
 */

/** A value that cannot be read. The message is a whole clause, as in "'abc' is not a duration; write ...". */
export class ValueError extends CodedError<'ERR_VALUE'> {
  constructor(message: string) {
    // The shell and the readers of files catch it and name the place. Anywhere else it was not foreseen.
    super('ERR_VALUE', message, { kind: 'defect' });
    this.name = 'ValueError';
  }
}

export interface DurationRules {
  /** The unit of a number without one. Default: refused, so that nobody takes seconds for milliseconds. */
  readonly bareUnit?: 'ms' | 's';
  /** Shortest allowed, in milliseconds. Default 0. */
  readonly leastMs?: number;
  readonly mostMs?: number;
}

const MS_PER: Readonly<Record<string, number>> = {
  us: 0.001,
  µs: 0.001,
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Reads `250ms`, `1.5s`, `5m`, `1m30s`, `2h`, `1d`; gives milliseconds. */
export function parseDuration(text: string, rules: DurationRules = {}): number {
  const { bareUnit, leastMs = 0, mostMs = Number.MAX_SAFE_INTEGER } = rules;
  const source = text.trim();
  const bare = numberOf(source);
  if (bare !== null) {
    if (bare === 0 || bareUnit !== undefined) {
      return withinDuration(source, bare * (MS_PER[bareUnit ?? 'ms'] ?? 1), leastMs, mostMs);
    }
    throw new ValueError(
      bare < 0
        ? `${quote(text)} is negative; a duration is 0 or more`
        : `${quote(text)} has no unit; write ${source}ms or ${source}s`,
    );
  }
  const parts = /^(?:\d+(?:\.\d+)?\s*[a-zµ]+\s*)+$/i.test(source)
    ? source.matchAll(/([\d.]+)\s*([a-zµ]+)/gi)
    : null;
  if (parts === null) {
    if (/^-[\d.]+\s*[a-z]+$/i.test(source)) {
      throw new ValueError(`${quote(text)} is negative; a duration is 0 or more`);
    }
    throw new ValueError(`${quote(text)} is not a duration; write something like 250ms, 5s or 1m30s`);
  }
  let sum = 0;
  let previous = Number.POSITIVE_INFINITY;
  for (const [, amount = '', unit = ''] of parts) {
    const factor = MS_PER[unit];
    if (factor === undefined) {
      throw new ValueError(`${quote(text)} has the unknown unit '${unit}'; known are us, ms, s, m, h and d`);
    }
    if (factor >= previous) {
      throw new ValueError(`${quote(text)} is not a duration: its parts go from long to short, as in 1m30s`);
    }
    previous = factor;
    sum += Number(amount) * factor;
  }
  return withinDuration(source, sum, leastMs, mostMs);
}

/** As parseDuration, and `never`, `none` or -1 (as SQLAlchemy has it) give null: no limit. */
export function parseDurationOrNever(text: string, rules: DurationRules = {}): number | null {
  return /^(never|none|off|-1)$/i.test(text.trim()) ? null : parseDuration(text, rules);
}

/** The shortest text that parseDuration reads back as the same value, to the microsecond. null is `never`. */
export function formatDuration(ms: number | null): string {
  if (ms === null) return 'never';
  if (!Number.isFinite(ms)) return String(ms);
  if (ms < 0) return `-${formatDuration(-ms)}`;
  const us = Math.round(ms * 1000);
  if (us === 0) return '0ms';
  if (us < 1000) return `${us}us`;
  if (us < 1_000_000) return `${us / 1000}ms`;
  const units = [
    ['d', 86_400_000_000],
    ['h', 3_600_000_000],
    ['m', 60_000_000],
  ] as const;
  let rest = us;
  let text = '';
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return rest === 0 ? text : `${text}${rest / 1_000_000}s`;
}

/** A measured time to read, in three significant digits: `850 us`, `12.3 ms`, `1.50 s`. null (not measured) is `-`. */
export function formatMs(ms: number | null): string {
  if (ms === null || Number.isNaN(ms)) return '-';
  if (ms < 0) return `-${formatMs(-ms)}`;
  if (ms === 0) return '0 ms';
  if (ms < 0.9995) return `${threeDigits(ms * 1000)} us`;
  if (ms < 999.5) return `${threeDigits(ms)} ms`;
  return `${threeDigits(ms / 1000)} s`;
}

export interface NumberRules {
  readonly least?: number;
  readonly most?: number;
}

/** Reads a whole number: `1000`, `1_000`, `10k`, `2M`. */
export function parseCount(text: string, rules: NumberRules = {}): number {
  const { least = 0, most = Number.MAX_SAFE_INTEGER } = rules;
  const [, digits, suffix = ''] = /^([+-]?\d+(?:_\d+)*(?:\.\d+)?)\s*([kM]?)$/.exec(text.trim()) ?? [];
  const value =
    digits === undefined
      ? Number.NaN
      : Number(digits.replaceAll('_', '')) * (suffix === 'k' ? 1000 : suffix === 'M' ? 1_000_000 : 1);
  if (!Number.isSafeInteger(value)) throw new ValueError(`${quote(text)} is not a whole number`);
  return within(text, value, least, most);
}

/** Reads a number, with a fraction or without. */
export function parseNumber(text: string, rules: NumberRules = {}): number {
  const value = numberOf(text.trim());
  if (value === null) throw new ValueError(`${quote(text)} is not a number`);
  return within(text, value, rules.least ?? Number.NEGATIVE_INFINITY, rules.most ?? Number.POSITIVE_INFINITY);
}

/** Reads `50/s`, `3000/m`, `5/100ms`; gives a rate per second. */
export function parseRate(text: string, rules: NumberRules = {}): number {
  const [, amount, per] = /^([^/]+)\/\s*(.+)$/.exec(text.trim()) ?? [];
  const count = amount === undefined ? null : numberOf(amount.trim().replaceAll('_', ''));
  if (count === null || per === undefined) {
    throw new ValueError(`${quote(text)} is not a rate; write something like 50/s or 3000/m`);
  }
  const periodMs = periodOf(text, per);
  if (periodMs === 0) throw new ValueError(`${quote(text)} is not a rate: its period is 0`);
  const perSecond = (count * 1000) / periodMs;
  if (perSecond < 0) throw new ValueError(`${quote(text)} is negative; a rate is 0 or more`);
  return within(text, perSecond, rules.least ?? 0, rules.most ?? Number.POSITIVE_INFINITY, '/s');
}

function periodOf(rate: string, per: string): number {
  try {
    return parseDuration(/^\d/.test(per) ? per : `1${per}`);
  } catch {
    throw new ValueError(
      `${quote(rate)} is not a rate: ${quote(per)} is not a unit of time; write something like 50/s`,
    );
  }
}

const BYTES_PER: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1e3,
  kb: 1e3,
  kib: 2 ** 10,
  m: 1e6,
  mb: 1e6,
  mib: 2 ** 20,
  g: 1e9,
  gb: 1e9,
  gib: 2 ** 30,
};

/** Reads `512`, `64kB`, `3MB`, `1GiB`; gives bytes. */
export function parseSize(text: string, rules: NumberRules = {}): number {
  const [, amount = '', unit = ''] = /^([\d.]+)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const factor = BYTES_PER[unit.toLowerCase()];
  const count = numberOf(amount);
  if (count === null || factor === undefined) {
    throw new ValueError(`${quote(text)} is not a size; write something like 64kB, 3MB or 1GiB`);
  }
  return within(
    text,
    Math.round(count * factor),
    rules.least ?? 0,
    rules.most ?? Number.MAX_SAFE_INTEGER,
    ' bytes',
  );
}

/** Reads `5%`, `0.05` or `12.5 %`; gives a share of 1. */
export function parseShare(text: string, rules: NumberRules = {}): number {
  const [, percent] = /^(.*?)\s*%$/.exec(text.trim()) ?? [];
  const value = numberOf((percent ?? text).trim());
  if (value === null) throw new ValueError(`${quote(text)} is not a share; write something like 5% or 0.05`);
  if (percent === undefined && value > 1)
    throw new ValueError(`${quote(text)} has no unit; write ${text.trim()}%`);
  // Compared, and told, in the unit that was typed.
  const unit = percent === undefined ? 1 : 100;
  const suffix = percent === undefined ? '' : '%';
  const limit = (share: number) => Number((share * unit).toPrecision(12));
  return within(text, value, limit(rules.least ?? 0), limit(rules.most ?? 1), suffix) / unit;
}

/** Reads true/false, yes/no, on/off, 1/0. */
export function parseBoolean(text: string): boolean {
  switch (text.trim().toLowerCase()) {
    case 'true':
    case 'yes':
    case 'on':
    case '1':
      return true;
    case 'false':
    case 'no':
    case 'off':
    case '0':
      return false;
    default:
      throw new ValueError(`${quote(text)} is neither true nor false`);
  }
}

/** `1,234,567`, the same on every machine whatever its locale; with a fraction where `digits` asks for one. */
export function formatCount(value: number | null, digits = 0): string {
  if (value === null || Number.isNaN(value)) return '-';
  return grouped(value.toFixed(digits));
}

/** `1,234/s`; below 100 with as many decimals as make three digits. */
export function formatRate(perSecond: number | null): string {
  if (perSecond === null || Number.isNaN(perSecond)) return '-';
  const size = Math.abs(perSecond);
  const digits = perSecond === 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  return `${formatCount(perSecond, digits)}/s`;
}

/**
 * A share of 1 as percent: `99.5 %`. Never rounded up to 100 or down to 0 where it is not quite that,
 * since "100 % succeeded" has to mean all.
 */
export function formatShare(share: number | null, digits = 1): string {
  if (share === null || Number.isNaN(share)) return '-';
  const percent = share * 100;
  const step = 10 ** -digits;
  if (percent > 0 && percent < step / 2) return `<${formatCount(step, digits)} %`;
  const shown = percent < 100 && percent > 100 - step ? 100 - step : percent;
  const exact = percent === 100 || percent === 0;
  return `${formatCount(shown, exact ? 0 : digits)} %`;
}

/** `3.4 MB`, in powers of 1000. */
export function formatSize(bytes: number | null): string {
  if (bytes === null || Number.isNaN(bytes)) return '-';
  for (const [unit, size] of [
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const) {
    if (Math.abs(bytes) >= size * 0.9995) return `${threeDigits(bytes / size)} ${unit}`;
  }
  return `${Math.round(bytes)} B`;
}

/** Three significant digits, never in exponent form. */
function threeDigits(value: number): string {
  const size = Math.abs(value);
  return formatCount(value, size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
}

/** A plain decimal number, or null. Unlike Number(), nothing but digits: no '', no hex, no Infinity. */
function numberOf(text: string): number | null {
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) return null;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

function within(text: string, value: number, least: number, most: number, unit = ''): number {
  if (value < least)
    throw new ValueError(`${quote(text)} is too low; ${formatLimit(least)}${unit} is the least`);
  if (value > most)
    throw new ValueError(`${quote(text)} is too high; ${formatLimit(most)}${unit} is the most`);
  return value;
}

function withinDuration(text: string, ms: number, leastMs: number, mostMs: number): number {
  if (ms < 0) throw new ValueError(`${quote(text)} is negative; a duration is 0 or more`);
  if (ms < leastMs)
    throw new ValueError(`${quote(text)} is too short; ${formatDuration(leastMs)} is the least`);
  if (ms > mostMs) throw new ValueError(`${quote(text)} is too long; ${formatDuration(mostMs)} is the most`);
  return ms;
}

function formatLimit(value: number): string {
  return grouped(String(value));
}

/** By hand: to load the tables of all locales takes Node longer than the rest of an error message. */
function grouped(number: string): string {
  const [whole = '', fraction] = number.split('.');
  const withCommas = whole.replace(/\B(?=(?:\d{3})+$)/g, ',');
  return fraction === undefined ? withCommas : `${withCommas}.${fraction}`;
}

function quote(text: string): string {
  return `'${text}'`;
}
