import {
  about,
  codeStep,
  consoleStep,
  type Finding,
  fail,
  judged,
  knownOrNull,
  pass,
  skip,
  sqlStep,
} from '../outcome.js';
import { sqlText } from '../sql-text.js';
import type { Check, FixStep, PgBouncerTarget, PoolerLogin, PostgresTarget } from '../types.js';

export const poolerLogin: Check = {
  id: 'pooler-login',
  title: 'PgBouncer accepts the application, and can log in to the server as its user',
  needs: ['postgres', 'pgbouncer'],
  why:
    'PgBouncer can run and still let nobody through. After a password change on one side, its userlist.txt ' +
    'has another secret than the server, or none.',
  details:
    'With --try-login, the check logs in through PgBouncer, with the user and password of the postgres:// ' +
    'target. That opens a connection of that pool, and more with min_pool_size, so the flag is required. ' +
    'For SCRAM, both sides need the very same secret, not only the same password.',
  run: ({ targets }) =>
    Promise.all(
      targets.pgbouncer.flatMap((pooler) =>
        (pooler.logins ?? [null]).map(async (login) => {
          const server = targets.postgres.find(({ label }) => label === login?.server);
          const subjects = server === undefined ? [pooler] : [pooler, server];
          return about(subjects, await judged(() => judge(pooler, server, login)));
        }),
      ),
    ),
};

function judge(
  pooler: PgBouncerTarget,
  server: PostgresTarget | undefined,
  login: PoolerLogin | null,
): Finding {
  if (login === null || server === undefined) return skip('needs --try-login');
  const { role, database, problem } = login;
  if (problem === null) return pass(`${role} reaches the server through ${database}`);
  if (problem.code === null && /password/.test(problem.message) && /none was given/.test(problem.message))
    return skip('no password for it is known');
  const file = knownOrNull(pooler.config)?.get('auth_file') ?? '';
  const isSecret = /auth|password|secret|no such user/i.test(problem.message);
  const retry = knownOrNull(pooler.config)?.get('server_login_retry') ?? '15';
  return fail(
    `${role} cannot log in through ${database}`,
    [problem.message],
    isSecret
      ? {
          steps: secretSteps(pooler, server, role, file),
          risk:
            'Clients that log in as that user with another password no longer can. The line is a secret: ' +
            'only the user of PgBouncer may read userlist.txt (mode 0600).',
        }
      : {
          steps: [
            codeStep(
              'Read its log for messages about the server, and run the checks pooler-queue and ' +
                'pooler-paused. After a failed login, it retries the server only after server_login_retry = ' +
                `${retry} seconds.`,
              pooler,
            ),
          ],
          risk: 'None: these steps only read.',
        },
  );
}

/** The server's own secret is the one that fits, and only a superuser can read it. */
function secretSteps(
  pooler: PgBouncerTarget,
  server: PostgresTarget,
  role: string,
  file: string,
): readonly FixStep[] {
  const line = `'"' || replace(rolname, '"', '""') || '" "' || rolpassword || '"'`;
  return [
    sqlStep(server, `SELECT ${line} AS line FROM pg_authid WHERE rolname = ${sqlText(role)}`),
    codeStep(`Replace that user's line in ${file === '' ? 'auth_file' : file} by this line.`, pooler),
    consoleStep(pooler, 'RELOAD'),
  ];
}
