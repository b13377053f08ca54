import { type Ask, ConsoleError, type Row, textOf } from './console.js';

/** The effect of RELOAD, as the console shows it before and after. */
export interface ReloadResult {
  readonly changes: readonly Change[];
  /** Settings of the file that the pooler does not use. */
  readonly notTaken: readonly NotTaken[];
  /** The file that was compared with; null where it could not be read. */
  readonly file: string | null;
  /** Why it was not compared with a file; null where it was. */
  readonly notCompared: string | null;
}

export interface Change {
  /** A setting, or `database NAME: COLUMN`. */
  readonly what: string;
  /** null: it was not there. */
  readonly before: string | null;
  readonly after: string | null;
}

export interface NotTaken {
  readonly what: string;
  readonly file: string;
  readonly inForce: string | null;
  readonly why: string;
}

/** Reads the file that a pooler says is its own; gives its text, or a clause that says why not. */
export type ReadFile = (
  path: string | null,
) => Promise<{ readonly path: string; readonly text: string } | string>;

interface Shown {
  readonly config: readonly Row[];
  readonly databases: readonly Row[];
}

/**
 * Reloads, and looks for itself what came of it: before 1.25 PgBouncer answers OK to a file that it cannot read, and
 * goes on with what it had, or with half of the new.
 */
export async function reloadChecked(
  ask: Ask,
  signal: AbortSignal,
  readFile: ReadFile,
): Promise<ReloadResult> {
  const before = await look(ask, signal);
  const own = textOf(before.config.find(({ key }) => key === 'conffile')?.value) || null;
  const found = await readFile(own);
  await ask('RELOAD', signal);
  const after = await look(ask, signal);
  const isRead = typeof found !== 'string';
  return {
    changes: changesBetween(before, after),
    notTaken: isRead ? notTakenOf(found.text, after) : [],
    file: isRead ? found.path : null,
    notCompared: isRead ? null : found,
  };
}

async function look(ask: Ask, signal: AbortSignal): Promise<Shown> {
  const config = await ask('SHOW CONFIG', signal);
  if (config.length === 0) throw new ConsoleError('ERR_PGBOUNCER_REFUSED', 'SHOW CONFIG shows nothing', null);
  return { config, databases: await ask('SHOW DATABASES', signal) };
}

/** Columns of SHOW DATABASES that are counts of the moment, and no settings. */
const MOMENTARY = ['name', 'current_connections', 'current_client_connections', 'paused', 'disabled'];

function changesBetween(before: Shown, after: Shown): readonly Change[] {
  return [
    ...differences(valuesOf(before.config), valuesOf(after.config)),
    ...differences(columnsOf(before.databases), columnsOf(after.databases)),
  ];
}

function differences(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): Change[] {
  const keys = [...new Set([...before.keys(), ...after.keys()])];
  return keys
    .map((what) => ({ what, before: before.get(what) ?? null, after: after.get(what) ?? null }))
    .filter((one) => one.before !== one.after);
}

function valuesOf(config: readonly Row[]): ReadonlyMap<string, string> {
  return new Map(config.map(({ key, value }) => [textOf(key), textOf(value)]));
}

function columnsOf(databases: readonly Row[]): ReadonlyMap<string, string> {
  return new Map(
    databases.flatMap((row) =>
      Object.keys(row)
        .filter((column) => !MOMENTARY.includes(column))
        .map((column): [string, string] => [`database ${textOf(row.name)}: ${column}`, textOf(row[column])]),
    ),
  );
}

function notTakenOf(text: string, { config, databases }: Shown): readonly NotTaken[] {
  const file = parseIni(text);
  const found: NotTaken[] = file.broken.map((line) => ({
    ...{ what: `line ${line}`, file: 'no setting', inForce: null },
    why: 'PgBouncer stops reading the file there',
  }));
  for (const [key, wanted] of file.settings) {
    const row = config.find((one) => one.key === key);
    if (row === undefined) {
      found.push({ what: key, file: wanted, inForce: null, why: 'this version has no such setting' });
      continue;
    }
    const inForce = textOf(row.value);
    if (meaning(wanted) === meaning(inForce)) continue;
    const why = textOf(row.changeable) === 'no' ? 'it needs a restart' : 'it was not taken: see its log';
    found.push({ what: key, file: wanted, inForce, why });
  }
  for (const [name, wanted] of file.databases) {
    if (name === '*') continue;
    const row = databases.find((one) => one.name === name);
    if (row === undefined) {
      found.push({
        what: `database ${name}`,
        file: 'there',
        inForce: null,
        why: 'it was not taken: see its log',
      });
      continue;
    }
    for (const [key, column] of DATABASE_COLUMNS) {
      const said = wanted.get(key);
      const inForce = textOf(row[column]);
      if (said === undefined || row[column] === undefined || meaning(said) === meaning(inForce)) continue;
      found.push({
        what: `database ${name}: ${key}`,
        file: said,
        inForce,
        why: 'it was not taken: see its log',
      });
    }
  }
  return found;
}

/** The keys of a database's line, and the column that shows each. */
const DATABASE_COLUMNS = [
  ['host', 'host'],
  ['port', 'port'],
  ['dbname', 'database'],
  ['user', 'force_user'],
  ['pool_size', 'pool_size'],
  ['pool_mode', 'pool_mode'],
  ['max_db_connections', 'max_connections'],
] as const;

export interface ParsedIni {
  readonly settings: ReadonlyMap<string, string>;
  readonly databases: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** The numbers of lines that cannot be read. */
  readonly broken: readonly number[];
}

/** pgbouncer.ini as far as it can be compared: what stands in files that it includes is not seen. */
export function parseIni(text: string): ParsedIni {
  const settings = new Map<string, string>();
  const databases = new Map<string, ReadonlyMap<string, string>>();
  const broken: number[] = [];
  let section = '';
  for (const [at, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || /^[;#]/.test(line) || line.startsWith('%include')) continue;
    const [, header] = /^\[([^\]]*)\]$/.exec(line) ?? [];
    if (header !== undefined) {
      section = header;
      continue;
    }
    const [, quoted, bare, value = ''] = /^(?:"((?:[^"]|"")*)"|([^\s="]+))\s*=\s*(.*)$/.exec(line) ?? [];
    const key = quoted?.replaceAll('""', '"') ?? bare;
    if (key === undefined) broken.push(at + 1);
    else if (section === 'pgbouncer') settings.set(key, value);
    else if (section === 'databases') databases.set(key, pairsOf(value));
  }
  return { settings, databases, broken };
}

function pairsOf(text: string): ReadonlyMap<string, string> {
  const pairs = text.matchAll(/(\w+)\s*=\s*(?:'((?:[^']|'')*)'|(\S*))/g);
  return new Map(
    [...pairs].map(([, key = '', quoted, bare = '']) => [key, quoted?.replaceAll("''", "'") ?? bare]),
  );
}

/** The file may write `yes` where the console shows 1. */
function meaning(value: string): string {
  const word = value.trim().toLowerCase();
  if (/^(yes|on|true)$/.test(word)) return '1';
  if (/^(no|off|false)$/.test(word)) return '0';
  return /^\d+(\.\d+)?$/.test(word) ? String(Number(word)) : value.trim();
}
