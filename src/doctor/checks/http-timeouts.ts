import { formatCount, formatDuration, formatShare } from '../../base/units.js';
import type { HttpReading } from '../../snapshot/http.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { type Finding, fail, pass, skip, warn } from '../outcome.js';
import { forEachPool, setOption } from '../pools.js';
import type { Check, FixStep } from '../types.js';

const FAILS_FROM = 0.01;
const READ_MS = 60_000;
const CONNECT_MS = 10_000;

export const httpTimeouts: Check = {
  id: 'http-timeouts',
  title: 'HTTP requests do not time out',
  needs: ['pool'],
  why: 'The server often still works on a request that timed out, and a retry does the same work again.',
  details:
    'Counts timeouts of connecting, reading, writing and whole requests since the application started. ' +
    `Timeouts of waiting for a connection belong to pool-timeouts. Fails from ${formatShare(FAILS_FROM, 0)} ` +
    'of all attempts, and warns below that. Language models may take up to a minute, so the repair allows ' +
    `${formatDuration(READ_MS)} between two parts of an answer.`,
  run: forEachPool(
    (pool) => (pool.http === undefined ? null : judge(pool, pool.http)),
    'no application has an HTTP pool',
  ),
};

const PHASES = ['connect', 'read', 'write', 'total'] as const;

function judge(pool: PoolReading, { timeouts, sent }: HttpReading): Finding {
  if (PHASES.every((phase) => timeouts[phase] === null))
    return skip('its version of poolctl does not report timeouts');
  const counts = PHASES.map((phase) => [phase, timeouts[phase] ?? 0] as const).filter(
    ([, count]) => count > 0,
  );
  const all = counts.reduce((sum, [, count]) => sum + count, 0);
  const attempts = Math.max(sent, all);
  if (all === 0) return pass(`none of ${formatCount(sent)} attempts timed out`);
  const share = all / attempts;
  const summary = `${formatCount(all)} of ${formatCount(attempts)} attempts timed out (${formatShare(share)})`;
  const evidence = [counts.map(([phase, count]) => `${phase} ${count}`).join(', ')];
  const fix = { steps: stepsFor(pool, timeouts), risk: RISK };
  return share < FAILS_FROM ? warn(summary, evidence, fix) : fail(summary, evidence, fix);
}

const RISK =
  'The pool detects a hung server later, and its requests hold connections longer. Limit the whole request ' +
  '(timeouts.totalMs), and run the check pool-room.';

function stepsFor(pool: PoolReading, timeouts: HttpReading['timeouts']): readonly FixStep[] {
  return [
    (timeouts.connect ?? 0) > 0 ? setOption(pool, 'connectTimeoutMs', CONNECT_MS) : null,
    (timeouts.read ?? 0) > 0 || (timeouts.total ?? 0) > 0 ? setOption(pool, 'readTimeoutMs', READ_MS) : null,
  ].filter((step) => step !== null);
}
