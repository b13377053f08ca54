import { formatDuration } from '../../base/units.js';
import { changeIni, envStep, type Finding, fail, forEach, pass, sqlStep } from '../outcome.js';
import { configLine, configMs } from '../pooler-facts.js';
import { settingMs, settingText } from '../postgres-settings.js';
import { sqlName } from '../sql-text.js';
import type { Check, CheckContext, FixStep, PgBouncerTarget } from '../types.js';

export const timeoutOrder: Check = {
  id: 'timeout-order',
  title: 'time-outs are in order: those who wait give up before what they wait for is taken from them',
  needs: ['pgbouncer'],
  uses: ['settings', 'postgres'],
  why:
    'In the wrong order the layer that can explain itself never gets to: PgBouncer closes a connection under an ' +
    'application that still waits for it, and a clear "pool timed out" becomes "connection terminated unexpectedly".',
  details:
    'Waiting, application before pooler: DB_POOL_TIMEOUT < query_wait_timeout, which must not be 0, and ' +
    'DB_CONNECT_TIMEOUT < server_connect_timeout. Idle connections, pooler before server: server_idle_timeout < ' +
    'idle_session_timeout. Running queries, server before pooler, as PgBouncer itself advises: statement_timeout < ' +
    'query_timeout, so that a query is cancelled at the server instead of being left to run there. What is 0 is off.',
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
      what: 'a query may wait in PgBouncer for ever (query_wait_timeout is 0)',
      steps: changeIni(target, { query_wait_timeout: 120 }),
    });
  }
  if (poolTimeoutMs !== null && usePgbouncer !== false) {
    evidence.push(`DB_POOL_TIMEOUT = ${shown(poolTimeoutMs)}`);
    const limitMs = waitMs === 0 ? 120_000 : waitMs;
    if (poolTimeoutMs >= limitMs)
      wrong.push({
        what: `the application waits for ${shown(poolTimeoutMs)}, PgBouncer cuts it off after ${shown(limitMs)}`,
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
        what: `the application takes ${shown(connectTimeoutMs)} to connect, PgBouncer to the server ${shown(connectMs)}`,
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
          what: `PgBouncer cuts a query off after ${shown(queryMs)}, and the server lets it run ${statementMs === 0 ? 'on' : `for ${shown(statementMs)}`}`,
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
          what: `the server ends idle connections after ${shown(sessionMs)}, while PgBouncer keeps them`,
          steps: changeIni(target, { server_idle_timeout: seconds(sessionMs / 2) }),
        });
    }
  }
  if (wrong.length === 0) return pass('in order, as far as they are known', evidence);
  return fail(wrong.map(({ what }) => what).join('; '), evidence, {
    steps: wrong.flatMap(({ steps }) => steps),
    risk:
      'Whoever gives up earlier sees more errors in a bad moment, and sooner: they were there before, but worse to ' +
      'understand. A limit of a database holds for new connections, dumps and migrations too.',
  });
}

function shown(ms: number): string {
  return Number.isFinite(ms) ? formatDuration(ms) : 'ever';
}
