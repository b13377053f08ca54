import { formatDuration } from '../../base/units.js';
import { NEW_SESSIONS, setGlobal, variableNumber, variableText } from '../mysql-settings.js';
import { envStep, type Finding, fail, forEach, pass, warn } from '../outcome.js';
import type { Check } from '../types.js';

/** A pool that is quiet for the length of a break should still have its connections. */
const LEAST_S = 300;
const USUAL_S = 28_800;

export const mysqlWaitTimeout: Check = {
  id: 'mysql-wait-timeout',
  title: 'MySQL keeps idle connections longer than pools do',
  needs: ['mysql'],
  uses: ['settings'],
  why:
    'wait_timeout ends idle connections silently. A pool that keeps them longer lends dead ones: "MySQL ' +
    'server has gone away", PROTOCOL_CONNECTION_LOST, ECONNRESET.',
  details:
    `Without settings of the application, wait_timeout must be at least ${LEAST_S} s. With --pool-recycle it ` +
    'must be longer than that, unless the pool tests connections before use (--pre-ping). ' +
    'interactive_timeout applies only to the mysql client.',
  run: forEach('mysql', (target, { targets }): Finding => {
    const seconds = variableNumber(target, 'wait_timeout');
    const evidence = [variableText(target, 'wait_timeout')];
    const words = `the server ends idle connections after ${formatDuration(seconds * 1000)}`;
    const { poolRecycleMs = null, prePing = null } = targets.settings ?? {};
    const steps = setGlobal(target, 'wait_timeout', USUAL_S);
    if (poolRecycleMs !== null && prePing !== true && poolRecycleMs >= seconds * 1000) {
      const kept = Number.isFinite(poolRecycleMs) ? formatDuration(poolRecycleMs) : 'forever';
      const isUsual = seconds >= USUAL_S;
      return fail(`${words}; the pool keeps them ${kept}`, evidence, {
        steps: isUsual ? [envStep(`DB_POOL_RECYCLE=${Math.floor(seconds / 2)}`)] : steps,
        risk: isUsual ? 'The pool replaces connections more often.' : NEW_SESSIONS,
      });
    }
    if (seconds >= LEAST_S || prePing === true) return pass(words, evidence);
    return warn(words, evidence, {
      steps,
      risk: `${NEW_SESSIONS} Forgotten connections stay open longer.`,
    });
  }),
};
