import { formatDuration } from '../../base/units.js';
import { changeIni, envStep, type Finding, fail, forEach, pass, sqlStep } from '../outcome.js';
import { configLine, configMs } from '../pooler-facts.js';
import { settingMs, settingText } from '../postgres-settings.js';
import { sqlName } from '../sql-text.js';
import type { Check, CheckContext, FixStep, PgBouncerTarget } from '../types.js';

export const timeoutOrder: Check = {
  id: 'timeout-order',
  title: 'timeouts are in order: the layer that can report the cause times out first',
  needs: ['pgbouncer'],
  uses: ['settings', 'postgres'],
  why:
    'In the wrong order, the layer with the clear error never reports it. PgBouncer closes a connection ' +
    'while the application still waits, and "pool timed out" becomes "connection terminated unexpectedly".',
  details:
    'Waiting: DB_POOL_TIMEOUT < query_wait_timeout, which must not be 0, and DB_CONNECT_TIMEOUT < ' +
    'server_connect_timeout. Idle connections: server_idle_timeout < idle_session_timeout. Running ' +
    'queries: statement_timeout < query_timeout, as PgBouncer advises, so that the server cancels the ' +
    'query. 0 means off.',
  run: forEach('pgbouncer', judge),
};

interface Wrong {
  readonly what: string;
  readonly steps: readonly FixStep[];
}

function judge(target: PgBouncerTarget, { targets }: CheckContext): Finding {
  const wrong: Wrong[] = [];
  const evidence: string[] = [];
  const {
    poolTimeoutMs = null,
    connectTimeoutMs = null,
    usePgbouncer = null,
  } = targets.settings?.usePgbouncer === false ? {} : (targets.settings ?? {});
  const seconds = (ms: number): number => Math.max(1, Math.floor(ms / 1000));

  const waitMs = configMs(target, 'query_wait_timeout');
  evidence.push(configLine(target, 'query_wait_timeout'));
  if (waitMs === 0) {
    wrong.push({
      what: 'a query may wait in PgBouncer forever (query_wait_timeout is 0)',
      steps: changeIni(target, { query_wait_timeout: 120 }),
    });
  }
  if (poolTimeoutMs !== null && usePgbouncer !== false) {
    evidence.push(`DB_POOL_TIMEOUT = ${shown(poolTimeoutMs)}`);
    const limitMs = waitMs === 0 ? 120_000 : waitMs;
    if (poolTimeoutMs >= limitMs)
      wrong.push({
        what:
          `the application waits ${shown(poolTimeoutMs)}, but PgBouncer disconnects it after ` +
          `${shown(limitMs)}`,
        steps: [envStep(`DB_POOL_TIMEOUT=${Math.min(10, seconds(limitMs / 2))}`)],
      });
  }
  const connectMs = configMs(target, 'server_connect_timeout');
  if (connectTimeoutMs !== null) {
    evidence.push(
      configLine(target, 'server_connect_timeout'),
      `DB_CONNECT_TIMEOUT = ${shown(connectTimeoutMs)}`,
    );
    if (connectMs > 0 && connectTimeoutMs >= connectMs)
      wrong.push({
        what:
          `the application allows ${shown(connectTimeoutMs)} to connect, PgBouncer allows ` +
          `${shown(connectMs)} for the server`,
        steps: [envStep(`DB_CONNECT_TIMEOUT=${Math.min(10, seconds(connectMs / 2))}`)],
      });
  }

  const queryMs = configMs(target, 'query_timeout');
  for (const server of targets.postgres) {
    const statementMs = settingMs(server, 'statement_timeout');
    if (queryMs > 0) {
      evidence.push(configLine(target, 'query_timeout'), settingText(server, 'statement_timeout'));
      if (statementMs === 0 || statementMs >= queryMs)
        wrong.push({
          what:
            `PgBouncer ends a query after ${shown(queryMs)}, but the server lets it run ` +
            `${statementMs === 0 ? 'on' : `for ${shown(statementMs)}`}`,
          steps: [
            sqlStep(
              server,
              `ALTER DATABASE ${sqlName(server.database)} SET statement_timeout = '${Math.floor(queryMs * 0.8)}ms'`,
            ),
          ],
        });
    }
    const sessionMs = server.settings.has('idle_session_timeout')
      ? settingMs(server, 'idle_session_timeout')
      : 0;
    const idleMs = configMs(target, 'server_idle_timeout');
    if (sessionMs > 0) {
      evidence.push(configLine(target, 'server_idle_timeout'), settingText(server, 'idle_session_timeout'));
      if (idleMs === 0 || idleMs >= sessionMs)
        wrong.push({
          what: `the server ends idle connections after ${shown(sessionMs)}, but PgBouncer keeps them`,
          steps: changeIni(target, { server_idle_timeout: seconds(sessionMs / 2) }),
        });
    }
  }
  if (wrong.length === 0) return pass('in order, as far as known', evidence);
  return fail(wrong.map(({ what }) => what).join('; '), evidence, {
    steps: wrong.flatMap(({ steps }) => steps),
    risk:
      'A shorter timeout reports errors earlier, and more of them, in a bad moment. They existed before, ' +
      'but were harder to understand. A limit on a database applies to new connections, including dumps ' +
      'and migrations.',
  });
}

function shown(ms: number): string {
  return Number.isFinite(ms) ? formatDuration(ms) : 'forever';
}
