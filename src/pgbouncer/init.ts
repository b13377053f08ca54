import { ValueError } from '../base/units.js';
import { iniName, iniValue, pairOf, userLine, userList } from './names.js';
import { authTypeFor, type UserSecret } from './secrets.js';
import type { Setting } from './settings.js';
import { fateOf, isBefore, type Section, type TargetVersion } from './versions.js';

export interface InitRequest {
  readonly target: TargetVersion;
  readonly server: ServerPlace;
  /** The table of settings, with the value of each as it is to stand in the file. */
  readonly settings: readonly { readonly setting: Setting; readonly value: string }[];
  /** Further lines of the two sections, as the user wrote them. */
  readonly extra: readonly ExtraLine[];
  readonly secrets: readonly UserSecret[];
  /** null: PgBouncer logs in to the server as its client did, with the client's own secret. */
  readonly serverPassword: string | null;
  readonly adminUsers: readonly string[];
  readonly statsUsers: readonly string[];
  /** The path at which PgBouncer will find userlist.txt. */
  readonly authFile: string;
  /** Whether the secrets were made here, and are not those that the server has. */
  readonly secretsAreNew: boolean;
}

/** The PostgreSQL behind. */
export interface ServerPlace {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** null leaves it to PgBouncer, which prefers TLS. */
  readonly sslMode: string | null;
  readonly sslRootCert: string | null;
}

export interface ExtraLine {
  readonly section: Section;
  readonly key: string;
  readonly value: string;
}

/** The lines to write, with their reasons. */
export interface InitPlan {
  readonly lines: readonly PlannedLine[];
  /** Settings that this version does not support, or names differently. */
  readonly adapted: readonly string[];
  /** Notes and steps beside the files. */
  readonly notes: readonly string[];
  /** pgbouncer.ini, whole. */
  readonly ini: string;
  /** userlist.txt, whole. */
  readonly userlist: string;
  /** Statements that give the server the same secrets; null where it needs none. */
  readonly roles: string | null;
}

export interface PlannedLine {
  readonly section: Section;
  readonly key: string;
  /** Without a password. */
  readonly value: string;
  readonly why: string;
}

/** Decides on every line. Throws a ValueError that names all that the files cannot hold. */
export function planInit(request: InitRequest): InitPlan {
  const problems: string[] = [];
  /** A problem is noted, and the rest is looked at too. */
  const attempt = <T>(work: () => T, instead: T): T => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      problems.push(error.message);
      return instead;
    }
  };
  const adapted: string[] = [];
  const database = databaseLine(request, adapted, attempt);
  const settings = settingLines(request, adapted, attempt);
  const userlist = request.secrets
    .map(({ name, secret }) => attempt(() => userLine(name, secret), ''))
    .join('');
  if (problems.length > 0) throw new ValueError([...new Set(problems)].join('; '));
  return {
    lines: [database.shown, ...settings],
    adapted,
    notes: notesOf(request),
    ini: iniText(request.target, database, settings),
    userlist,
    roles: rolesOf(request),
  };
}

type Attempt = <T>(work: () => T, instead: T) => T;

interface DatabaseLine {
  readonly shown: PlannedLine;
  /** The line as it stands in the file, with its password. */
  readonly text: string;
}

function databaseLine(request: InitRequest, adapted: string[], attempt: Attempt): DatabaseLine {
  const { server, serverPassword, target, extra } = request;
  const named = attempt(() => iniName(server.database), '');
  // Any other name is passed on to the server as it is.
  const name = named ?? '*';
  const own = [
    ['host', server.host],
    ['port', String(server.port)],
    ...(named === null ? [] : [['dbname', server.database]]),
    ...(serverPassword === null ? [] : [['user', server.user]]),
  ] as [string, string][];
  for (const { key, value } of ofSection('databases', extra, target, adapted, attempt))
    own.push([key, value]);
  const pairs = own.map(([key, value]) => attempt(() => pairOf(key, value), ''));
  const password = serverPassword === null ? [] : [attempt(() => pairOf('password', serverPassword), '')];
  const login =
    serverPassword === null
      ? 'Each client logs in to the server as itself, by its secret in userlist.txt.'
      : `All clients are ${printed(server.user)} at the server, whose password stands here.`;
  const any =
    named === null
      ? ` The file cannot hold the name ${printed(server.database)}: * is every database of the server.`
      : '';
  return {
    shown: {
      ...{ section: 'databases', key: name, why: `${login}${any}` },
      value: [...pairs, ...(serverPassword === null ? [] : ['password=***'])].join(' '),
    },
    text: `${name} = ${[...pairs, ...password].join(' ')}`,
  };
}

function settingLines(request: InitRequest, adapted: string[], attempt: Attempt): PlannedLine[] {
  const { target, server, secrets, extra } = request;
  const lines: PlannedLine[] = [];
  const given = new Set(extra.filter(({ section }) => section === 'pgbouncer').map(({ key }) => key));
  const add = (key: string, value: string, why: string): void => {
    if (given.has(key)) return;
    lines.push({ section: 'pgbouncer', key, value: attempt(() => iniValue(key, value), ''), why });
  };
  const authType = authTypeFor(secrets);
  add(
    'auth_type',
    authType,
    authType === 'md5'
      ? 'md5 takes both kinds of secrets that userlist.txt may have; new ones should be SCRAM.'
      : 'The password never crosses the network, and userlist.txt holds no password either.',
  );
  add('auth_file', request.authFile, 'Who may log in. Keep its mode at 0600.');
  add(
    'admin_users',
    attempt(() => userList('admin_users', request.adminUsers), ''),
    'May pause, reload and shut down on the console, which is the database pgbouncer.',
  );
  const statsUsers = attempt(() => userList('stats_users', request.statsUsers), '');
  if (statsUsers !== '') add('stats_users', statsUsers, 'May look on, for monitoring, and change nothing.');
  if (server.sslMode !== null)
    add('server_tls_sslmode', server.sslMode, 'TLS to the server, as its URL asks for it.');
  if (server.sslRootCert !== null)
    add(
      'server_tls_ca_file',
      server.sslRootCert,
      'The authority that the certificate of the server is checked by.',
    );
  for (const { setting, value } of request.settings) {
    const fate = fateOf('pgbouncer', setting.key, target);
    if (fate.kind === 'leftOut') adapted.push(`${fate.why}: left out${withoutIt(setting.key)}`);
    else add(setting.key, value, setting.why);
  }
  for (const { key, value } of ofSection('pgbouncer', extra, target, adapted, attempt))
    lines.push({ section: 'pgbouncer', key, value, why: 'As asked for with --set.' });
  return lines;
}

/** The effect of a setting that a version does not have. */
function withoutIt(key: string): string {
  return key === 'max_prepared_statements' ? ', and named statements do not work in transaction mode' : '';
}

/** The user's own lines, under the names that the version has for them. */
function ofSection(
  section: Section,
  extra: readonly ExtraLine[],
  target: TargetVersion,
  adapted: string[],
  attempt: Attempt,
): { readonly key: string; readonly value: string }[] {
  const lines: { readonly key: string; readonly value: string }[] = [];
  for (const { key, value } of extra.filter((line) => line.section === section)) {
    const fate = fateOf(section, key, target);
    const written = attempt(() => iniValue(key, value), '');
    switch (fate.kind) {
      case 'kept':
        lines.push({ key, value: written });
        break;
      case 'renamed':
        adapted.push(`${fate.why}: written as ${fate.key}`);
        lines.push({ key: fate.key, value: written });
        break;
      case 'leftOut':
        adapted.push(`${fate.why}: left out`);
        break;
      case 'unknown':
        attempt(() => {
          throw new ValueError(`'${key}' is no setting of [${section}]`);
        }, undefined);
    }
  }
  return lines;
}

function notesOf(request: InitRequest): string[] {
  const { target, secrets, serverPassword, secretsAreNew, adminUsers } = request;
  const notes = ['the files must belong to the user that PgBouncer runs as, since nobody else may read them'];
  const hasMd5 = secrets.some(({ secret }) => secret.startsWith('md5'));
  if (secretsAreNew && serverPassword === null) {
    notes.push(
      hasMd5
        ? 'PgBouncer can log in to the server by an md5 secret only where the server keeps the same one'
        : 'the server must have the very same secrets, or PgBouncer cannot log in to it: run roles.sql there first',
    );
  }
  const strangers = adminUsers.filter((name) => !secrets.some((one) => one.name === name));
  if (strangers.length > 0)
    notes.push(
      `${strangers.map(printed).join(', ')} of admin_users cannot log in, having no line in userlist.txt`,
    );
  const figure = (key: string): number =>
    Number(request.settings.find(({ setting }) => setting.key === key)?.value);
  const files = figure('max_client_conn') + (figure('max_db_connections') || figure('default_pool_size'));
  notes.push(`it opens up to ${files} connections and some files besides: ulimit -n must be above that`);
  if (isBefore(target, '1.25'))
    notes.push(
      'on RELOAD this version answers OK to a file with mistakes; poolctl pgbouncer reload looks for itself',
    );
  return notes;
}

/** The server can use a SCRAM secret that was made elsewhere: it stores it as it is. */
function rolesOf({ secrets, secretsAreNew, serverPassword }: InitRequest): string | null {
  if (!secretsAreNew || serverPassword !== null) return null;
  const scram = secrets.filter(({ secret }) => secret.startsWith('SCRAM-SHA-256$'));
  if (scram.length === 0) return null;
  const statements = scram.map(
    ({ name, secret }) => `ALTER ROLE "${name.replaceAll('"', '""')}" PASSWORD '${secret}';\n`,
  );
  return `-- The server stores these secrets as they are; the passwords stay what they were.\n${statements.join('')}`;
}

function iniText(target: TargetVersion, database: DatabaseLine, settings: readonly PlannedLine[]): string {
  return [
    `;; Written by poolctl pgbouncer init, for PgBouncer ${target}.`,
    '',
    '[databases]',
    `; ${database.shown.why}`,
    database.text,
    '',
    '[pgbouncer]',
    ...settings.flatMap(({ key, value, why }) => [`; ${why}`, `${key} = ${value}`.trimEnd()]),
    '',
  ].join('\n');
}

/** A name in a comment or a remark: what could end the line is gone from it. */
function printed(name: string): string {
  return `'${name.replace(/[\p{Cc}\p{Cf}]/gu, '?')}'`;
}
