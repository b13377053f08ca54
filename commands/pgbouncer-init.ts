import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join, relative, resolve } from 'node:path';
import { maskUrl } from '../src/base/secrets.js';
import { ValueError } from '../src/base/units.js';
import { type CommandContext, defineCommand, requiredArgument } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { UnavailableError, UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { flag, list, value } from '../src/cli/options.js';
import { didYouMean } from '../src/cli/suggest.js';
import { choice, path, text, type ValueType } from '../src/cli/value-types.js';
import { cutUrl } from '../src/db/cut-url.js';
import { serverOf } from '../src/db/drivers/pg.js';
import {
  checkPostgresUrl,
  databaseOf,
  locatePostgres,
  type PostgresPlace,
} from '../src/db/postgres-place.js';
import { suggestUrl } from '../src/db/suggest-url.js';
import { composeService, IMAGE, IMAGE_FOLDER, IMAGE_PORT } from '../src/pgbouncer/compose.js';
import { writeTogether } from '../src/pgbouncer/files.js';
import { type ExtraLine, type InitPlan, planInit, type ServerPlace } from '../src/pgbouncer/init.js';
import {
  md5Secret,
  parsePasswords,
  SALT_BYTES,
  scramSecret,
  type UserPassword,
  type UserSecret,
} from '../src/pgbouncer/secrets.js';
import { keysOf, TARGET_VERSIONS, type TargetVersion, targetOf } from '../src/pgbouncer/versions.js';
import { initResult } from '../src/report/pgbouncer/init.js';
import { formatsOf, renderReport } from '../src/report/registry.js';
import { serverAt } from '../src/sources/server-connection.js';
import { settingOptions, settingValues } from './pgbouncer-options.js';

const USERS = 'Users';
const FILES = 'Files';

const options = {
  ...settingOptions,
  secrets: value({
    summary: 'secrets in userlist.txt: scram, md5, copy (from the server)',
    type: choice(['scram', 'md5', 'copy'], 'KIND'),
    default: 'scram',
    group: USERS,
  }),
  passwordsStdin: flag({
    summary: 'read passwords from stdin, as lines of name:password',
    config: false,
    group: USERS,
  }),
  user: list({
    summary: 'with --secrets copy: user who may log in',
    type: text('NAME'),
    group: USERS,
  }),
  serverLogin: value({
    summary: 'login at the server: password (of the URL), secret (of the client)',
    type: choice(['password', 'secret'], 'HOW'),
    default: null,
    defaultText: 'password with one user and --secrets md5, else secret',
    group: USERS,
  }),
  adminUser: list({
    summary: 'user who may pause, reload and shut down',
    type: text('NAME'),
    group: USERS,
  }),
  statsUser: list({ summary: 'user who may read statistics', type: text('NAME'), group: USERS }),
  set: list({
    summary: 'more settings of [pgbouncer]',
    type: lineType('pgbouncer'),
    group: 'More settings',
  }),
  setDatabase: list({
    summary: 'more settings of the database',
    type: lineType('databases'),
    group: 'More settings',
  }),
  targetVersion: value({
    summary: `PgBouncer version of the files: ${TARGET_VERSIONS.join(', ')}`,
    type: choice(TARGET_VERSIONS, 'VERSION'),
    default: null,
    defaultText: 'the installed one, else 1.21',
    group: FILES,
  }),
  dir: value({ summary: 'folder to write to', type: path('FOLDER'), default: '.', group: FILES }),
  force: flag({ summary: 'replace existing files', config: false, group: FILES }),
  authFile: value({
    summary: 'path of userlist.txt for PgBouncer',
    type: path('FILE'),
    default: null,
    defaultText: 'the file that is written',
    group: FILES,
  }),
  compose: flag({
    summary: 'write for a container, and print its compose service',
    config: false,
    group: FILES,
  }),
  image: value({ summary: 'with --compose: the image', type: text('IMAGE'), default: IMAGE, group: FILES }),
  format: formatOption(formatsOf('pgbouncerInit')),
};

const urlType: ValueType<string> = {
  placeholder: 'URL',
  parse(source) {
    if (cutUrl(source)?.scheme !== 'postgres') {
      const meant = suggestUrl(source);
      throw new ValueError(
        `'${maskUrl(source)}' is not the URL of a PostgreSQL server; ${
          meant === null ? 'write postgres://user@host:5432/database' : `did you mean '${meant}'?`
        }`,
      );
    }
    checkPostgresUrl(source);
    return source;
  },
  show: (url) => url,
};

const args = {
  url: requiredArgument({ summary: 'the PostgreSQL server and database behind', type: urlType }),
};

type Context = CommandContext<typeof options, typeof args>;

export const command = defineCommand({
  name: 'pgbouncer init',
  summary: 'write pgbouncer.ini and userlist.txt for a database',
  description:
    'Writes pgbouncer.ini and userlist.txt (mode 0600) with the reason for each line. It writes both or neither. It\n' +
    'connects to the database only to copy secrets from it.',
  arguments: args,
  options,
  rules: [
    {
      of: ['secrets', 'passwordsStdin'],
      check: ({ options: { secrets, passwordsStdin } }) =>
        secrets === 'copy' && passwordsStdin ? '--secrets copy takes no --passwords-stdin' : null,
    },
    {
      of: ['secrets', 'user'],
      check: ({ options: { secrets, user } }) =>
        secrets !== 'copy' && user.length > 0
          ? '--user goes with --secrets copy; passwords name their users'
          : null,
    },
    {
      // The keys of a client that logged in by SCRAM are tried at the server even where a password stands in the file.
      of: ['serverLogin', 'secrets'],
      check: ({ options: { serverLogin, secrets } }) =>
        serverLogin === 'password' && secrets === 'scram'
          ? '--server-login password does not go with --secrets scram: PgBouncer then logs in to the server by the made secret all the same; take md5, or copy'
          : null,
    },
    {
      of: ['minPoolSize', 'defaultPoolSize'],
      check: ({ options: { minPoolSize, defaultPoolSize } }) =>
        Number(minPoolSize) > Number(defaultPoolSize)
          ? `--min-pool-size ${minPoolSize} is more than --default-pool-size ${defaultPoolSize}`
          : null,
    },
    {
      of: ['maxDbConnections', 'defaultPoolSize'],
      check: ({ options: { maxDbConnections, defaultPoolSize } }) =>
        Number(maxDbConnections) > 0 && Number(maxDbConnections) < Number(defaultPoolSize)
          ? `--max-db-connections ${maxDbConnections} is less than --default-pool-size ${defaultPoolSize}`
          : null,
    },
    {
      of: ['compose', 'image', 'targetVersion'],
      check: ({ options: { compose, targetVersion }, hasFlag }) =>
        compose && targetVersion !== null && targetVersion !== '1.21' && !hasFlag('image')
          ? `--compose has the image ${IMAGE}; name the one for ${targetVersion} with --image`
          : null,
    },
  ],
  examples: [
    {
      command: 'poolctl pgbouncer init postgres://trader@db/mt5_trading',
      meaning: 'with the password in PGPASSWORD',
    },
    {
      command: 'poolctl pgbouncer init postgres://postgres@db/shop --secrets copy --user app --user report',
      meaning: 'users with their secrets from the server',
    },
    {
      command: 'poolctl pgbouncer init postgres://trader@db/mt5_trading --compose > compose.pgbouncer.yaml',
      meaning: 'for a container',
    },
  ],
  async run(context) {
    const { options, io, render } = context;
    const { target, by: targetBy } = await targetFor(context);
    const place = placeOf(context);
    const server = serverPlace(place, context.arguments.url);
    const users = await usersOf(context, place, server);
    const folder = resolve(io.cwd, options.dir);
    const plan = planned(context, target, server, users, folder);
    const files = [
      { path: join(folder, 'pgbouncer.ini'), text: plan.ini },
      { path: join(folder, 'userlist.txt'), text: plan.userlist },
      ...(plan.roles === null ? [] : [{ path: join(folder, 'roles.sql'), text: plan.roles }]),
    ];
    await writeTogether(files, {
      overwrite: options.force,
      mark: `${io.pid}-${randomBytes(4).toString('hex')}`,
    });
    const [ini = '', userlist = ''] = files.map(({ path }) => path);
    const compose = options.compose
      ? composeService({ image: options.image, port: options.listenPort, ini, userlist })
      : null;
    const shown = files.map(({ path }) => shownPath(path, io.cwd));
    const next = nextSteps(shown, server);
    const result = initResult(plan, { target, targetBy, files: shown, next, compose });
    if (compose !== null) for (const remark of [...plan.adapted, ...plan.notes]) context.warn(remark);
    await context.write(await renderReport('pgbouncerInit', options.format, result, render));
    return ExitCode.Ok;
  },
});

/** The server gets the secrets before PgBouncer logs in with them: after a refusal it waits for server_login_retry. */
function nextSteps(
  [ini = '', , roles]: readonly string[],
  { host, port, user, database }: ServerPlace,
): string[] {
  const place = ['-h', host, '-p', String(port), '-U', user, '-d', database];
  return [...(roles === undefined ? [] : [['psql', ...place, '-f', roles]]), ['pgbouncer', ini]].map(
    (words) => words.map(shellWord).join(' '),
  );
}

function shellWord(word: string): string {
  return /^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

interface Users {
  readonly secrets: readonly UserSecret[];
  readonly areNew: boolean;
  readonly serverPassword: string | null;
}

function planned(
  { options, arguments: { url } }: Context,
  target: TargetVersion,
  server: ServerPlace,
  users: Users,
  folder: string,
): InitPlan {
  const inContainer = { listenAddr: '0.0.0.0', listenPort: IMAGE_PORT };
  const extra: ExtraLine[] = [
    ...options.set.map((line) => ({ section: 'pgbouncer' as const, ...line })),
    ...options.setDatabase.map((line) => ({ section: 'databases' as const, ...line })),
  ];
  const written = join(folder, 'userlist.txt');
  try {
    return planInit({
      ...{ target, server, extra, secrets: users.secrets, secretsAreNew: users.areNew },
      settings: settingValues(options.compose ? { ...options, ...inContainer } : options),
      serverPassword: users.serverPassword,
      adminUsers: options.adminUser.length === 0 ? [server.user] : options.adminUser,
      statsUsers: options.statsUser,
      authFile: options.authFile ?? (options.compose ? `${IMAGE_FOLDER}/userlist.txt` : written),
    });
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new UsageError([`${cutUrl(url)?.scheme ?? 'postgres'} URL and options: ${error.message}`]);
  }
}

/** The installed one reads the files, if nobody says otherwise. */
async function targetFor({
  options,
}: Context): Promise<{ readonly target: TargetVersion; readonly by: string }> {
  if (options.targetVersion !== null)
    return { target: options.targetVersion, by: 'as --target-version says' };
  if (options.compose) return { target: '1.21', by: `as in ${IMAGE}` };
  const answer = await new Promise<string>((tell) => {
    execFile('pgbouncer', ['--version'], { timeout: 5000 }, (_error, stdout) => tell(stdout));
  });
  const [, version = ''] = /PgBouncer (\S+)/i.exec(answer) ?? [];
  const target = targetOf(version);
  return target === null
    ? { target: '1.21', by: 'none is installed here; --target-version names another' }
    : { target, by: `${version} is installed here` };
}

function placeOf({ io, arguments: { url } }: Context): PostgresPlace {
  try {
    return locatePostgres(url, io.env);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new UsageError([`<url>: ${error.message} (with what the environment adds)`]);
  }
}

function serverPlace(place: PostgresPlace, typed: string): ServerPlace {
  const parts = cutUrl(place.url);
  const server = parts === null ? null : serverOf(parts, []);
  const params = cutUrl(typed)?.params;
  const user = server?.user ?? null;
  if (user === null) throw new UsageError(['<url>: it names no user, nor does PGUSER']);
  return {
    ...{ host: place.host, user, database: databaseOf(place.url), port: Number(server?.port ?? 5432) },
    sslMode: parts?.params.get('sslmode') ?? null,
    sslRootCert: params?.get('sslrootcert') ?? null,
  };
}

async function usersOf(context: Context, place: PostgresPlace, server: ServerPlace): Promise<Users> {
  const { options } = context;
  const passwords = options.secrets === 'copy' ? [] : await passwordsOf(context, place, server);
  const own = passwords.find(({ name }) => name === server.user)?.password ?? place.password;
  const isOnly = passwords.length === 1 && passwords[0]?.name === server.user;
  const how = options.serverLogin ?? (isOnly && options.secrets === 'md5' ? 'password' : 'secret');
  if (how === 'password' && own === null)
    throw new UsageError([
      `--server-login password needs the password of ${server.user}, which is not known`,
    ]);
  const serverPassword = how === 'password' ? own : null;
  if (options.secrets === 'copy') {
    return { secrets: await copied(context, place, server), areNew: false, serverPassword };
  }
  const secrets = passwords.map((one) => ({
    name: one.name,
    secret: options.secrets === 'md5' ? md5Secret(one) : scramSecret(one.password, randomBytes(SALT_BYTES)),
  }));
  return { secrets, areNew: true, serverPassword };
}

async function passwordsOf(
  { options, io }: Context,
  { password }: PostgresPlace,
  { user }: ServerPlace,
): Promise<readonly UserPassword[]> {
  if (!options.passwordsStdin) {
    if (password !== null) return [{ name: user, password }];
    throw new UsageError([
      {
        message: `no password of ${user} is known`,
        hint: 'set PGPASSWORD, or give --passwords-stdin and lines of name:password, or --secrets copy',
      },
    ]);
  }
  try {
    return parsePasswords(await io.readStdin());
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new UsageError([`--passwords-stdin: ${error.message}`]);
  }
}

async function copied(
  { options, io }: Context,
  place: PostgresPlace,
  { user }: ServerPlace,
): Promise<readonly UserSecret[]> {
  const wanted = options.user.length === 0 ? [user] : options.user;
  const env = { ...io.env, ...(place.password === null ? {} : { PGPASSWORD: place.password }) };
  const server = serverAt(place.url, env);
  try {
    const rows = await server.use(
      (ask) =>
        ask<{ rolname: string; rolpassword: string | null }>('select rolname, rolpassword from pg_authid'),
      io.interrupts.stop,
    );
    return wanted.map((name) => {
      const row = rows.find(({ rolname }) => rolname === name);
      if (row === undefined) throw new UnavailableError(`the server has no role '${name}'`);
      if (row.rolpassword === null)
        throw new UnavailableError(`the role '${name}' has no password`, {
          hint: 'ALTER ROLE ... PASSWORD sets one',
        });
      return { name, secret: row.rolpassword };
    });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === '42501')) throw error;
    throw new UnavailableError(`${user} may not read pg_authid`, {
      hint: 'a superuser may; or make secrets of passwords with --passwords-stdin',
    });
  } finally {
    await server.close();
  }
}

/** `key=value`, the key one that some version has. */
function lineType(
  section: 'pgbouncer' | 'databases',
): ValueType<{ readonly key: string; readonly value: string }> {
  return {
    placeholder: 'KEY=VALUE',
    parse(source) {
      const [, key = '', given = ''] = /^\s*(\w+)\s*=(.*)$/s.exec(source) ?? [];
      if (key === '') throw new ValueError(`'${source}' is not key=value`);
      if (!keysOf(section).includes(key)) {
        const meant = didYouMean(key, keysOf(section));
        throw new ValueError(`'${key}' is no setting of [${section}]${meant === null ? '' : `; ${meant}`}`);
      }
      return { key, value: given.trim() };
    },
    show: ({ key, value }) => (key.includes('password') ? `${key}=***` : `${key}=${value}`),
  };
}

function shownPath(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short.startsWith('..') ? path : short;
}
