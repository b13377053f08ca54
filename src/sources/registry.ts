import { registerSecretsIn } from '../base/secrets.js';
import { cutUrl } from '../db/cut-url.js';
import { suggestUrl } from '../db/suggest-url.js';
import { addressError } from './errors.js';
import { masking } from './masking.js';
import { openMysqlSource } from './mysql.js';
import { openPgBouncerSource } from './pgbouncer.js';
import { openPoolSource } from './pool-socket.js';
import { openPostgresSource } from './postgres.js';
import { openPrometheusSource } from './prometheus.js';
import type { SourceOptions, StatsSource } from './types.js';

/** Kinds of addresses, as help texts name them. */
export const SOURCE_FORMS =
  'pool:PATH, pool:HOST:PORT, postgres://USER@HOST/DATABASE, mysql://USER@HOST/, pgbouncer://USER@HOST/, prometheus:URL';

/** Opens an address of one scheme. Throws a SourceError if it is wrong, and connects to nothing. */
type OpenSource = (address: string, options: SourceOptions) => StatsSource;

/** Addresses of these have many forms, which the drivers read. */
const SERVERS: ReadonlyMap<string, OpenSource> = new Map([
  ['postgres', openPostgresSource],
  ['mysql', openMysqlSource],
]);

const SCHEMES: ReadonlyMap<string, OpenSource> = new Map([
  ['pool', openPoolSource],
  ['pgbouncer', openPgBouncerSource],
  ['prometheus', openPrometheusSource],
]);

/**
 * Makes a source of an address. Nothing is connected to before the first reading, and again whenever a connection was
 * lost. Throws a SourceError (ERR_SOURCE_ADDRESS) that says what is wrong with the address; its password is in none.
 */
export function openSource(address: string, options: SourceOptions): StatsSource {
  const [, scheme = ''] = /^([a-z][a-z0-9+.-]*):/i.exec(address) ?? [];
  const open = SERVERS.get(cutUrl(address)?.scheme ?? '') ?? SCHEMES.get(scheme.toLowerCase());
  if (open !== undefined) {
    registerSecretsIn(address);
    return masking(open(address, options));
  }
  const meant = suggestUrl(address, [...SCHEMES.keys()]);
  if (meant !== null) throw addressError(address, `did you mean '${meant}'?`, `there is ${SOURCE_FORMS}`);
  const what = scheme === '' ? 'it has no scheme' : `the scheme '${scheme}' is not known`;
  throw addressError(address, what, `there is ${SOURCE_FORMS}`);
}
