import { closest } from '../../base/closest.js';
import type { DatabaseUrl } from '../connection.js';
import { cut, type Pair, pairsOf } from './url-parts.js';

/** Schemes of MySQL and MariaDB; SQLAlchemy puts a driver behind, JDBC a prefix before and a way of failover behind. */
const SCHEME =
  /^(jdbc:|r2dbc:(?:pool:)?)?(?:mysql2?|mariadb)(?:\+[a-z0-9_]+)?(?::(?:loadbalance|replication|failover|sequential|aurora))?:(.*)$/is;

/** Parameters in which a plus is a plus. */
const LITERAL = /^(?:user(?:name)?|password)$/i;

/** The form of the drivers for Go: `user:password@tcp(host:3306)/database`. */
const GO_DSN = /^([^/]*?)@(tcp6?|unix)(?:\(([^)]*)\))?\/([^?]*)(?:\?(.*))?$/is;

/**
 * Reads every form in which people have the address of a MySQL or MariaDB server, and translates it to one. Parameters of
 * other drivers are translated, or listed as ignored. Those whose loss would weaken security are problems. null where the
 * text is something else.
 */
export function readMysqlUrl(text: string): DatabaseUrl | null {
  const [, prefix, rest] = SCHEME.exec(text) ?? [];
  if (rest !== undefined) {
    const [place, query] = cut(rest, '?');
    return translated(place, pairsOf(query, LITERAL), /^jdbc:/i.test(prefix ?? ''));
  }
  const [, who = '', network = '', address = '', database = '', query = ''] = GO_DSN.exec(text) ?? [];
  if (network === '') return null;
  const isSocket = network.toLowerCase() === 'unix';
  // Nothing is percent-encoded in that form, but what follows the database.
  const [user, password] = cut(who, ':');
  const place = `//${isSocket ? '' : address}/${encodeURIComponent(database)}`;
  const own: Pair[] = [
    ['user', user],
    ...(password === '' ? [] : [['password', password] as Pair]),
    ...(isSocket ? [['socket', address] as Pair] : []),
  ];
  return translated(place, [...own, ...pairsOf(query, LITERAL)], false);
}

function translated(place: string, pairs: readonly Pair[], isJdbc: boolean): DatabaseUrl {
  const params = new URLSearchParams();
  const ignored: string[] = [];
  const problems: string[] = [];
  const given = new Map(pairs.map(([name, value]) => [keyOf(name), value]));
  for (const [name, value] of pairs) {
    const key = keyOf(name);
    const isKnown = CANONICAL.has(key) || SPECIAL.has(key) || IGNORED_KEYS.has(key);
    // A password with an unescaped question mark goes on in the parameters: its pieces must not be shown.
    if (!isKnown && (name.includes('@') || (!place.includes('@') && value.includes('@')))) {
      return {
        ...{ scheme: 'mysql', rest: place, params: new URLSearchParams(), ignored: [] },
        problems: ['a ? in the password must be written %3F'],
      };
    }
    const meaning = meaningOf(name, value, { isJdbc, given });
    if (meaning === 'ignored') ignored.push(name);
    else if (typeof meaning === 'string') problems.push(meaning);
    else for (const [canonical, text] of meaning) params.set(canonical, text);
  }
  return { scheme: 'mysql', rest: place, params, ignored, problems };
}

/** One name for ssl-mode, ssl_mode, sslMode and sslmode. */
function keyOf(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]/g, '');
}

/** The meaning of a parameter: parameters of ours, nothing, or a problem in words. */
type Meaning = readonly Pair[] | 'ignored' | (string & {});

interface Around {
  readonly isJdbc: boolean;
  readonly given: ReadonlyMap<string, string>;
}

function meaningOf(typed: string, value: string, around: Around): Meaning {
  const key = keyOf(typed);
  const special = SPECIAL.get(key)?.(value, around);
  if (special !== undefined) return special;
  const canonical = CANONICAL.get(key);
  if (canonical !== undefined) return [[canonical, value]];
  if (IGNORED_KEYS.has(key)) return 'ignored';
  const meant = closest(key, [...CANONICAL.keys(), ...SPECIAL.keys()]);
  const name = meant === null ? null : (CANONICAL.get(meant) ?? meant);
  // A misspelled ssl-mode must not give a connection without TLS.
  const guards = /ssl|tls|cert|auth|verif|secur|publickey|cleartext/i;
  if (guards.test(key) || (name !== null && guards.test(name))) {
    const hint = name === null ? `; there are ${PARAMETERS.join(', ')}` : `; did you mean ${name}?`;
    return `unknown parameter '${typed}'${hint}`;
  }
  return 'ignored';
}

/** The parameters that the driver takes. */
export const PARAMETERS = [
  ...['host', 'port', 'user', 'password', 'database', 'socket'],
  ...['ssl-mode', 'ssl-ca', 'ssl-cert', 'ssl-key', 'ssl-passphrase', 'tls-version'],
  ...['connect-timeout', 'statement-timeout', 'lock-timeout', 'charset', 'timezone', 'session-variables'],
  ...['prepare-threshold', 'readonly', 'keep-alive', 'program-name', 'cleartext'],
] as const;

const CANONICAL: ReadonlyMap<string, string> = new Map([
  ...PARAMETERS.map((name) => [keyOf(name), name] as const),
  ...(
    [
      ['username', 'user'],
      ['db', 'database'],
      ['dbname', 'database'],
      ['databasename', 'database'],
      ['schema', 'database'],
      ['socketpath', 'socket'],
      ['unixsocket', 'socket'],
      ['localsocket', 'socket'],
      ['sslca', 'ssl-ca'],
      ['cafile', 'ssl-ca'],
      ['serversslcert', 'ssl-ca'],
      ['sslkeypassword', 'ssl-passphrase'],
      ['sslkeypassphrase', 'ssl-passphrase'],
      ['sessionvariables', 'session-variables'],
      ['maxexecutiontime', 'statement-timeout'],
      ['innodblockwaittimeout', 'lock-timeout'],
      ['lockwaittimeout', 'lock-timeout'],
      ['enablecleartextplugin', 'cleartext'],
      ['allowcleartextpasswords', 'cleartext'],
    ] as const
  ).map(([key, name]) => [key, name] as const),
]);

const isOn = (value: string): boolean => /^(?:true|1|on|yes|)$/i.test(value);
const isOff = (value: string): boolean => /^(?:false|0|off|no)$/i.test(value);

const MODES: Readonly<Record<string, string>> = {
  disabled: 'DISABLED',
  disable: 'DISABLED',
  false: 'DISABLED',
  '0': 'DISABLED',
  off: 'DISABLED',
  preferred: 'PREFERRED',
  prefer: 'PREFERRED',
  allow: 'PREFERRED',
  required: 'REQUIRED',
  require: 'REQUIRED',
  trust: 'REQUIRED',
  'skip-verify': 'REQUIRED',
  noverify: 'REQUIRED',
  'no-verify': 'REQUIRED',
  verify_ca: 'VERIFY_CA',
  'verify-ca': 'VERIFY_CA',
  verify_identity: 'VERIFY_IDENTITY',
  'verify-identity': 'VERIFY_IDENTITY',
  'verify-full': 'VERIFY_IDENTITY',
  verify_full: 'VERIFY_IDENTITY',
  // In the drivers for Go and MariaDB this is a full check.
  true: 'VERIFY_IDENTITY',
  '1': 'VERIFY_IDENTITY',
  on: 'VERIFY_IDENTITY',
};

const ZONE = /^(?:utc|gmt|z|local|system|server|\s?[+-]?\d\d:?\d\d)$/i;

type Special = (value: string, around: Around) => Meaning | undefined;

function mode(name: string): Special {
  return (value) => {
    const found = MODES[value.toLowerCase()];
    return found === undefined
      ? `${name} is one of DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY`
      : [['ssl-mode', found]];
  };
}

const hasMode = ({ given }: Around): boolean => given.has('sslmode');
const refusedWith =
  (why: string): Special =>
  () =>
    why;

/** Milliseconds in JavaScript and Java, seconds elsewhere; with a unit it is clear. */
function duration(canonical: string, msFrom: number): Special {
  return (value, { isJdbc }) => {
    if (!/^\d+(?:\.\d+)?$/.test(value)) return [[canonical, value]];
    const number = Number(value);
    if (number === 0) return [];
    return [[canonical, isJdbc || number >= msFrom ? `${number}ms` : `${number}s`]];
  };
}

/** Parameters whose meaning depends on the value, or on others. */
const SPECIAL: ReadonlyMap<string, Special> = new Map<string, Special>([
  ['sslmode', mode('ssl-mode')],
  // A mode beside them says more.
  ['ssl', (value, around) => (hasMode(around) ? [] : trusted(sslValue(value), around))],
  ['tls', (value, around) => (hasMode(around) ? [] : mode('tls')(value, around))],
  ['usessl', (value, around) => (hasMode(around) ? [] : sslSwitch(isOn(value), around))],
  ['requiressl', (value, around) => (hasMode(around) || !isOn(value) ? [] : sslSwitch(true, around))],
  [
    'verifyservercertificate',
    (_, around) => (hasMode(around) || around.given.has('usessl') ? [] : sslSwitch(true, around)),
  ],
  [
    'trustservercertificate',
    (value, { given }) => (isOn(value) && !given.has('sslmode') ? [['ssl-mode', 'REQUIRED']] : []),
  ],
  [
    'sslaccept',
    (value) => {
      if (value === 'strict') return [['ssl-mode', 'VERIFY_IDENTITY']];
      if (!/^accept[_-]invalid[_-]certs$/.test(value)) return 'sslaccept is strict or accept_invalid_certs';
      return [['ssl-mode', 'REQUIRED']];
    },
  ],
  ['sslverifycert', (value, around) => (isOn(value) && !hasMode(around) ? [['ssl-mode', 'VERIFY_CA']] : [])],
  [
    'sslverifyidentity',
    (value, around) => (isOn(value) && !hasMode(around) ? [['ssl-mode', 'VERIFY_IDENTITY']] : []),
  ],
  ['ssldisabled', (value) => (isOn(value) ? [['ssl-mode', 'DISABLED']] : [])],
  // In Prisma it is the certificate authority of the server.
  ['sslcert', (value, { given }) => (given.has('sslkey') ? undefined : [['ssl-ca', value]])],
  ['sslidentity', refusedWith('sslidentity is not supported: write ssl-cert and ssl-key')],
  ['sslpassword', refusedWith('sslpassword is not supported: write ssl-passphrase')],
  ['sslcrl', refusedWith('ssl-crl is not supported, and without it revoked certificates pass')],
  ['sslcrlpath', refusedWith('ssl-crlpath is not supported, and without it revoked certificates pass')],
  [
    'sslcapath',
    refusedWith('ssl-capath is not supported: put the certificates into one file, and name it in ssl-ca'),
  ],
  ['sslcipher', refusedWith('ssl-cipher is not supported: write tls-version')],
  ['sslfpserver', refusedWith('a fingerprint is not supported: write ssl-ca')],
  ...['trustcertificatekeystoreurl', 'clientcertificatekeystoreurl', 'truststore', 'keystore'].map(
    (key) =>
      [key, refusedWith('a key store of Java is not supported: write ssl-ca, ssl-cert and ssl-key')] as const,
  ),
  ['enabledtlsprotocols', refusedWith('enabledTLSProtocols is not supported: write tls-version')],
  ['serverpublickeypath', refusedWith('a public key is not supported: use TLS, as with ssl-mode=REQUIRED')],
  [
    'serverrsapublickeyfile',
    refusedWith('a public key is not supported: use TLS, as with ssl-mode=REQUIRED'),
  ],
  [
    'allowpublickeyretrieval',
    (value, { given }) =>
      isOff(value) && !/^(?:required|verify_ca|verify_identity)$/i.test(given.get('sslmode') ?? '')
        ? 'allowPublicKeyRetrieval=false needs TLS: add ssl-mode=REQUIRED'
        : [],
  ],
  ['getserverpublickey', () => []],
  [
    'authplugin',
    refusedWith('an authentication plugin cannot be demanded here; the server names the one of the account'),
  ],
  [
    'defaultauth',
    refusedWith('an authentication plugin cannot be demanded here; the server names the one of the account'),
  ],
  ['connecttimeout', duration('connect-timeout', 300)],
  ['timeout', duration('connect-timeout', 300)],
  ['statementtimeout', (value) => (/^0+$/.test(value) ? [] : undefined)],
  [
    'maxstatementtime',
    (value) => (/^[\d.]+$/.test(value) ? [['statement-timeout', `${value}s`]] : undefined),
  ],
  ...['timezone', 'servertimezone', 'connectiontimezone'].map(
    // The name of a zone is the server's affair.
    (key) =>
      [
        key,
        (value: string) => (ZONE.test(value) ? ([['timezone', value]] as const) : ('ignored' as const)),
      ] as const,
  ),
  ['charset', (value) => (/^utf8(?:mb[34])?(?:_\w+)?$|^utf-8$/i.test(value) ? [] : [['charset', value]])],
  ['characterencoding', (value) => (/^utf-?8(?:mb4)?$/i.test(value) ? [] : 'ignored')],
  ['useserverprepstmts', (value) => (isOn(value) ? [['prepare-threshold', '1']] : [])],
  ['readonly', (value) => [['readonly', isOn(value) ? 'true' : 'false']]],
  ['multistatements', () => []],
  ['multiplestatements', () => []],
  ['allowmultiqueries', () => []],
  ['allowlocalinfile', (value) => (isOn(value) ? 'ignored' : [])],
  ['localinfile', (value) => (isOn(value) ? 'ignored' : [])],
]);

/** MariaDB's connectors turn all checks off with a parameter of its own. */
function trusted(meaning: Meaning, { given }: Around): Meaning {
  return isOn(given.get('trustservercertificate') ?? 'false') ? [['ssl-mode', 'REQUIRED']] : meaning;
}

/** mysql2 takes an object in JSON, others a word. */
function sslValue(value: string): Meaning {
  if (value.trim().startsWith('{')) {
    try {
      const { rejectUnauthorized = true, ...rest } = JSON.parse(value) as Record<string, unknown>;
      const other = Object.keys(rest)[0];
      if (other !== undefined)
        return `ssl={"${other}": ...} is not supported: write ssl-ca, ssl-cert and ssl-key`;
      return [['ssl-mode', rejectUnauthorized === false ? 'REQUIRED' : 'VERIFY_IDENTITY']];
    } catch {
      return 'ssl holds no JSON that can be read';
    }
  }
  if (/^amazon rds$/i.test(value))
    return 'ssl=Amazon RDS is not supported: download their certificates, and write ssl-ca=FILE';
  if (value === '') return [['ssl-mode', 'VERIFY_IDENTITY']];
  return mode('ssl')(value, { isJdbc: false, given: new Map() }) ?? 'ignored';
}

function sslSwitch(on: boolean, { given }: Around): Meaning {
  if (!on) return [['ssl-mode', 'DISABLED']];
  const verifies = isOn(given.get('verifyservercertificate') ?? 'false');
  return [['ssl-mode', verifies ? 'VERIFY_CA' : 'REQUIRED']];
}

/** Parameters of other drivers that do not change what a load test or a check sees, or have an option of poolctl. */
const IGNORED_KEYS = new Set(
  [
    // mysql2, TypeORM, Sequelize
    'connectionLimit maxIdle idleTimeout queueLimit waitForConnections resetOnRelease debug trace flags compress',
    'supportBigNumbers bigNumberStrings dateStrings decimalNumbers rowsAsArray namedPlaceholders nestTables typeCast',
    'stringifyObjects jsonStrings enableKeepAlive keepAliveInitialDelay insecureAuth charsetNumber pool logging',
    // Prisma, PlanetScale
    'connection_limit pool_timeout socket_timeout statement_cache_size pgbouncer relationMode referentialIntegrity',
    // MariaDB connectors
    'acquireTimeout minimumIdle initializationTimeout minDelayValidation socketTimeout tinyInt1isBit pipelining',
    'metaAsArray checkDuplicate bulk permitLocalInfile permitSetMultiParamEntries maxPoolSize minPoolSize maxIdleTime',
    // JDBC
    'useUnicode characterSetResults zeroDateTimeBehavior rewriteBatchedStatements cachePrepStmts prepStmtCacheSize',
    'prepStmtCacheSqlLimit useLocalSessionState useLegacyDatetimeCode autoReconnect autoReconnectForPools failOverReadOnly',
    'useCursorFetch defaultFetchSize maxReconnects tcpKeepAlive tcpNoDelay useCompression elideSetAutoCommits',
    'cacheServerConfiguration cacheResultSetMetadata maintainTimeStats noAccessToProcedureBodies nullCatalogMeansCurrent',
    'nullDatabaseMeansCurrent useInformationSchema remarksReporting forceConnectionTimeZoneToSession preserveInstants',
    'useAffectedRows dumpQueriesOnException logger profileSQL serverAffinityOrder connectionCollation collation',
    // Go, Python, Rails, Django
    'parseTime loc interpolateParams maxAllowedPacket clientFoundRows columnsWithAlias rejectReadOnly checkConnLiveness',
    'readTimeout writeTimeout read_timeout write_timeout autocommit use_unicode conn_max_age init_command binary_prefix',
    'reconnect encoding pool_recycle pool_size max_overflow variables strict prepared_statements client_flag conv',
    'read_default_file read_default_group cursorclass sql_mode connectionAttributes',
  ]
    .flatMap((line) => line.split(' '))
    .map(keyOf),
);
