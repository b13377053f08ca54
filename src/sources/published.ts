import type { HistogramSnapshot } from '../base/histogram.js';
import { newCounters } from '../pool/counters.js';
import type { PoolCounters, PoolSetup, WatchedHolder, WatchedSnapshot } from '../pool/stats.js';
import type { App } from '../watch/protocol.js';
import { SourceError } from './errors.js';
import { count, cut, type Fields, figure, isObject, listOf, text } from './fields.js';
import { partsOf } from './published-parts.js';
import type { Gap, PoolReading, Reading } from './types.js';

/**
 * What an application says of itself, as far as it has the form that the protocol lays down. Anybody can speak on a
 * socket: nothing is taken over but known fields of the known type, and text and lists only up to a bound.
 */
export function toApp(line: string): App {
  const hello = objectIn(line);
  if (hello.schema !== 1) throw malformed('it is no application that publishes its pools, or a newer one');
  const app = isObject(hello.app) ? hello.app : {};
  const pid = count(app.pid);
  if (pid === null || typeof app.name !== 'string') throw malformed('it does not say which process it is');
  return {
    name: cut(app.name),
    pid,
    host: text(app.host) ?? '',
    node: text(app.node) ?? '',
    startedAtMs: figure(app.startedAtMs) ?? 0,
  };
}

/** A pool whose figures make no sense is a gap; the others are read. */
export function toReading(line: string, app: App, source: string, takenAtMs: number): Reading {
  const published = objectIn(line);
  if (!Array.isArray(published.pools)) throw malformed('it does not list any pools');
  const pools: PoolReading[] = [];
  const gaps: Gap[] = listOf(published.gaps).flatMap((one) =>
    typeof one === 'string' ? [{ what: 'pools', why: cut(one) }] : [],
  );
  for (const [i, one] of listOf(published.pools).entries()) {
    const pool = toSnapshot(one);
    if (pool === null)
      gaps.push({ what: `pool ${i + 1}`, why: 'what the application says of it is malformed' });
    else pools.push({ ...pool, ...partsOf(one), app });
  }
  return { source, kind: 'pool', takenAtMs, pools, backends: [], server: null, pooler: null, gaps };
}

function toSnapshot(value: unknown): WatchedSnapshot | null {
  if (!isObject(value) || value.schema !== 1) return null;
  const [name, driver] = [text(value.name), text(value.driver)];
  const [takenAtMs, live, idle, inUse, waiting] = [
    ...[figure(value.takenAtMs), count(value.live), count(value.idle)],
    ...[count(value.inUse), count(value.waiting)],
  ];
  if (name === null || driver === null || takenAtMs == null) return null;
  if (live == null || idle == null || inUse == null || waiting == null) return null;
  const counters = isObject(value.counters) ? value.counters : {};
  return {
    schema: 1,
    ...{ name, driver, takenAtMs, live, idle, inUse, waiting },
    size: count(value.size),
    maxOverflow: count(value.maxOverflow),
    overflow: count(value.overflow),
    creating: count(value.creating),
    peakWaiting: count(value.peakWaiting),
    peakInUse: count(value.peakInUse),
    longestWaitMs: figure(value.longestWaitMs),
    longestHoldMs: figure(value.longestHoldMs),
    createError: text(value.createError),
    wait: toHistogram(value.wait),
    hold: toHistogram(value.hold),
    closed: value.closed === true,
    counters: mapCounters((key) => count(counters[key])),
    holders: listOf(value.holders).flatMap((one) => toHolder(one) ?? []),
    ...(isObject(value.setup) ? { setup: toSetup(value.setup) } : {}),
  };
}

function toSetup(value: Fields): PoolSetup {
  const limit = (given: unknown): number | 'never' | null => (given === 'never' ? 'never' : figure(given));
  return {
    acquireTimeoutMs: limit(value.acquireTimeoutMs),
    recycleMs: limit(value.recycleMs),
    maxIdleMs: limit(value.maxIdleMs),
    prePing: typeof value.prePing === 'boolean' ? value.prePing : null,
    statementTimeoutMs: limit(value.statementTimeoutMs),
    leakAfterMs: limit(value.leakAfterMs),
  };
}

function toHolder(value: unknown): WatchedHolder | null {
  if (!isObject(value)) return null;
  const leaseId = figure(value.leaseId);
  if (leaseId === null) return null;
  const port = count(value.localPort);
  return {
    leaseId,
    ageMs: figure(value.ageMs),
    site: text(value.site),
    stack: text(value.stack),
    leaked: value.leaked === true,
    lastSql: text(value.lastSql),
    busy: typeof value.busy === 'boolean' ? value.busy : null,
    localPort: port === null || port === 0 || port > 65_535 ? null : port,
    // What a pooler makes up may be negative.
    backendPid: Number.isSafeInteger(value.backendPid) ? (value.backendPid as number) : null,
  };
}

function toHistogram(value: unknown): HistogramSnapshot | null {
  if (!isObject(value)) return null;
  const [samples, sumUs] = [count(value.count), figure(value.sumUs)];
  if (samples === null || sumUs === null) return null;
  const buckets = listOf(value.buckets).flatMap((one): [number, number][] => {
    const [upToUs, inBucket] = Array.isArray(one) ? [figure(one[0]), count(one[1])] : [null, null];
    return upToUs === null || inBucket === null ? [] : [[upToUs, inBucket]];
  });
  return {
    ...{ count: samples, sumUs, buckets },
    minUs: figure(value.minUs),
    maxUs: figure(value.maxUs),
    meanUs: figure(value.meanUs),
  };
}

/** All counters of a pool, each by its name. */
export function mapCounters<T>(make: (key: keyof PoolCounters) => T): Record<keyof PoolCounters, T> {
  return Object.fromEntries(COUNTERS.map((key) => [key, make(key)])) as Record<keyof PoolCounters, T>;
}

const COUNTERS = Object.keys(newCounters()) as readonly (keyof PoolCounters)[];

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
