import { closest } from '../../base/closest.js';
import type { DatabaseUrl } from '../connection.js';
import { cut, type Pair, pairsOf } from './url-parts.js';

/** Schemes of PostgreSQL and of databases that speak its protocol; SQLAlchemy puts a driver behind, JDBC a prefix before. */
const SCHEME =
  /^(jdbc:|r2dbc:(?:pool:)?)?(?:postgres(?:ql)?|pgsql|postgis|cockroach(?:db)?|redshift)(?:\+[a-z0-9_]+)?:(.*)$/is;

/** Parameters in which a plus is a plus. */
const LITERAL = /^(?:user(?:name)?|password|sslpassword)$/i;

/**
 * Reads every form in which people have the address of a PostgreSQL server, and translates it to one: the names are
 * libpq's, as the driver takes them. Parameters of other drivers are translated, or listed as ignored. Those whose loss
 * would weaken security are problems. null where the text is something else.
 */
export function readPostgresUrl(text: string): DatabaseUrl | null {
  const [, prefix, rest] = SCHEME.exec(text) ?? [];
  if (rest !== undefined) {
    const [place = '', query = ''] = cut(rest, '?');
    const isJdbc = prefix !== undefined;
    // jdbc:postgresql:database is one on localhost.
    const where = isJdbc && !place.startsWith('//') ? `///${place.replace(/^\//, '')}` : place;
    return translated(where, pairsOf(query, LITERAL), isJdbc);
  }
  const pairs = keywordsOf(text);
  return pairs === null ? null : translated('//', pairs, false);
}

const FIRST_KEYWORD =
  /^\s*(?:host|hostaddr|port|dbname|user|password|service|sslmode|application_name|connect_timeout|target_session_attrs|options)\s*=/i;

/** A connection string of libpq: `host=db.example dbname=shop password='with blanks'`. null where it is none. */
function keywordsOf(text: string): Pair[] | null {
  if (!FIRST_KEYWORD.test(text)) return null;
  const pairs: Pair[] = [];
  const part = /\s*([a-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s\\']|\\.)*))(?=\s|$)/iy;
  let at = 0;
  for (let match = part.exec(text); match !== null; match = part.exec(text)) {
    const [, name = '', quoted, bare = ''] = match;
    pairs.push([name, (quoted ?? bare).replace(/\\(.)/gs, '$1')]);
    at = part.lastIndex;
  }
  // The rest may be a piece of a password.
  if (text.slice(at).trim() !== '') pairs.push(['', '']);
  return pairs;
}

function translated(place: string, pairs: readonly Pair[], isJdbc: boolean): DatabaseUrl {
  const params = new URLSearchParams();
  const ignored: string[] = [];
  const problems: string[] = [];
  const seen = new Set(pairs.map(([name]) => name.toLowerCase()));
  for (const [name, value] of pairs) {
    if (name === '') {
      problems.push("quote values with blanks, as in password='a b'");
      continue;
    }
    const meaning = meaningOf(name, value, { isJdbc, seen });
    // A password with an unescaped question mark goes on in the parameters: its pieces must not be shown.
    const isUnknown = meaning.kind !== 'takes' && !KNOWN_ELSEWHERE.has(name.toLowerCase());
    if (isUnknown && (name.includes('@') || (!place.includes('@') && value.includes('@')))) {
      return { ...LOST, rest: place, params: new URLSearchParams() };
    }
    if (meaning.kind === 'ignored') ignored.push(name);
    else if (meaning.kind === 'refused') problems.push(meaning.why);
    else for (const [key, text] of meaning.params) add(params, key, text);
  }
  return { scheme: 'postgres', rest: place, params, ignored, problems };
}

const LOST = { scheme: 'postgres', ignored: [], problems: ['a ? in the password must be written %3F'] };

/** SQLAlchemy names each of several hosts in a parameter of its own. */
function add(params: URLSearchParams, key: string, value: string): void {
  const before = params.get(key);
  if (key !== 'host' || before === null) params.set(key, value);
  else {
    const [host = '', port = ''] = value.startsWith('/') ? [value] : cut(value, ':');
    params.set('host', `${before},${host}`);
    if (port !== '') params.set('port', `${params.get('port') ?? ''},${port}`);
  }
}

type Meaning =
  | { readonly kind: 'takes'; readonly params: readonly Pair[] }
  | { readonly kind: 'ignored' }
  | { readonly kind: 'refused'; readonly why: string };

const IGNORED: Meaning = { kind: 'ignored' };
const refused = (why: string): Meaning => ({ kind: 'refused', why });
const takes = (...params: Pair[]): Meaning => ({ kind: 'takes', params });

interface Around {
  readonly isJdbc: boolean;
  /** The names of all parameters, in lower case. */
  readonly seen: ReadonlySet<string>;
}

function meaningOf(typed: string, value: string, around: Around): Meaning {
  const name = typed.toLowerCase();
  if (PARAMETERS.includes(typed)) return special(typed, value, around) ?? takes([typed, value]);
  const same = SYNONYMS[name];
  if (same !== undefined) return special(same, value, around) ?? takes([same, value]);
  const meaning = special(name, value, around);
  if (meaning !== null) return meaning;
  if (KNOWN_ELSEWHERE.has(name)) return IGNORED;
  const meant = closest(name, PARAMETERS);
  const hint = meant === null ? '' : `; did you mean ${meant}?`;
  // A misspelled sslmode must not give a connection without TLS.
  const guards = /ssl|tls|cert|auth|verif|secur|channel|gss|krb/i;
  if (guards.test(name) || (meant !== null && guards.test(meant))) {
    return refused(`unknown parameter '${typed}'${hint || `; there are ${PARAMETERS.join(', ')}`}`);
  }
  return IGNORED;
}

/** Parameters whose meaning depends on the value, or on others; null for all else. */
function special(name: string, value: string, { isJdbc, seen }: Around): Meaning | null {
  const isOn = /^(?:true|1|on|yes|)$/i.test(value);
  switch (name) {
    case 'ssl':
    case 'requiressl':
      // An sslmode beside it says more.
      if (seen.has('sslmode')) return takes();
      if (SSL_VALUES.has(value.toLowerCase())) return takes(['sslmode', value.toLowerCase()]);
      if (/^(?:false|0|off|no)$/i.test(value))
        return takes(name === 'ssl' ? ['sslmode', 'disable'] : ['sslmode', 'prefer']);
      if (!isOn) return refused(`${name} is true, false or an sslmode`);
      // libpq translates ssl=true to require; for JDBC it means a full check.
      if (seen.has('sslfactory')) return takes();
      return takes(['sslmode', isJdbc ? 'verify-full' : 'require']);
    case 'sslfactory':
      if (/NonValidatingFactory$/.test(value))
        return seen.has('sslmode') ? takes() : takes(['sslmode', 'require']);
      if (/\.(?:LibPQFactory|DefaultJavaSSLFactory)$/.test(value)) {
        return seen.has('sslmode') ? takes() : takes(['sslmode', 'verify-full']);
      }
      return refused('sslfactory names a class of Java; set sslmode and sslrootcert instead');
    case 'sslaccept':
      // Prisma's sslmode says only whether there is TLS.
      if (value === 'strict') return takes(['sslaccept', 'strict']);
      return /^accept[_-]invalid[_-]certs$/.test(value)
        ? takes()
        : refused('sslaccept is strict or accept_invalid_certs');
    case 'sslcert':
      // For Prisma it is the certificate authority of the server.
      return seen.has('sslkey') || !(seen.has('sslaccept') || seen.has('sslidentity'))
        ? null
        : takes(['sslrootcert', value]);
    case 'schema':
    case 'currentschema':
    case 'search_path':
      // Every role has public in its path, and PgBouncer takes no search_path.
      return value === 'public' ? IGNORED : takes(['search_path', value]);
    case 'targetservertype':
      return takes(['target_session_attrs', TARGET_TYPES[value.toLowerCase()] ?? value]);
    case 'loadbalancehosts':
      return takes(['load_balance_hosts', isOn ? 'random' : 'disable']);
    case 'load_balance_hosts':
      return takes([
        name,
        /^(?:true|random)$/i.test(value) ? 'random' : value === 'false' ? 'disable' : value,
      ]);
    case 'gssencmode':
      return value.toLowerCase() === 'require'
        ? refused('gssencmode=require is not supported: use TLS')
        : takes();
    case 'client_encoding':
    case 'clientencoding':
    case 'encoding':
    case 'charset':
      return /^(?:utf-?8|auto|unicode)$/i.test(value) ? takes() : IGNORED;
    case 'pgbouncer':
      return takes([name, value === '' ? 'true' : value]);
    case 'connect_timeout':
    case 'statement_timeout':
    case 'connecttimeout':
      // Zero and less mean no limit, for libpq and Prisma.
      return /^(?:-\d+|0)$/.test(value)
        ? takes()
        : name === 'connecttimeout'
          ? takes(['connect_timeout', value])
          : null;
    case 'requirepeer':
      return refused('requirepeer is not supported, and without it any user may own the socket');
    case 'service':
    case 'servicefile':
      return refused(`${name} is not supported: write host, port, user and dbname`);
    case 'sslcrldir':
      return refused(
        'sslcrldir is not supported: put the revocation lists into one file, and name it in sslcrl',
      );
    case 'readonly':
      return isOn ? takes(['readonly', 'true']) : takes();
    case 'replication':
      return /^(?:false|0|off|no)$/i.test(value) ? takes() : IGNORED;
    default:
      return null;
  }
}

const SSL_VALUES = new Set([
  'disable',
  'allow',
  'prefer',
  'require',
  'verify-ca',
  'verify-full',
  'no-verify',
]);

const TARGET_TYPES: Readonly<Record<string, string>> = {
  master: 'primary',
  slave: 'standby',
  secondary: 'standby',
  preferslave: 'prefer-standby',
  prefersecondary: 'prefer-standby',
};

/** The parameters that the driver takes. */
export const PARAMETERS = [
  ...[
    'host',
    'hostaddr',
    'port',
    'dbname',
    'user',
    'password',
    'passfile',
    'sslmode',
    'sslrootcert',
    'sslcert',
  ],
  ...['sslkey', 'sslpassword', 'sslcrl', 'sslidentity', 'sslaccept', 'sslsni', 'sslnegotiation'],
  ...['ssl_min_protocol_version', 'ssl_max_protocol_version', 'channel_binding', 'require_auth'],
  ...['target_session_attrs', 'load_balance_hosts', 'application_name', 'fallback_application_name'],
  ...['connect_timeout', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'],
  ...[
    'options',
    'search_path',
    'keepalives',
    'keepalives_idle',
    'pgbouncer',
    'prepare_threshold',
    'readonly',
  ],
];

/** By lower-case name: what JDBC, .NET and others call the same. */
const SYNONYMS: Readonly<Record<string, string>> = {
  username: 'user',
  database: 'dbname',
  databasename: 'dbname',
  applicationname: 'application_name',
  application_name: 'application_name',
  sslpassword: 'sslpassword',
  sslrootcert: 'sslrootcert',
  sslnegotiation: 'sslnegotiation',
  sslmode: 'sslmode',
  channelbinding: 'channel_binding',
  requireauth: 'require_auth',
  logintimeout: 'connect_timeout',
  preparethreshold: 'prepare_threshold',
  search_path: 'search_path',
};

/** Parameters of other drivers that do not change what a load test or a check sees, or have an option of poolctl. */
const KNOWN_ELSEWHERE = new Set(
  [
    // libpq
    'keepalives_interval keepalives_count tcp_user_timeout sslcompression krbsrvname gsslib gssdelegation sslcertmode',
    'sslkeylogfile min_protocol_version max_protocol_version scram_client_key scram_server_key oauth_issuer oauth_client_id',
    // node-postgres
    'uselibpqcompat query_timeout idletimeoutmillis max min allowexitonidle keepalive',
    // Prisma
    'connection_limit pool_timeout socket_timeout statement_cache_size single_use_connections max_idle_connection_lifetime',
    // SQLAlchemy, asyncpg, Django
    'prepared_statement_cache_size prepared_statement_name_func command_timeout async_fallback conn_max_age',
    // JDBC
    'sockettimeout canceltimeout canceleventtimeout sslhostnameverifier sslpasswordcallback tcpkeepalive tcpnodelay',
    'preparedstatementcachequeries preparedstatementcachesizemib defaultrowfetchsize rewritebatchedinserts stringtype',
    'binarytransfer loglevel loggerlevel loggerfile autosave prefermquerymode prefquerymode preferquerymode',
    'readonlymode hostrecheckseconds assumeminserverversion sslresponsetimeout jaaslogin jaasapplicationname',
    'kerberosservername usespnego allowencodingchanges unknownlength disablecolumnsanitiser',
    // pgx, lib/pq, Rails
    'pool_max_conns pool_min_conns pool_max_conn_lifetime pool_max_conn_idle_time pool_health_check_period',
    'default_query_exec_mode statement_cache_capacity description_cache_capacity binary_parameters pool prepared_statements',
  ].flatMap((line) => line.split(' ')),
);
