import { cut, type Fields, isObject, MOST_ITEMS } from '../snapshot/bounds.js';
import { processReading } from '../snapshot/observed.js';
import {
  type AppReading,
  type Gap,
  hello,
  type PoolReading,
  poolReading,
  type Reading,
} from '../snapshot/reading.js';
import { readAs } from '../snapshot/schema.js';
import { SourceError } from './errors.js';

/** The greeting of an application. Anyone can write to a socket: a greeting that is not one is refused. */
export function toApp(line: string): AppReading {
  const greeting = objectIn(line);
  if (greeting.schema !== 1) throw malformed('it is no application that publishes its pools, or a newer one');
  const said = readAs(hello, greeting);
  if (said === null) throw malformed('it does not say which process it is');
  return said.app;
}

/** A pool whose figures make no sense is a gap. The others are read. */
export function toReading(line: string, app: AppReading, source: string, takenAtMs: number): Reading {
  const published = objectIn(line);
  if (!Array.isArray(published.pools)) throw malformed('it does not list any pools');
  const pools: PoolReading[] = [];
  const gaps: Gap[] = firstOf(published.gaps).flatMap((one) =>
    typeof one === 'string' ? [{ what: 'pools', why: cut(one) }] : [],
  );
  for (const [i, one] of firstOf(published.pools).entries()) {
    const pool = readAs(poolReading, one);
    if (pool === null)
      gaps.push({ what: `pool ${i + 1}`, why: 'what the application says of it is malformed' });
    else pools.push({ ...pool, app });
  }
  const about = readAs(processReading, published.process);
  const empty = { backends: [], server: null, pooler: null };
  return {
    source,
    kind: 'pool',
    takenAtMs,
    pools,
    ...empty,
    gaps,
    app,
    ...(about === null ? {} : { process: about }),
  };
}

function firstOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, MOST_ITEMS) : [];
}

function objectIn(line: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw malformed('its answer is no JSON', cause);
  }
  if (!isObject(value)) throw malformed('its answer is no object');
  return value;
}

export function malformed(why: string, cause?: unknown): SourceError {
  return new SourceError('ERR_SOURCE_ANSWER', `what was published cannot be read: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'check that it is the socket of an application that publishes its pools to poolctl',
  });
}
