import { MOST_ITEMS, MOST_TEXT } from './errors.js';

/** What came over a socket, field by field: each is of the type that is asked for, or null. */
export type Fields = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, MOST_ITEMS) : [];
}

export function text(value: unknown): string | null {
  return typeof value === 'string' ? cut(value) : null;
}

export function cut(value: string): string {
  return value.length > MOST_TEXT ? value.slice(0, MOST_TEXT) : value;
}

export function figure(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** A whole number from 0. */
export function count(value: unknown): number | null {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : null;
}
