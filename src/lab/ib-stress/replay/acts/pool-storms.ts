import { seededRandom } from '../../../../base/random.js';
import type { IbLease } from '../../../../ib/pool.js';
import { show } from '../pool-kit.js';
import type { Act, Stage } from '../stage.js';

/** Callers in any order. */
export const poolStorms: readonly Act[] = [1, 2, 3].map((seed) => ({
  name: `a storm of callers, seed ${seed}`,
  isStorm: true,
  play: (s) => storm(s, seed),
}));

/** Callers that come, wait, give up and return, while connections fail, are lost and come back. */
async function storm(s: Stage, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const pick = (count: number): number => Math.floor(random() * count);
  const pool = s.pool({
    topology: seed === 3 ? 'shared' : 'worker',
    workers: 1 + pick(4),
    acquireTimeoutMs: 400,
    idleMs: seed === 2 ? 300 : null,
  });
  const held: IbLease[] = [];
  const said: string[] = [];
  for (let at = 0; at < 250; at++) {
    const what = pick(10);
    if (what < 4) {
      const abort = new AbortController();
      if (pick(4) === 0) s.clock.setTimer(() => abort.abort(new Error('left')), pick(300));
      const timeoutMs = pick(3) === 0 ? pick(200) : undefined;
      // poolctl-ignore-next-line leak -- a storm that fails ends with its simulated gateway
      pool.acquire({ signal: abort.signal, ...(timeoutMs !== undefined && { timeoutMs }) }).then(
        (lease) => {
          held.push(lease);
          said.push(`${at}=${lease.connection.clientId}`);
        },
        (error: { code?: string; message: string }) => said.push(`${at}!${error.code ?? error.message}`),
      );
    } else if (what < 7) held.splice(pick(held.length), 1)[0]?.release();
    else if (what < 9) {
      const link = s.lines[pick(s.lines.length)]?.links.at(-1);
      if (link?.isClosed === false) {
        if (pick(4) === 0) link.say('disconnected');
        else s.welcome({}, link);
      }
    }
    await s.pass(pick(3) === 0 ? pick(200) : 0);
    if (at % 25 === 24) {
      s.note(said.splice(0).join(' '));
      show(s, pool);
    }
  }
  for (const lease of held.splice(0)) lease.release();
  await s.pass(1000);
  s.note(said.splice(0).join(' '));
  show(s, pool);
}
