import { formatCount, formatShare } from '../../base/units.js';
import { flushStep, statusNumber, statusText } from '../mysql-settings.js';
import { codeStep, forEach, pass, warn } from '../outcome.js';
import type { Check } from '../types.js';

/** From this share of all connections on it is no accident. */
const MOST = 0.05;
const LEAST_COUNT = 10;
const NAMES = ['Aborted_clients', 'Aborted_connects', 'Connections'];

export const mysqlAbortedClients: Check = {
  id: 'mysql-aborted-clients',
  title: 'clients of MySQL say goodbye',
  needs: ['mysql'],
  why:
    'A client that goes without a word was killed, lost its network, or was asleep for longer than wait_timeout: then its ' +
    'pool hands out a connection that is dead. Connections that break off while they log in are wrong passwords, probes ' +
    'of ports, or time-outs.',
  details: `Aborted_clients and Aborted_connects, of all Connections. Passes below ${formatShare(MOST, 0)}, or below \
${LEAST_COUNT}. They count since the server was started, or since FLUSH STATUS.`,
  run: forEach('mysql', (target) => {
    const aborted = statusNumber(target, 'Aborted_clients') + statusNumber(target, 'Aborted_connects');
    const all = statusNumber(target, 'Connections');
    const evidence = NAMES.map((name) => statusText(target, name));
    const share = all === 0 ? 0 : aborted / all;
    const words = `${formatCount(aborted)} of ${formatCount(all)} connections were broken off (${formatShare(share, 1)})`;
    if (aborted < LEAST_COUNT || share < MOST) return pass(words, evidence);
    return warn(words, evidence, {
      steps: [
        codeStep(
          'end connections with end() instead of destroy() or exit, and let pools replace them before wait_timeout',
        ),
        flushStep(target),
      ],
      risk: 'FLUSH STATUS sets most counters of the server to 0, also for those who graph them: it shows whether it goes on.',
    });
  }),
};
