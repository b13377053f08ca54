import type { PoolReading } from '../../snapshot/reading.js';
import { codeStep, type Finding, fail, pass, warn } from '../outcome.js';
import { forEachPool, setOption } from '../pools.js';
import type { Check, FixStep } from '../types.js';

export const poolConnects: Check = {
  id: 'pool-connects',
  title: 'pools can open connections',
  needs: ['pool'],
  why: 'A pool cannot lend what it cannot open. Its users see timeouts, and nothing tells them the reason.',
  details:
    'Fails if the last connect failed and the pool has no connection left. Warns if connections are left, ' +
    'and callers wait or the failure is less than a minute old. An older failure passes, because no other ' +
    'connect was needed since.',
  run: forEachPool(judge),
};

/** A failure of the last minute counts although nobody waits. */
const RECENT_MS = 60_000;

function judge(pool: PoolReading): Finding | null {
  const { createError, live, waiting, observed } = pool;
  if (createError === null) return pass(`${live} open`);
  const agoMs = observed?.createErrorMs ?? null;
  const isOld = (live ?? 0) > 0 && (waiting ?? 0) === 0 && (agoMs === null || agoMs > RECENT_MS);
  // It is remembered until a connect succeeds, and no other was needed since.
  if (isOld) return pass(`${live} open; a connect failed before, and none was needed since`);
  const fix = {
    steps: [stepFor(createError, pool)],
    risk: 'None for the pool, which retries by itself.',
  };
  const evidence = [createError];
  return live === 0
    ? fail('the pool cannot open a connection', evidence, fix)
    : warn(`the last connect failed; ${live} are open`, evidence, fix);
}

function stepFor(error: string, pool: PoolReading): FixStep {
  if (/too many (?:clients|connections)|connection slots|max_client_conn|EMFILE/i.test(error)) {
    const half = Math.max(1, Math.floor((pool.size ?? 2) / 2));
    return setOption(pool, 'size', half) ?? codeStep(`open fewer connections to '${pool.name}'`);
  }
  if (/ECONNREFUSED|ENOENT|shutting down|starting up/i.test(error))
    return codeStep(`start the server of '${pool.name}': nothing listens at the address of the pool`);
  if (/password|authentication|28P01|28000/i.test(error))
    return codeStep(`correct the password of '${pool.name}': the server refuses it`);
  if (/ENOTFOUND|EAI_AGAIN/i.test(error))
    return codeStep(`correct the host name of '${pool.name}', or the name server: the name does not resolve`);
  if (/time-?d? ?out|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/i.test(error))
    return codeStep(`allow network traffic to the server of '${pool.name}': it does not answer`);
  return codeStep(
    `make '${pool.name}' able to connect: run poolctl doctor with the server's address for details`,
  );
}
