import { changeIni, envStep, type Finding, fail, forEach, knownOrNull, pass, warn } from '../outcome.js';
import { compareVersions, configLine, pooledDatabases } from '../pooler-facts.js';
import type { AppSettings, Check, FixStep, PgBouncerTarget } from '../types.js';

const SINCE = '1.21.0';
const KEY = 'max_prepared_statements';

export const preparedStatements: Check = {
  id: 'prepared-statements',
  title: 'named statements work through PgBouncer, or the application has none',
  needs: ['pgbouncer'],
  uses: ['settings'],
  why:
    'In transaction mode the next query may go to another server, which has never heard of the statement ("prepared ' +
    'statement does not exist"), or has another one of that name ("already exists"). It shows under load only.',
  details: `Passes in session mode; with ${KEY} above 0, which PgBouncer has from 1.21 (200 by default from 1.24); or where \
the application's settings say DB_PREPARE_THRESHOLD=0. Before 1.21 there is no other way than to name none. Only \
statements of the protocol are followed: PREPARE in SQL never works in transaction mode.`,
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
    return pass(`PgBouncer follows ${config?.get(KEY)} statements for each client`, evidence);
  const threshold = settings?.prepareThreshold ?? null;
  if (threshold === 0) return pass('the application names no statements (DB_PREPARE_THRESHOLD=0)', evidence);
  const steps: readonly FixStep[] = isAble
    ? changeIni(target, { [KEY]: 200 })
    : [envStep('DB_PREPARE_THRESHOLD=0')];
  const fix = {
    steps,
    risk: isAble
      ? 'PgBouncer keeps the texts of statements in memory, and parses more of the protocol. Statements whose tables change ' +
        'need RECONNECT after a migration ("cached plan must not change result type").'
      : 'The server parses and plans each query anew. That setting is of applications that read it: in other drivers it ' +
        'is prepareThreshold=0 (JDBC), prepare_threshold=None (psycopg), statement_cache_size=0 (asyncpg), and no `name` ' +
        'in the queries of node-postgres.',
  };
  if (threshold !== null && settings?.usePgbouncer !== false)
    return fail(
      `the application names statements (after ${threshold} runs), which PgBouncer does not follow`,
      evidence,
      fix,
    );
  return warn('named statements would fail, and nothing says that the application has none', evidence, fix);
}
