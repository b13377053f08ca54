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
  title: 'PgBouncer lets the application in, and reaches the server as its user',
  needs: ['postgres', 'pgbouncer'],
  why:
    'PgBouncer can be up and well, and still let nobody through: its userlist.txt has another secret than the server, or ' +
    'none, after a password was changed on one side.',
  details:
    'With --try-login it logs in through PgBouncer, with the user and the password of the postgres:// target, to the ' +
    'database that leads there. That opens a connection of that pool, and with min_pool_size further ones: without the ' +
    'flag nothing is tried. For SCRAM both sides need the very same secret, not only the same password.',
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
  if (login === null || server === undefined) return skip('is not tried without --try-login');
  const { role, database, problem } = login;
  if (problem === null) return pass(`${role} reaches the server by way of ${database}`);
  if (problem.code === null && /password/.test(problem.message) && /none was given/.test(problem.message))
    return skip('no password for it is given');
  const file = knownOrNull(pooler.config)?.get('auth_file') ?? '';
  const isSecret = /auth|password|secret|no such user/i.test(problem.message);
  const retry = knownOrNull(pooler.config)?.get('server_login_retry') ?? '15';
  return fail(
    `${role} cannot log in by way of ${database}`,
    [problem.message],
    isSecret
      ? {
          steps: secretSteps(pooler, server, role, file),
          risk:
            'Whoever else logs in as that user with another password cannot do so any more. The line holds a secret: ' +
            'userlist.txt is for the user of PgBouncer alone (mode 0600).',
        }
      : {
          steps: [
            codeStep(
              'Look into its log for what it says of the server, and at the checks pooler-queue and pooler-paused. After a ' +
                `login that failed it tries the server again only after server_login_retry = ${retry} seconds.`,
              pooler,
            ),
          ],
          risk: 'None: that is to look only.',
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
    codeStep(
      `Put that line into ${file === '' ? 'auth_file' : file}, in the place of the one of that user.`,
      pooler,
    ),
    consoleStep(pooler, 'RELOAD'),
  ];
}
