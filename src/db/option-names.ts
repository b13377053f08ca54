import { type ForeignNames, type OptionShape, optionProblems } from '../base/option-shape.js';
import { FOREIGN_NAMES, POOL_SHAPE } from '../pool/option-names.js';
import type { DatabaseOptions } from './connection.js';

const { driver: _, ...poolShape } = POOL_SHAPE;

const SHAPE = {
  ...poolShape,
  mode: 'any',
  readOnly: 'boolean',
  mustExist: 'boolean',
  busyTimeoutMs: 'any',
  journal: 'any',
  workerHeapMb: 'any',
  engine: 'any',
  password: 'any',
  passwordFile: 'text',
  pgbouncer: 'boolean',
  prepareThreshold: 'any',
  onNotice: 'function',
} as const satisfies OptionShape & Record<keyof DatabaseOptions, unknown>;

const IN_THE_URL = 'put it into the URL';

const FOREIGN: ForeignNames = {
  ...FOREIGN_NAMES,
  driver: 'the scheme of the URL chooses the driver',
  ...Object.fromEntries(
    [
      ...['connectionString', 'uri', 'url', 'host', 'port', 'user', 'username', 'database', 'socketPath'],
      ...[
        'application_name',
        'statement_timeout',
        'lock_timeout',
        'options',
        'search_path',
        'schema',
        'charset',
      ],
    ].map((name) => [name, IN_THE_URL]),
  ),
  ssl: 'put sslmode=require or sslmode=verify-full into the URL',
  tls: 'put sslmode=require or sslmode=verify-full into the URL',
  filename: 'write it as sqlite:FILE in the URL',
  readonly: 'readOnly',
  fileMustExist: 'mustExist',
};

/** Problems with the names and types of options, whatever the database. */
export function databaseOptionProblems(options: unknown): string[] {
  return optionProblems(options, SHAPE, FOREIGN);
}
