import { formatCount } from '../../base/units.js';
import { changeIni, fail, forEach, known, pass } from '../outcome.js';
import { configLine, configNumber, pooledDatabases } from '../pooler-facts.js';
import type { Check } from '../types.js';

/** Log, pidfile, listening sockets, DNS, libraries. */
const BESIDES = 20;

export const fileLimit: Check = {
  id: 'file-limit',
  title: 'PgBouncer may open as many files as it may have connections',
  needs: ['pgbouncer'],
  why:
    'Each client and each server is an open file. When there are no more, PgBouncer accepts nobody, and cannot reach the ' +
    'server either: new clients hang, with room left in max_client_conn.',
  details:
    'max_client_conn + (pool size + reserve) x users x databases must be below the limit (ulimit -n) of the process. ' +
    'That is read from the system where PgBouncer is on this machine and has a pidfile, else it is --file-limit. SHOW ' +
    'FDS would tell how many are open, but stops all work for as long.',
  run: forEach('pgbouncer', (target, { options }) => {
    const limit = options.fileLimit ?? known(target.fileLimit);
    const clients = configNumber(target, 'max_client_conn');
    const servers = pooledDatabases(target).reduce((all, { most }) => all + most, 0);
    const needed = clients + servers + BESIDES;
    const evidence = [
      configLine(target, 'max_client_conn'),
      `${formatCount(servers)} servers at most, by the databases and users that it knows now`,
      `${formatCount(limit)} open files at most`,
    ];
    const summary = `up to ${formatCount(needed)} files, of ${formatCount(limit)} that it may open`;
    if (needed <= limit) return pass(summary, evidence);
    return fail(summary, evidence, {
      steps: changeIni(target, { max_client_conn: Math.max(1, limit - servers - BESIDES) }),
      risk:
        'Further clients are refused at once ("no more connections allowed") instead of hanging. To have as many as now, ' +
        `raise the limit instead: LimitNOFILE=${needed} in its systemd unit, ulimits.nofile in compose; and restart it.`,
    });
  }),
};
