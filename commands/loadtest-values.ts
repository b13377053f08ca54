import { resolve } from 'node:path';
import { maskSecrets } from '../src/base/secrets.js';
import { parseCount, parseDuration, ValueError } from '../src/base/units.js';
import type { ValueType } from '../src/cli/value-types.js';
import { type FeedThreshold, isFeedMetric, parseFeedThreshold } from '../src/loadtest/feed/thresholds.js';
import { parseThreshold, type Threshold } from '../src/loadtest/thresholds.js';
import type { Value } from '../src/loadtest/workloads/expression.js';
import { BUILT_IN_FEED, parseTarget, type Target } from '../src/loadtest/workloads/registry.js';

/** Far more than one process can drive; a slip of the keyboard should not eat all memory. */
export const MOST_AT_ONCE = 100_000;
/** The longest time that a timer can wait. */
export const LONGEST_MS = 24 * 86_400_000;

export const targetType: ValueType<Target> = {
  placeholder: 'TARGET',
  parse: parseTarget,
  show: (target) =>
    target.kind === 'temporary' || target.kind === 'module'
      ? 'a temporary file'
      : maskSecrets(target.url ?? BUILT_IN_FEED),
};

/** A feed has other figures. The target decides which of the two it is. */
export type AnyThreshold =
  | { readonly kind: 'load'; readonly threshold: Threshold }
  | { readonly kind: 'feed'; readonly threshold: FeedThreshold };

export const thresholdType: ValueType<AnyThreshold> = {
  placeholder: 'EXPRESSION',
  parse: (source) =>
    isFeedMetric(source)
      ? { kind: 'feed', threshold: parseFeedThreshold(source) }
      : { kind: 'load', threshold: parseThreshold(source) },
  show: ({ threshold }) => threshold.expression,
};

/** `--header 'Accept: text/html'`. */
export const headerType: ValueType<readonly [name: string, value: string]> = {
  placeholder: "'NAME: VALUE'",
  parse(source) {
    const [, name, given] = /^([!#$%&'*+.^_`|~\w-]+):\s*(.*)$/.exec(source) ?? [];
    // Neither the whole of it nor its value is quoted: it may be a token.
    if (name === undefined || given === undefined) throw new ValueError("it is not like 'Accept: text/html'");
    if (/[\r\n\0]/.test(given)) throw new ValueError(`the value of ${name} has a line break`);
    return [name, given];
  },
  show: ([name]) => `${name}: ***`,
};

/** `script.sql@3`, as pgbench has it. */
export const scriptFileType: ValueType<{ file: string; weight: number }> = {
  placeholder: 'FILE[@WEIGHT]',
  placedIn: (source, folder) => resolve(folder, source),
  parse(source) {
    const [, file = source, weight = '1'] = /^(.+)@(\d+)$/.exec(source) ?? [];
    if (file.trim() === '') throw new ValueError('the value is empty');
    if (Number(weight) < 1) throw new ValueError(`'${source}' has the weight ${weight}; 1 is the least`);
    return { file, weight: parseCount(weight) };
  },
  show: ({ file, weight }) => (weight === 1 ? file : `${file}@${weight}`),
};

export const definitionType: ValueType<readonly [name: string, value: Value]> = {
  placeholder: 'NAME=VALUE',
  parse(source) {
    const [, name, given] = /^([a-z_]\w*)=(.*)$/is.exec(source) ?? [];
    if (name === undefined || given === undefined) throw new ValueError(`'${source}' is not NAME=VALUE`);
    return [name, /^-?\d+(\.\d+)?$/.test(given) ? Number(given) : given];
  },
  show: ([name, given]) => `${name}=${given}`,
};

/** Sizes to be tried, by the name of the option that they stand for. */
export interface Sweep {
  readonly poolSize: readonly number[];
  readonly maxOverflow: readonly number[];
}

const SWEPT = { 'pool-size': 'poolSize', 'max-overflow': 'maxOverflow' } as const;

function sizeIn(part: string, size: string, least: number): number {
  try {
    return parseCount(size, { least, most: MOST_AT_ONCE });
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new ValueError(`'${part}' cannot be tried: ${error.message}`);
  }
}

export const sweepType: ValueType<Sweep> = {
  placeholder: 'pool-size=N,N,...',
  parse(source) {
    const found = { poolSize: [] as number[], maxOverflow: [] as number[] };
    for (const part of source.trim().split(/\s+/)) {
      const [, name = '', values = ''] = /^(pool-size|max-overflow)=(.+)$/.exec(part) ?? [];
      const key = SWEPT[name as keyof typeof SWEPT];
      if (key === undefined)
        throw new ValueError(`'${part}' is not like pool-size=2,4,8 or max-overflow=0,10`);
      const least = key === 'poolSize' ? 1 : -1;
      for (const one of values.split(',')) found[key].push(sizeIn(part, one, least));
    }
    return found;
  },
  show: ({ poolSize, maxOverflow }) =>
    [
      ...(poolSize.length > 0 ? [`pool-size=${poolSize}`] : []),
      ...(maxOverflow.length > 0 ? [`max-overflow=${maxOverflow}`] : []),
    ].join(' '),
};

export type Warmup = { readonly iterations: number } | { readonly durationMs: number };

export const warmupType: ValueType<Warmup> = {
  placeholder: 'DURATION|N',
  parse(source) {
    if (/^none$/i.test(source.trim())) return { iterations: 0 };
    if (/^[\d_]+[kM]?$/.test(source.trim())) return { iterations: parseCount(source) };
    return { durationMs: parseDuration(source, { mostMs: LONGEST_MS }) };
  },
  show: (given) => ('iterations' in given ? `${given.iterations} iterations` : `${given.durationMs / 1000}s`),
};
