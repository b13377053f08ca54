import { maskSecrets } from '../base/secrets.js';
import type { PoolReading, Reading } from '../snapshot/reading.js';
import type { Backend } from '../snapshot/server.js';
import type { StatsSource } from './types.js';

/**
 * The same source, whose readings show no secret: applications publish the SQL that they run, and servers quote it. All
 * that is made of readings (screens, reports, metrics, recordings) is free of secrets then.
 */
export function masking(source: StatsSource): StatsSource {
  return {
    label: source.label,
    kind: source.kind,
    read: async (signal) => maskReading(await source.read(signal)),
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

function maskReading(reading: Reading): Reading {
  return {
    ...reading,
    pools: reading.pools.map(maskPool),
    backends: reading.backends.map(maskBackend),
    gaps: reading.gaps.map(({ what, why }) => ({ what: maskSecrets(what), why: maskSecrets(why) })),
  };
}

function maskPool(pool: PoolReading): PoolReading {
  return {
    ...pool,
    name: maskSecrets(pool.name),
    app: pool.app === null ? null : { ...pool.app, name: maskSecrets(pool.app.name) },
    createError: maskOrNull(pool.createError),
    holders: pool.holders.map((holder) => ({ ...holder, lastSql: maskOrNull(holder.lastSql) })),
  };
}

function maskBackend(backend: Backend): Backend {
  return { ...backend, application: maskOrNull(backend.application), query: maskOrNull(backend.query) };
}

function maskOrNull(text: string | null): string | null {
  return text === null ? null : maskSecrets(text);
}
