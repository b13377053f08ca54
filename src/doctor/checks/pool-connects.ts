import type { PoolReading } from '../../snapshot/reading.js';
import { codeStep, type Finding, fail, pass, warn } from '../outcome.js';
import { forEachPool, setOption } from '../pools.js';
import type { Check, FixStep } from '../types.js';

export const poolConnects: Check = {
  id: 'pool-connects',
  title: 'pools can open connections',
  needs: ['pool'],
  why: 'What a pool cannot open it cannot lend: its users see time-outs, and the reason is told to nobody.',
  details:
    'Fails where the last connect failed and the pool has no connection left. Warns where it has some, and somebody waits ' +
    'or the failure is of the last minute. An older one passes: no other connect was needed since.',
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
    risk: 'None for the pool, which tries again by itself.',
  };
  const evidence = [createError];
  return live === 0
    ? fail('it cannot open any connection', evidence, fix)
    : warn(`the last connect failed; ${live} are open`, evidence, fix);
}

function stepFor(error: string, pool: PoolReading): FixStep {
  if (/too many (?:clients|connections)|connection slots|max_client_conn|EMFILE/i.test(error)) {
    const half = Math.max(1, Math.floor((pool.size ?? 2) / 2));
    return setOption(pool, 'size', half) ?? codeStep(`open fewer connections to '${pool.name}'`);
  }
  if (/ECONNREFUSED|ENOENT|shutting down|starting up/i.test(error))
    return codeStep(`start the server of '${pool.name}': nothing listens where the pool connects`);
  if (/password|authentication|28P01|28000/i.test(error))
    return codeStep(`give '${pool.name}' the password that the server has for its user`);
  if (/ENOTFOUND|EAI_AGAIN/i.test(error))
    return codeStep(`correct the host name of '${pool.name}', or the name server: the name is not found`);
  if (/time-?d? ?out|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/i.test(error))
    return codeStep(`let the network through to the server of '${pool.name}': no answer came`);
  return codeStep(
    `see to it that '${pool.name}' can connect: poolctl doctor with the server's address says more`,
  );
}
