import { formatDuration } from '../../base/units.js';
import { changeIni, fail, forEach, pass, warn } from '../outcome.js';
import { configLine, configNumber } from '../pooler-facts.js';
import type { Check } from '../types.js';

const KEYS = ['tcp_keepalive', 'tcp_keepidle', 'tcp_keepintvl', 'tcp_keepcnt'];
const LONGEST_S = 300;

export const poolerKeepalives: Check = {
  id: 'pooler-keepalives',
  title: 'PgBouncer detects dead clients and servers',
  needs: ['pgbouncer'],
  why:
    'A dead server keeps its place in the pool until a query hangs on it. A dead client keeps its place ' +
    'too. With the defaults of the system, detection takes two hours.',
  details:
    `tcp_keepalive must be 1, its default, and tcp_keepidle between 1 and ${LONGEST_S} seconds. Its default ` +
    'of 0 leaves the time to the system.',
  run: forEach('pgbouncer', (target) => {
    const [isOn, idle, interval, count] = KEYS.map((key) => configNumber(target, key)) as [
      number,
      number,
      number,
      number,
    ];
    const evidence = KEYS.map((key) => configLine(target, key));
    const fix = {
      steps: changeIni(target, { tcp_keepalive: 1, tcp_keepidle: 60, tcp_keepintvl: 10, tcp_keepcnt: 5 }),
      risk:
        'One packet per minute and quiet connection. It applies to new connections; RECONNECT replaces those ' +
        'to servers.',
    };
    if (isOn === 0) return fail('keepalives are off', evidence, fix);
    if (idle > 0 && idle <= LONGEST_S)
      return pass(
        `PgBouncer detects a dead peer after ${formatDuration((idle + interval * count) * 1000)}`,
        evidence,
      );
    const found =
      idle === 0 ? 'by the system alone, after two hours' : `after ${formatDuration(idle * 1000)} or more`;
    return warn(`PgBouncer detects a dead peer ${found}`, evidence, fix);
  }),
};
