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
  title: 'clients of MySQL close their connections properly',
  needs: ['mysql'],
  why:
    'A client that vanishes was killed, lost its network, or slept longer than wait_timeout. In the last ' +
    'case its pool lends a dead connection. Connections that break during login are wrong passwords, port ' +
    'scans or timeouts.',
  details:
    'Compares Aborted_clients and Aborted_connects with all Connections. Passes below ' +
    `${formatShare(MOST, 0)}, or below ${LEAST_COUNT}. The counters start with the server, or with FLUSH ` +
    'STATUS.',
  run: forEach('mysql', (target) => {
    const aborted = statusNumber(target, 'Aborted_clients') + statusNumber(target, 'Aborted_connects');
    const all = statusNumber(target, 'Connections');
    const evidence = NAMES.map((name) => statusText(target, name));
    const share = all === 0 ? 0 : aborted / all;
    const words = `${formatCount(aborted)} of ${formatCount(all)} connections were aborted (${formatShare(share, 1)})`;
    if (aborted < LEAST_COUNT || share < MOST) return pass(words, evidence);
    return warn(words, evidence, {
      steps: [
        codeStep(
          'close connections with end() instead of destroy() or exit, and let pools replace them before ' +
            'wait_timeout',
        ),
        flushStep(target),
      ],
      risk:
        'FLUSH STATUS resets most counters of the server, also for dashboards. It shows whether the problem ' +
        'goes on.',
    });
  }),
};
