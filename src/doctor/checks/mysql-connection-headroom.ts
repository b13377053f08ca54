import { formatCount, formatShare } from '../../base/units.js';
import { setGlobal, statusNumber, statusText, variableNumber, variableText } from '../mysql-settings.js';
import { type Finding, fail, forEach, pass, warn } from '../outcome.js';
import type { Check } from '../types.js';

const WARNS_AT = 0.8;
const FAILS_AT = 0.95;

export const mysqlConnectionHeadroom: Check = {
  id: 'mysql-connection-headroom',
  title: 'MySQL has free connections',
  needs: ['mysql'],
  why:
    'When all connections are in use, every new one fails with "Too many connections" (1040). Pools cannot ' +
    'grow, and restarted applications do not start.',
  details:
    `Compares Threads_connected with max_connections. Warns from ${formatShare(WARNS_AT, 0)} and fails from ` +
    `${formatShare(FAILS_AT, 0)}. The server reserves one more connection for administrators.`,
  run: forEach('mysql', (target): Finding => {
    const used = statusNumber(target, 'Threads_connected');
    const most = variableNumber(target, 'max_connections');
    const share = used / most;
    const words = `${formatCount(used)} of ${formatCount(most)} connections are in use (${formatShare(share, 0)})`;
    const evidence = [statusText(target, 'Threads_connected'), variableText(target, 'max_connections')];
    if (share < WARNS_AT) return pass(words, evidence);
    const judge = share >= FAILS_AT ? fail : warn;
    return judge(words, evidence, {
      steps: setGlobal(target, 'max_connections', Math.max(most * 2, Math.ceil(used / 0.5))),
      risk:
        'Each connection needs memory: up to the sum of sort_buffer_size, join_buffer_size and similar ' +
        'buffers. If most connections sleep, make the pools smaller instead.',
    });
  }),
};
