import { formatDuration } from '../../base/units.js';
import { forEach, knownOrNull, pass, sqlStep, warn } from '../outcome.js';
import { configMs } from '../pooler-facts.js';
import { settingMs, settingText } from '../postgres-settings.js';
import { sqlName } from '../sql-text.js';
import type { Check } from '../types.js';

const NAMES = ['statement_timeout', 'transaction_timeout'];

export const statementTimeout: Check = {
  id: 'statement-timeout',
  title: 'a limit exists for the run time of queries',
  needs: ['postgres'],
  uses: ['pgbouncer', 'settings'],
  why:
    'A runaway query holds its connection, and its retries take the others. The server goes on even if the ' +
    'client gave up.',
  details:
    'Passes with statement_timeout or transaction_timeout (PostgreSQL 17 and later) on the server, this ' +
    'database or a role. Also passes with query_timeout of PgBouncer, or with a statement_timeout in the ' +
    "application's settings. PgBouncer does not pass the latter to the server. PostgreSQL advises against " +
    'a limit for the whole server, since it would affect dumps.',
  run: forEach('postgres', (target, { targets }) => {
    const names = NAMES.filter((name) => target.settings.has(name));
    const set = names.filter((name) => settingMs(target, name) > 0);
    const evidence = names.map((name) => settingText(target, name));
    if (set.length > 0)
      return pass(
        set.map((name) => `${name} is ${formatDuration(settingMs(target, name))}`).join(', '),
        evidence,
      );
    const overrides = (knownOrNull(target.overrides) ?? []).filter(
      ({ name, value, database }) =>
        NAMES.includes(name) && value !== '0' && (database === null || database === target.database),
    );
    const override = overrides[0];
    if (override !== undefined) {
      const whose = override.role === null ? `database ${override.database}` : `role ${override.role}`;
      return pass(`${override.name} is ${override.value} for ${whose}`, evidence);
    }
    const pooler = targets.pgbouncer.find(
      (one) => knownOrNull(one.config) !== null && configMs(one, 'query_timeout') > 0,
    );
    if (pooler !== undefined)
      return pass(
        `query_timeout of PgBouncer is ${formatDuration(configMs(pooler, 'query_timeout'))}`,
        evidence,
      );
    const { statementTimeoutMs = null, usePgbouncer = null } = targets.settings ?? {};
    if (statementTimeoutMs !== null && usePgbouncer !== true && targets.pgbouncer.length === 0)
      return pass(`the application asks for ${formatDuration(statementTimeoutMs)}`, evidence);
    return warn('a query may run forever', evidence, {
      steps: [sqlStep(target, `ALTER DATABASE ${sqlName(target.database)} SET statement_timeout = '60s'`)],
      risk:
        'The limit applies to new connections to this database, including dumps and migrations, which need ' +
        'SET statement_timeout = 0. Choose a time that no regular query reaches.',
    });
  }),
};
