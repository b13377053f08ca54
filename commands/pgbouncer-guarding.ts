import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { UnavailableError } from '../src/cli/errors.js';
import type { GuardOrder, GuardReady } from '../src/pgbouncer/guard-order.js';
import type { Guard } from '../src/pgbouncer/pause.js';

/** Beside the build of the commands. */
const SCRIPT = fileURLToPath(new URL('../bin/pgbouncer-guard.js', import.meta.url));

/**
 * Starts the process that resumes the pooler should this one go away without a word. It is in a session of its own,
 * where neither Ctrl-C nor the end of the terminal reaches it.
 */
export async function startGuard(order: GuardOrder): Promise<Guard> {
  const child = fork(SCRIPT, [], { detached: true, execArgv: [], stdio: 'ignore' });
  let released = false;
  const ended = once(child, 'exit').then(() => null);
  child.on('error', () => {});
  child.send(order);
  const ready = await Promise.race([once(child, 'message').then(([said]) => said as GuardReady), ended]);
  if (ready === null || ready.problem !== null) {
    if (child.connected) child.disconnect();
    throw new UnavailableError(
      `nothing was sent: the process that would resume the pooler if this one were killed ${
        ready === null ? 'does not start' : `cannot reach the console: ${ready.problem}`
      }`,
      { code: 'ERR_PGBOUNCER_GUARD' },
    );
  }
  return {
    lost: ended.then(() => (released ? new Promise<void>(() => {}) : undefined)),
    async release() {
      released = true;
      if (child.connected) child.send('release', () => {});
      await ended;
    },
    leaveToIt() {
      released = true;
      if (child.connected) child.disconnect();
      child.unref();
    },
  };
}
