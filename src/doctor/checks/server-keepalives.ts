import { formatDuration } from '../../base/units.js';
import { alterSystem, forEach, pass, skip, warn } from '../outcome.js';
import { settingMs, settingNumber, settingText } from '../postgres-settings.js';
import type { Check } from '../types.js';

const NAMES = ['tcp_keepalives_idle', 'tcp_keepalives_interval', 'tcp_keepalives_count'];
/** The system's own 7,200 s are far above; firewalls and load balancers forget connections from 350 s on. */
const LONGEST_MS = 300_000;

export const serverKeepalives: Check = {
  id: 'server-keepalives',
  title: 'PostgreSQL detects dead clients',
  needs: ['postgres'],
  why:
    'A client whose machine or network fails never closes its session. The session keeps its locks and its ' +
    "connection, for more than two hours with the system's defaults. Firewalls drop quiet connections much " +
    'earlier.',
  details:
    `tcp_keepalives_idle must be at most ${formatDuration(LONGEST_MS)}. With 0, the system's value applies, ` +
    'which the server shows only over TCP. Over a Unix socket the check is skipped.',
  run: forEach('postgres', (target) => {
    const idleMs = settingMs(target, 'tcp_keepalives_idle');
    const evidence = NAMES.map((name) => settingText(target, name));
    if (idleMs === 0 && target.host.startsWith('/'))
      return skip('the server does not report it over a Unix socket: connect through a host name');
    const [intervalMs, count] = [settingMs(target, NAMES[1] ?? ''), settingNumber(target, NAMES[2] ?? '')];
    if (idleMs > 0 && idleMs <= LONGEST_MS)
      return pass(
        `the server detects a dead client after ${formatDuration(idleMs + intervalMs * count)}`,
        evidence,
      );
    const found =
      idleMs === 0 ? 'by the system alone' : `after ${formatDuration(idleMs + intervalMs * count)}`;
    return warn(`the server detects a dead client ${found}`, evidence, {
      steps: alterSystem(target, {
        tcp_keepalives_idle: '60',
        tcp_keepalives_interval: '10',
        tcp_keepalives_count: '5',
      }),
      risk: 'One packet per minute and quiet connection. It applies to new connections.',
    });
  }),
};
