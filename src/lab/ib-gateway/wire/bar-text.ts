import { JoinedFields } from './frames.js';
import type { Bar } from './model.js';

/**
 * The fields of bars, joined. Histories are what the gateway sends most of, so these are written digit by digit: to put
 * together some twenty pieces of text for each bar leaves more behind for the collector than all else.
 *
 * @param old the layout before version 124, with a field of its own for gaps
 */
export function joinedBars(bars: readonly Bar[], { old }: { readonly old: boolean }): JoinedFields {
  let text = '';
  let at = 0;
  for (const { time, open, high, low, close, volume, average, count } of bars) {
    if (at > PAGE_BYTES - BAR_BYTES) {
      text += page.toString('latin1', 0, at);
      at = 0;
    }
    at = writeText(at, time);
    at = writePrice(at, open);
    at = writePrice(at, high);
    at = writePrice(at, low);
    at = writePrice(at, close);
    at = writeWhole(at, volume);
    at = writePrice(at, average);
    if (old) at = writeText(at, 'false');
    at = writeWhole(at, count);
  }
  // Each field ends with a NUL, except for the last one, whose NUL the sender adds.
  return new JoinedFields(text + page.toString('latin1', 0, Math.max(0, at - 1)));
}

const NUL = 0;
const POINT = 46;
const ZERO = 48;
const PAGE_BYTES = 64 * 1024;
/** More than a bar takes. */
const BAR_BYTES = 512;
/** Numbers of 32 bits are written fast, others are rare. */
const MOST_FAST = 2 ** 31;
/** All write on this, and take from it before anybody else can. */
const page = Buffer.allocUnsafe(PAGE_BYTES);
const digits = new Uint8Array(16);

/** Writes a field of ASCII; gives where the next one begins. */
function writeText(at: number, text: string): number {
  for (let index = 0; index < text.length; index++) page[at + index] = text.charCodeAt(index);
  page[at + text.length] = NUL;
  return at + text.length + 1;
}

function writeWhole(at: number, value: number): number {
  if (!(value >= 0 && value < MOST_FAST)) return writeText(at, String(value));
  const end = writeDigits(at, value);
  page[end] = NUL;
  return end + 1;
}

/** As String writes it, without zeros at its end. Prices in whole cents are written fast. */
function writePrice(at: number, value: number): number {
  const cents = Math.round(value * 100);
  if (!(cents >= 0 && cents < MOST_FAST && cents / 100 === value)) return writeText(at, String(value));
  const whole = (cents / 100) | 0;
  const rest = cents - whole * 100;
  let end = writeDigits(at, whole);
  if (rest > 0) {
    const tenths = (rest / 10) | 0;
    page[end++] = POINT;
    page[end++] = ZERO + tenths;
    if (rest > tenths * 10) page[end++] = ZERO + rest - tenths * 10;
  }
  page[end] = NUL;
  return end + 1;
}

/** Writes the digits of a whole number of 31 bits; gives the place after them. */
function writeDigits(at: number, value: number): number {
  let count = 0;
  let left = value | 0;
  do {
    const next = (left / 10) | 0;
    digits[count++] = ZERO + left - next * 10;
    left = next;
  } while (left > 0);
  let end = at;
  while (count > 0) page[end++] = digits[--count] as number;
  return end;
}
