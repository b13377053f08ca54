import { formatCount, formatShare } from '../../base/units.js';
import { changeIni, fail, forEach, known, pass, warn } from '../outcome.js';
import { configLine, configNumber, figureOf } from '../pooler-facts.js';
import type { Check } from '../types.js';

const WARNS_AT = 0.8;
const FAILS_AT = 0.95;

export const clientLimit: Check = {
  id: 'client-limit',
  title: 'PgBouncer has room for all expected clients',
  needs: ['pgbouncer'],
  uses: ['settings'],
  why:
    'Above max_client_conn, PgBouncer refuses new clients ("no more connections allowed"), even if servers ' +
    'are idle. Application pools keep their connections, so the clients that come last get none.',
  details:
    `Compares the current clients with max_client_conn. Warns from ${formatShare(WARNS_AT, 0)} and fails ` +
    `from ${formatShare(FAILS_AT, 0)}. If the application's settings are known, (pool size + overflow) x ` +
    'instances must fit too.',
  run: forEach('pgbouncer', (target, { targets, options }) => {
    const most = configNumber(target, 'max_client_conn');
    const used = figureOf(known(target.lists).find(({ list }) => list === 'used_clients')?.items);
    const { poolSize = null, maxOverflow = null, usePgbouncer = null } = targets.settings ?? {};
    const instances = options.instances ?? 1;
    const wanted =
      poolSize === null || usePgbouncer === false || maxOverflow === -1
        ? 0
        : (poolSize + (maxOverflow ?? 0)) * instances;
    const evidence = [
      configLine(target, 'max_client_conn'),
      `${formatCount(used)} clients now`,
      ...(wanted === 0
        ? []
        : [
            `application: (${poolSize} + ${maxOverflow ?? 0}) x ${instances} = ${formatCount(wanted)} clients`,
          ]),
    ];
    const share = used / most;
    const summary = `${formatCount(used)} of ${formatCount(most)} clients (${formatShare(share, 0)})`;
    const fix = {
      steps: changeIni(target, { max_client_conn: Math.ceil(Math.max(used * 2, wanted * 1.25, 100)) }),
      risk: 'Each client is an open file. Run the check file-limit afterwards.',
    };
    if (wanted > most)
      return fail(
        `the application alone may open ${formatCount(wanted)} clients; the limit is ${formatCount(most)}`,
        evidence,
        fix,
      );
    if (share >= FAILS_AT) return fail(summary, evidence, fix);
    return share >= WARNS_AT ? warn(summary, evidence, fix) : pass(summary, evidence);
  }),
};
