import { formatCount } from '../../base/units.js';
import { changeIni, fail, forEach, known, pass } from '../outcome.js';
import { configLine, configNumber, pooledDatabases } from '../pooler-facts.js';
import type { Check } from '../types.js';

/** Log, pidfile, listening sockets, DNS, libraries. */
const BESIDES = 20;

export const fileLimit: Check = {
  id: 'file-limit',
  title: 'PgBouncer may open enough files for all its connections',
  needs: ['pgbouncer'],
  why:
    'Each client and each server is an open file. At the limit, PgBouncer accepts no client and cannot ' +
    'reach the server. New clients hang, although max_client_conn is not reached.',
  details:
    'max_client_conn + (pool size + reserve) x users x databases must be below the limit (ulimit -n) of ' +
    'the process. The check reads the limit from the system if PgBouncer runs on this machine with a ' +
    'pidfile; otherwise pass --file-limit. It does not use SHOW FDS, which stops all work of PgBouncer ' +
    'while it runs.',
  run: forEach('pgbouncer', (target, { options }) => {
    const limit = options.fileLimit ?? known(target.fileLimit);
    const clients = configNumber(target, 'max_client_conn');
    const servers = pooledDatabases(target).reduce((all, { most }) => all + most, 0);
    const needed = clients + servers + BESIDES;
    const evidence = [
      configLine(target, 'max_client_conn'),
      `up to ${formatCount(servers)} servers, for the databases and users known now`,
      `limit of ${formatCount(limit)} open files`,
    ];
    const summary = `up to ${formatCount(needed)} files, limit ${formatCount(limit)}`;
    if (needed <= limit) return pass(summary, evidence);
    return fail(summary, evidence, {
      steps: changeIni(target, { max_client_conn: Math.max(1, limit - servers - BESIDES) }),
      risk:
        'PgBouncer then refuses further clients at once ("no more connections allowed") instead of letting ' +
        `them hang. To keep the current number, raise the limit instead: LimitNOFILE=${needed} in its ` +
        'systemd unit, or ulimits.nofile in compose. Then restart it.',
    });
  }),
};
