import { changeIni, envStep, type Finding, fail, forEach, knownOrNull, pass, warn } from '../outcome.js';
import { compareVersions, configLine, pooledDatabases } from '../pooler-facts.js';
import type { AppSettings, Check, FixStep, PgBouncerTarget } from '../types.js';

const SINCE = '1.21.0';
const KEY = 'max_prepared_statements';

export const preparedStatements: Check = {
  id: 'prepared-statements',
  title: 'named statements work through PgBouncer, or the application uses none',
  needs: ['pgbouncer'],
  uses: ['settings'],
  why:
    'In transaction mode, the next query may use another server. That server does not know the statement ' +
    '("prepared statement does not exist"), or has a different one of that name ("already exists"). The ' +
    'error appears only under load.',
  details:
    `Passes in session mode, or with ${KEY} above 0 (1.21 and later; 200 by default from 1.24). Also passes ` +
    "with DB_PREPARE_THRESHOLD=0 in the application's settings. Before 1.21, the application must not use " +
    'named statements. PREPARE in SQL never works in transaction mode.',
  run: forEach('pgbouncer', (target, { targets }) => preparedFinding(target, targets.settings)),
};

/** By version and settings alone, so that versions that are not at hand can be judged too. */
export function preparedFinding(
  target: Pick<PgBouncerTarget, 'version' | 'config' | 'label' | 'user' | 'databases' | 'pools' | 'users'>,
  settings: Pick<AppSettings, 'prepareThreshold' | 'usePgbouncer'> | null,
): Finding {
  const databases = pooledDatabases(target as PgBouncerTarget);
  const config = knownOrNull(target.config);
  const modes = new Set([config?.get('pool_mode') ?? '', ...databases.map(({ mode }) => mode)]);
  const evidence = [
    `PgBouncer ${target.version}`,
    `pool modes: ${[...modes].filter((mode) => mode !== '').join(', ')}`,
  ];
  if ([...modes].every((mode) => mode === 'session' || mode === ''))
    return pass('session mode: a client keeps its server', evidence);
  const isAble = compareVersions(target.version, SINCE) >= 0;
  if (isAble) evidence.push(configLine(target as PgBouncerTarget, KEY));
  if (isAble && Number(config?.get(KEY) ?? 0) > 0)
    return pass(`PgBouncer tracks ${config?.get(KEY)} statements per client`, evidence);
  const threshold = settings?.prepareThreshold ?? null;
  if (threshold === 0)
    return pass('the application uses no named statements (DB_PREPARE_THRESHOLD=0)', evidence);
  const steps: readonly FixStep[] = isAble
    ? changeIni(target, { [KEY]: 200 })
    : [envStep('DB_PREPARE_THRESHOLD=0')];
  const fix = {
    steps,
    risk: isAble
      ? 'PgBouncer keeps the texts of statements in memory, and parses more of the protocol. After a ' +
        'migration, statements on changed tables need RECONNECT ("cached plan must not change result type").'
      : 'The server parses and plans each query again. Only some applications read that setting. Other ' +
        'drivers use prepareThreshold=0 (JDBC), prepare_threshold=None (psycopg), statement_cache_size=0 ' +
        '(asyncpg), or no `name` in queries (node-postgres).',
  };
  if (threshold !== null && settings?.usePgbouncer !== false)
    return fail(
      `the application names statements (after ${threshold} runs), and PgBouncer does not track them`,
      evidence,
      fix,
    );
  return warn('named statements would fail, and nothing shows that the application uses none', evidence, fix);
}
