import { changeIni, codeStep, type Finding, fail, forEach, knownOrNull, pass, sqlStep } from '../outcome.js';
import { configLine, configText } from '../pooler-facts.js';
import { settingMs } from '../postgres-settings.js';
import { sqlName } from '../sql-text.js';
import type { Check, CheckContext, PgBouncerTarget, PostgresTarget } from '../types.js';

/** Parameters on which a client relies. node-postgres sends the first four if configured. */
const RELIED_ON = [
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'options',
  'transaction_timeout',
  'idle_session_timeout',
  'search_path',
  'role',
  'default_transaction_isolation',
  'default_transaction_read_only',
];
/** A dropped limit is no loss if the server sets one itself. */
const LIMITS: Readonly<Record<string, string>> = {
  statement_timeout: '60s',
  lock_timeout: '10s',
  idle_in_transaction_session_timeout: '10min',
  transaction_timeout: '10min',
};

export const startupParameters: Check = {
  id: 'startup-parameters',
  title: 'PgBouncer drops no startup parameter that applications rely on',
  needs: ['pgbouncer'],
  uses: ['postgres', 'settings'],
  why:
    'PgBouncer silently drops the parameters listed in ignore_startup_parameters. An application that asks ' +
    'for a statement_timeout of 5 s believes it has one, but its queries run without a limit. PgBouncer ' +
    'refuses parameters that are not listed.',
  details:
    `Looks for ${RELIED_ON.join(', ')}. A timeout passes if the server itself sets one, for the server, the ` +
    'database or a role. extra_float_digits only changes the format of digits. PgBouncer passes ' +
    'application_name on even if it is listed.',
  run: forEach('pgbouncer', judge),
};

function judge(target: PgBouncerTarget, { targets }: CheckContext): Finding {
  const ignored = configText(target, 'ignore_startup_parameters')
    .split(/[,\s]+/)
    .filter((name) => name !== '');
  const [server] = targets.postgres;
  const evidence = [configLine(target, 'ignore_startup_parameters')];
  const { statementTimeoutMs = null, usePgbouncer = null } = targets.settings ?? {};
  if (statementTimeoutMs !== null && usePgbouncer !== false && !ignored.includes('statement_timeout')) {
    return fail('PgBouncer refuses the statement_timeout that the application asks for', evidence, {
      steps: [
        ...(server === undefined ? [] : [limitStep(server, 'statement_timeout', `${statementTimeoutMs}ms`)]),
        codeStep('Remove statement_timeout from the connection settings. The database then sets it.'),
      ],
      risk: "The limit applies to all new connections to this database, including people's.",
    });
  }
  const dropped = ignored.filter((name) => RELIED_ON.includes(name) && !isSetBy(server, name));
  if (dropped.length === 0)
    return pass(
      ignored.length === 0 ? 'it drops none' : `it drops only unimportant parameters (${ignored.join(', ')})`,
      evidence,
    );
  const limits = dropped.filter((name) => LIMITS[name] !== undefined);
  const kept = ignored.filter((name) => !dropped.includes(name));
  return fail(`it silently drops ${dropped.join(', ')}`, evidence, {
    steps: [
      ...(server === undefined ? [] : limits.map((name) => limitStep(server, name, LIMITS[name] ?? ''))),
      ...changeIni(target, { ignore_startup_parameters: kept.join(', ') }),
    ],
    risk:
      'PgBouncer then refuses applications that still send them ("unsupported startup parameter"): change ' +
      'the applications first. A limit on a database applies to all new connections to it. Choose a ' +
      'suitable value, or set it for a role: ALTER ROLE ... SET.',
  });
}

function limitStep(server: PostgresTarget, name: string, value: string) {
  return sqlStep(server, `ALTER DATABASE ${sqlName(server.database)} SET ${name} = '${value}'`);
}

function isSetBy(server: PostgresTarget | undefined, name: string): boolean {
  if (server === undefined || LIMITS[name] === undefined) return false;
  if (server.settings.has(name) && settingMs(server, name) > 0) return true;
  return (knownOrNull(server.overrides) ?? []).some(
    (one) =>
      one.name === name && one.value !== '0' && (one.database === null || one.database === server.database),
  );
}
