import { mysqlServerAt, openMysqlSource } from '../sources/mysql.js';
import type { Ask } from '../sources/server-connection.js';
import type { SourceOptions } from '../sources/types.js';
import type { MysqlTarget } from './types.js';
import { Unknowable } from './unknowable.js';

/** Reads all that the checks ask of a MySQL or MariaDB server, with two connections that are closed again. */
export async function readMysql(
  address: string,
  options: SourceOptions,
  signal: AbortSignal,
): Promise<MysqlTarget> {
  const server = mysqlServerAt(address, options.env);
  const source = openMysqlSource(address, options);
  try {
    const reading = await source.read(signal);
    await source[Symbol.asyncDispose]();
    const facts = await server.use((ask) => readFacts(ask), signal);
    const seesAll = reading.gaps.length === 0;
    return { kind: 'mysql', label: server.label, ...facts, seesAll, reading: { value: reading } };
  } finally {
    await Promise.allSettled([server.close(), source[Symbol.asyncDispose]()]);
  }
}

type Facts = Omit<MysqlTarget, 'kind' | 'label' | 'reading' | 'seesAll'>;

interface NamedValue {
  readonly Variable_name: string;
  readonly Value: string;
}

async function readFacts(ask: Ask): Promise<Facts> {
  const [own] = await ask<{ version: string; account: string }>(
    'SELECT VERSION() AS version, CURRENT_USER() AS account',
  );
  if (own === undefined) throw new Unknowable('the server says nothing of itself');
  const variables = await ask<NamedValue>('SHOW GLOBAL VARIABLES');
  const status = await ask<NamedValue>('SHOW GLOBAL STATUS');
  const grants = await ask('SHOW GRANTS');
  return {
    ...{ version: own.version, account: own.account, isMariaDb: /mariadb/i.test(own.version) },
    isAdministrator: grants.some((row) => ADMINISTERS.test(Object.values(row).join(' '))),
    variables: new Map(variables.map(({ Variable_name: name, Value: value }) => [name.toLowerCase(), value])),
    status: new Map(
      status.flatMap(({ Variable_name: name, Value: value }) =>
        /^\d+(?:\.\d+)?$/.test(value) ? [[name.toLowerCase(), Number(value)] as const] : [],
      ),
    ),
  };
}

const ADMINISTERS = /\b(?:ALL PRIVILEGES|SUPER|SYSTEM_VARIABLES_ADMIN)\b.* ON \*\.\*/i;
