import { formatDuration } from '../../base/units.js';
import { alterSystem, forEach, pass, skip, warn } from '../outcome.js';
import { settingMs, settingNumber, settingText } from '../postgres-settings.js';
import type { Check } from '../types.js';

const NAMES = ['tcp_keepalives_idle', 'tcp_keepalives_interval', 'tcp_keepalives_count'];
/** The system's own 7,200 s are far above; firewalls and load balancers forget connections from 350 s on. */
const LONGEST_MS = 300_000;

export const serverKeepalives: Check = {
  id: 'server-keepalives',
  title: 'PostgreSQL notices clients that are gone without a word',
  needs: ['postgres'],
  why:
    'A client whose machine or network went away never says goodbye: its session keeps its locks and its connection, by ' +
    "the system's defaults for more than two hours. Firewalls forget quiet connections long before.",
  details: `tcp_keepalives_idle must be ${formatDuration(LONGEST_MS)} at most. Where it is 0 the server has the system's \
value, which it shows to clients over TCP; over a Unix socket it shows none, and the check is skipped.`,
  run: forEach('postgres', (target) => {
    const idleMs = settingMs(target, 'tcp_keepalives_idle');
    const evidence = NAMES.map((name) => settingText(target, name));
    if (idleMs === 0 && target.host.startsWith('/'))
      return skip('over a Unix socket the server does not tell: name it by a host');
    const [intervalMs, count] = [settingMs(target, NAMES[1] ?? ''), settingNumber(target, NAMES[2] ?? '')];
    if (idleMs > 0 && idleMs <= LONGEST_MS)
      return pass(`a dead client is noticed after ${formatDuration(idleMs + intervalMs * count)}`, evidence);
    const found =
      idleMs === 0 ? 'by the system alone' : `after ${formatDuration(idleMs + intervalMs * count)}`;
    return warn(`a dead client is noticed ${found}`, evidence, {
      steps: alterSystem(target, {
        tcp_keepalives_idle: '60',
        tcp_keepalives_interval: '10',
        tcp_keepalives_count: '5',
      }),
      risk: 'A packet a minute for each quiet connection. It holds for new connections.',
    });
  }),
};
