import { resolve } from 'node:path';
import {
  type DurationRules,
  formatDuration,
  type NumberRules,
  parseCount,
  parseDuration,
  parseDurationOrNever,
  parseNumber,
  parseRate,
  parseShare,
  parseSize,
  ValueError,
} from '../base/units.js';
import { didYouMean } from './suggest.js';

/** How one kind of value is written by people: on the command line, in the environment and in the config file. */
export interface ValueType<T> {
  /** Stands for the value in the help: `N`, `DURATION`. */
  readonly placeholder: string;
  /** All that it takes, where that is a few words. */
  readonly words?: readonly string[];
  /** The text with a relative path in it made to start from this folder; absent where it holds no path. */
  placedIn?(text: string, folder: string): string;
  /** JSON Schema of the objects that it takes in a config file. */
  readonly objectSchema?: Readonly<Record<string, unknown>>;
  /** Throws a ValueError that says what was expected. */
  parse(text: string): T;
  /** The value as it would be written. */
  show(value: T): string;
}

/** Any text but an empty one. */
export function text(placeholder = 'TEXT'): ValueType<string> {
  return {
    placeholder,
    parse(source) {
      if (source.trim() === '') throw new ValueError('the value is empty');
      return source;
    },
    show: (value) => value,
  };
}

/** The path of a file or folder. `-`, which stands for a stream, is left as it is. */
export function path(placeholder: 'FILE' | 'FOLDER' | 'PATH'): ValueType<string> {
  return {
    ...text(placeholder),
    placedIn: (source, folder) => (source === '-' ? source : resolve(folder, source)),
  };
}

/** A whole number: `50`, `10k`. */
export function count(rules: NumberRules = {}): ValueType<number> {
  return { placeholder: 'N', parse: (source) => parseCount(source, rules), show: String };
}

/** A number with a fraction. */
export function number(rules: NumberRules = {}): ValueType<number> {
  return { placeholder: 'X', parse: (source) => parseNumber(source, rules), show: String };
}

/** `250ms`, `5s`, `1m30s`, in milliseconds inside. */
export function duration(rules: DurationRules = {}): ValueType<number> {
  return { placeholder: 'DURATION', parse: (source) => parseDuration(source, rules), show: formatDuration };
}

/** As duration; `never` and -1 are null. */
export function durationOrNever(rules: DurationRules = {}): ValueType<number | null> {
  return {
    placeholder: 'DURATION',
    parse: (source) => parseDurationOrNever(source, rules),
    show: formatDuration,
  };
}

/** `50/s`, per second inside. */
export function rate(rules: NumberRules = {}): ValueType<number> {
  return {
    placeholder: 'RATE',
    parse: (source) => parseRate(source, rules),
    show: (value) => `${decimal(value)}/s`,
  };
}

/** `5%`, a share of 1 inside. */
export function share(rules: NumberRules = {}): ValueType<number> {
  return {
    placeholder: 'PERCENT',
    parse: (source) => parseShare(source, rules),
    show: (value) => `${decimal(value * 100)}%`,
  };
}

/** `3MB`, in bytes inside. */
export function size(rules: NumberRules = {}): ValueType<number> {
  return {
    placeholder: 'SIZE',
    parse: (source) => parseSize(source, rules),
    show: (value) => `${value}B`,
  };
}

/** One of a few words. Where they are many, a placeholder leaves the help room; the summary should name them then. */
export function choice<const Word extends string>(
  words: readonly Word[],
  placeholder: string = words.join('|'),
): ValueType<Word> {
  return {
    placeholder,
    words,
    parse(source) {
      const wanted = source.trim();
      const found = words.find((word) => word === wanted);
      if (found !== undefined) return found;
      const meant = didYouMean(wanted, words);
      throw new ValueError(
        `'${source}' is not one of ${words.join(', ')}${meant === null ? '' : `; ${meant}`}`,
      );
    },
    show: (value) => value,
  };
}

/** Without the digits that only come from calculating with fractions. */
function decimal(value: number): string {
  return String(Number(value.toPrecision(12)));
}

/** The number of a process. */
export const processId: ValueType<number> = {
  placeholder: 'PID',
  parse(source) {
    if (!/^[1-9]\d{0,9}$/.test(source.trim())) throw new ValueError(`'${source}' is not a process id`);
    return Number(source);
  },
  show: String,
};
