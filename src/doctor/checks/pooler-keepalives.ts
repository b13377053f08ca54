import { formatDuration } from '../../base/units.js';
import { changeIni, fail, forEach, pass, warn } from '../outcome.js';
import { configLine, configNumber } from '../pooler-facts.js';
import type { Check } from '../types.js';

const KEYS = ['tcp_keepalive', 'tcp_keepidle', 'tcp_keepintvl', 'tcp_keepcnt'];
const LONGEST_S = 300;

export const poolerKeepalives: Check = {
  id: 'pooler-keepalives',
  title: 'PgBouncer notices clients and servers that are gone without a word',
  needs: ['pgbouncer'],
  why:
    'A server that was cut off keeps its place in the pool until somebody uses it, and hangs then; a client that was cut ' +
    "off keeps its own. By the system's defaults that is noticed after two hours.",
  details: `tcp_keepalive must be 1, its default, and tcp_keepidle from 1 to ${LONGEST_S} seconds: its default of 0 leaves it to \
the system.`,
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
      risk: 'A packet a minute for each quiet connection. It holds for new connections: RECONNECT replaces those to servers.',
    };
    if (isOn === 0) return fail('keepalives are off', evidence, fix);
    if (idle > 0 && idle <= LONGEST_S)
      return pass(
        `a dead peer is noticed after ${formatDuration((idle + interval * count) * 1000)}`,
        evidence,
      );
    const found =
      idle === 0 ? 'as the system does: after two hours' : `after ${formatDuration(idle * 1000)} and more`;
    return warn(`a dead peer is noticed ${found}`, evidence, fix);
  }),
};
