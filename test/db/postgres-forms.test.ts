import { describe, expect, it } from 'vitest';
import { maskSecrets } from '../../src/base/secrets.js';
import { cutUrl } from '../../src/db/cut-url.js';
import { createDatabase } from '../../src/db/database.js';
import { checkPostgresUrl, hostsOf, ignoredRemark, locatePostgres } from '../../src/db/postgres-place.js';
import { suggestUrl } from '../../src/db/suggest-url.js';

/** Forms from the documentation and the repositories of other projects, with passwords of our own. */
const FORMS: [url: string, label: string, ignored?: string][] = [
  // libpq
  ['postgresql://', 'postgres:///'],
  ['postgresql://localhost', 'postgres://localhost/'],
  ['postgresql://user:SECRETpw@localhost', 'postgres://user@localhost/'],
  [
    'postgresql://other@localhost/otherdb?connect_timeout=10&application_name=myapp',
    'postgres://other@localhost/otherdb',
  ],
  [
    'postgresql://host1:123,host2:456/somedb?target_session_attrs=any',
    'postgres://host1:123,host2:456/somedb',
  ],
  ['postgresql:///mydb?host=localhost&port=5433', 'postgres://localhost:5433/mydb'],
  ['postgresql://[2001:db8::1234]/database', 'postgres://[2001:db8::1234]/database'],
  ['postgresql://%2Fvar%2Flib%2Fpostgresql/dbname', 'postgres:///var/lib/postgresql/dbname'],
  [
    'postgresql://user@localhost:5433/mydb?options=-c%20synchronous_commit%3Doff',
    'postgres://user@localhost:5433/mydb',
  ],
  ['host=localhost port=5432 dbname=mydb connect_timeout=10', 'postgres://localhost:5432/mydb'],
  ["host=h user=app password='SECRET with blanks' dbname = d", 'postgres://app@h/d'],
  ['host=a,b port=1,2 dbname=d target_session_attrs=read-write', 'postgres://a:1,b:2/d'],
  ['host=h hostaddr=10.0.0.1 sslmode=verify-full dbname=d', 'postgres://h/d'],
  [
    'user=replication passfile=/home/u/.pgpass host=localhost port=5432 sslmode=prefer sslcompression=1 krbsrvname=postgres target_session_attrs=any',
    'postgres://replication@localhost:5432/',
    'sslcompression, krbsrvname',
  ],
  // node-postgres
  ['postgres://user:SECRETpw@h:5432/d?ssl=true', 'postgres://user@h:5432/d'],
  ['postgres://user:SECRETpw@h:5432/d?sslmode=no-verify', 'postgres://user@h:5432/d'],
  [
    'postgres://user:SECRETpw@h/d?sslmode=require&uselibpqcompat=true',
    'postgres://user@h/d',
    'uselibpqcompat',
  ],
  // Prisma
  [
    'postgresql://app:SECRETpw@db:5432/app?schema=public&connection_limit=5&pool_timeout=10&sslmode=prefer',
    'postgres://app@db:5432/app',
    'schema, connection_limit, pool_timeout',
  ],
  ['postgresql://u:SECRETpw@h/d?schema=sales&connect_timeout=0', 'postgres://u@h/d'],
  [
    'postgresql://u:SECRETpw@h:6543/d?pgbouncer=true&connection_limit=1&schema=public',
    'postgres://u@h:6543/d',
    'connection_limit, schema',
  ],
  ['postgresql://u:SECRETpw@h/d?sslmode=require&sslaccept=strict', 'postgres://u@h/d'],
  [
    'postgresql://u:SECRETpw@h/d?sslmode=require&sslcert=%2Frun%2Fdb-ca.pem&sslaccept=strict',
    'postgres://u@h/d',
  ],
  ['postgresql://u:SECRETpw@h/d?sslidentity=client.p12&sslpassword=SECRETkey', 'postgres://u@h/d'],
  [
    'postgresql://u:SECRETpw@h/d?sslmode=require&sslaccept=accept_invalid_certs&socket_timeout=5',
    'postgres://u@h/d',
    'socket_timeout',
  ],
  // SQLAlchemy, asyncpg, Django
  ['postgresql+psycopg2://scott:SECRETpw@localhost/mydatabase', 'postgres://scott@localhost/mydatabase'],
  [
    'postgresql+asyncpg://user:SECRETpw@localhost:5432/portfolio_db?ssl=require',
    'postgres://user@localhost:5432/portfolio_db',
  ],
  ['postgresql+psycopg://u:SECRETpw@h/d?sslmode=require&channel_binding=require', 'postgres://u@h/d'],
  [
    'postgresql+psycopg2://user:SECRETpw@/dbname?host=HostA:1&host=HostB:2&host=HostC:3',
    'postgres://user@HostA:1,HostB:2,HostC:3/dbname',
  ],
  [
    'postgresql+psycopg2://u:SECRETpw@/d?host=/cloudsql/project:region:name',
    'postgres://u@/cloudsql/project:region:name/d',
  ],
  ['postgresql+pg8000://u:SECRETpw@h/d', 'postgres://u@h/d'],
  [
    'postgis://USER:SECRETpw@HOST:5432/NAME?conn_max_age=600',
    'postgres://USER@HOST:5432/NAME',
    'conn_max_age',
  ],
  ['pgsql://u:SECRETpw@h/d', 'postgres://u@h/d'],
  // JDBC
  ['jdbc:postgresql:database', 'postgres:///database'],
  ['jdbc:postgresql:/', 'postgres:///'],
  ['jdbc:postgresql://[::1]:5740/accounting', 'postgres://[::1]:5740/accounting'],
  ['jdbc:postgresql://localhost/test?user=fred&password=SECRETpw&ssl=true', 'postgres://fred@localhost/test'],
  [
    'jdbc:postgresql://h1:5432,h2:5432/d?targetServerType=preferSecondary&loadBalanceHosts=true&reWriteBatchedInserts=true',
    'postgres://h1:5432,h2:5432/d',
    'reWriteBatchedInserts',
  ],
  [
    'jdbc:postgresql://h:5432/d?ssl=true&sslfactory=org.postgresql.ssl.NonValidatingFactory&sslmode=require',
    'postgres://h:5432/d',
  ],
  [
    'jdbc:postgresql://h/d?user=u&currentSchema=sales&ApplicationName=shop&prepareThreshold=5&socketTimeout=30',
    'postgres://u@h/d',
    'socketTimeout',
  ],
  ['r2dbc:postgresql://u:SECRETpw@h/d', 'postgres://u@h/d'],
  // CockroachDB
  [
    'cockroachdb://root@localhost:26257/defaultdb?sslmode=disable',
    'postgres://root@localhost:26257/defaultdb',
  ],
  ['cockroachdb+psycopg2://root@h:26257/bank?sslmode=disable', 'postgres://root@h:26257/bank'],
  [
    'postgres://u@h.cockroachlabs.cloud:26257/defaultdb?sslmode=verify-full&sslrootcert=cc-ca.crt&options=--cluster%3Dname',
    'postgres://u@h.cockroachlabs.cloud:26257/defaultdb',
  ],
  [
    'postgresql://maxroach@localhost:26257/bank?ssl=true&sslmode=require&sslrootcert=ca.crt&sslkey=c.key&sslcert=c.crt',
    'postgres://maxroach@localhost:26257/bank',
  ],
  // Hosted
  [
    'postgresql://postgres.abcdefgh:SECRET%40pw@aws-0-eu-west-3.pooler.supabase.com:6543/postgres?pgbouncer=true',
    'postgres://postgres.abcdefgh@aws-0-eu-west-3.pooler.supabase.com:6543/postgres',
  ],
  [
    'postgresql://postgres:SECRETpw@db.abcdefgh.supabase.co:5432/postgres?options=reference%3Dabcdefgh&pgbouncer=true',
    'postgres://postgres@db.abcdefgh.supabase.co:5432/postgres',
  ],
  [
    'postgresql://alex:SECRETpw@ep-cool-darkness-a1b2c3d4-pooler.us-east-2.aws.neon.tech/dbname?sslmode=require&channel_binding=require',
    'postgres://alex@ep-cool-darkness-a1b2c3d4-pooler.us-east-2.aws.neon.tech/dbname',
  ],
  [
    'postgresql://u:>SECRET(e4m@ep-young.us-east-2.aws.neon.tech/netflix?options=endpoint%3Dep-young&sslmode=require',
    'postgres://u@ep-young.us-east-2.aws.neon.tech/netflix',
  ],
  [
    'postgres://u:SECRETpw@ec2-54-83-61-142.compute-1.amazonaws.com:5432/d6csplpqgnoj',
    'postgres://u@ec2-54-83-61-142.compute-1.amazonaws.com:5432/d6csplpqgnoj',
  ],
  [
    'postgresql://postgres:SECRETpw@monorail.proxy.rlwy.net:12345/railway',
    'postgres://postgres@monorail.proxy.rlwy.net:12345/railway',
  ],
  [
    'postgres://me@srv:SECRETpw@srv.postgres.database.azure.com:5432/d?sslmode=require',
    'postgres://me@srv@srv.postgres.database.azure.com:5432/d',
  ],
  // pgx, Rails
  [
    'postgres://postgres:SECRETpw@localhost:5432/postgres?sslmode=disable&pool_max_conns=8',
    'postgres://postgres@localhost:5432/postgres',
    'pool_max_conns',
  ],
  ['postgresql://u:SECRETpw@h/d?pool=5&speed=9', 'postgres://u@h/d', 'pool, speed'],
];

describe('an address of PostgreSQL in the form that people have', () => {
  it.each(FORMS)('%s', (url, label, ignored = '') => {
    const database = createDatabase(url);
    expect(database.dialect).toBe('postgresql');
    expect(database.name).toBe(label);
    expect(database.name).not.toMatch(/SECRET/);
    expect(database.ignoredParameters.join(', ')).toBe(ignored);
    const place = locatePostgres(url, {});
    expect(maskSecrets(place.url)).not.toMatch(/SECRET/);
    // What poolctl connects to is read again from this, and stays the same.
    expect(locatePostgres(place.url, {}).url).toBe(place.url);
  });

  it.each([
    ['postgres://h/d?sslmod=require', "unknown parameter 'sslmod'; did you mean sslmode?"],
    ['postgres://h/d?sslMode2=require', "unknown parameter 'sslMode2'"],
    ['postgres://h/d?gssencmode=require', 'gssencmode=require is not supported'],
    ['postgres://h/d?requirepeer=postgres', 'requirepeer is not supported'],
    ['postgres://h/d?channel_bindings=require', 'did you mean channel_binding?'],
    ['postgres://h/d?channel_binding=maybe', 'channel_binding is one of'],
    ['postgres://h/d?require_auth=scram', 'require_auth lists'],
    ['postgres://h/d?sslrootcert=system&sslmode=require', 'goes with sslmode=verify-full only'],
    ['postgres://h/d?sslnegotiation=direct', 'goes with sslmode=require or stricter'],
    ['postgres://h/d?target_session_attrs=writable', 'target_session_attrs is one of'],
    ['postgres://h1,h2,h3/d?port=1,2', 'one port, or one for each host'],
    ['jdbc:postgresql://h/d?sslfactory=com.example.Mine', 'sslfactory names a class of Java'],
    ['service=shop', 'service is not supported'],
    ['host=h password=my SECRET dbname=d', 'quote values with blanks'],
    ['postgres://me@srv:SEC?SECRET@h/d', 'must be written %3F'],
  ])('%s is refused: %s', (url, why) => {
    expect(() => checkPostgresUrl(url)).toThrow(why);
    expect(() => checkPostgresUrl(url)).not.toThrow(/SECRET/);
    expect(() => createDatabase(url)).not.toThrow(/SECRET/);
  });

  it.each([
    ['sslmode=verify-full', 'jdbc:postgresql://h/d?ssl=true'],
    ['sslmode=require', 'postgres://h/d?ssl=true'],
    ['sslmode=require', 'jdbc:postgresql://h/d?ssl=true&sslfactory=org.postgresql.ssl.NonValidatingFactory'],
    ['sslmode=disable', 'postgres://h/d?ssl=0'],
    ['sslmode=require', 'postgres://h/d?sslmode=require&ssl=false'],
    ['sslmode=verify-full', 'postgres://h/d?ssl=false&sslmode=verify-full'],
    ['sslmode=verify-ca', 'postgresql+asyncpg://h/d?ssl=verify-ca'],
    ['sslrootcert=ca.pem', 'postgres://h/d?sslaccept=strict&sslcert=ca.pem'],
    ['target_session_attrs=prefer-standby', 'jdbc:postgresql://h/d?targetServerType=preferSlave'],
    ['search_path=sales', 'postgres://h/d?schema=sales'],
    ['readonly=true', 'jdbc:postgresql://h/d?readOnly=true'],
    ['password=a+b', 'postgres://h/d?password=a+b'],
  ])('gives %s for %s', (expected, url) => {
    const params = cutUrl(url)?.params;
    const [name = '', value] = expected.split('=');
    expect(params?.get(name)).toBe(value);
  });

  it('is filled up from the environment, several hosts included', () => {
    const env = { PGHOST: 'a,b', PGPORT: '1,2', PGTARGETSESSIONATTRS: 'primary', PGSSLROOTCERT: '/ca.pem' };
    const { url } = locatePostgres('postgres://u@/d', env);
    expect(url).toBe('postgres://u@a:1,b:2/d?sslrootcert=%2Fca.pem&target_session_attrs=primary');
    expect(hostsOf(url)).toEqual(['a', 'b']);
  });

  it('names what it ignores once, in one line', () => {
    const url = 'postgres://h/d?connection_limit=5&speed=1';
    expect(ignoredRemark([url, url])).toBe(
      'ignored URL parameters connection_limit, speed; poolctl sizes pools with --pool-size',
    );
    expect(ignoredRemark(['postgres://h/d', 'pool:'])).toBe(null);
  });
});

describe('a URL with a typo', () => {
  it.each([
    ['postgress://app:SECRET@h/d', 'postgres://app:***@h/d'],
    ['postgre://h/d', 'postgres://h/d'],
    ['postgers://h/d', 'postgres://h/d'],
    ['postgesql://h/d', 'postgresql://h/d'],
    ['postgres//app:SECRET@localhost/x', 'postgres://app:***@localhost/x'],
    ['localhost:5432', 'postgres://localhost:5432'],
    ['localhost:5432/shop', 'postgres://localhost:5432/shop'],
    ['db.example:5432/shop?sslmode=require', 'postgres://db.example:5432/shop?sslmode=require'],
    ['app:SECRET@localhost/x', 'postgres://app:***@localhost/x'],
    ['localhost/shop', 'postgres://localhost/shop'],
  ])('%s suggests %s', (typed, meant) => {
    expect(suggestUrl(typed)).toBe(meant);
    expect(() => createDatabase(typed)).toThrow(`did you mean ${meant}?`);
    expect(() => createDatabase(typed)).not.toThrow(/SECRET/);
  });

  it.each(['postgresql:/host/d', 'postgres:app:SECRET@host/d'])('%s is corrected', (typed) => {
    expect(() => createDatabase(typed)).toThrow(/write postgres:\/\/user@host:5432\/database/);
    expect(() => createDatabase(typed)).not.toThrow(/SECRET/);
  });

  it.each([
    'mysql://a/b',
    'pool:localhost:9',
    'C:\\data\\app.db',
    'app.db',
    './data/app.db',
    'http://h:80/',
    'nonsense',
  ])('%s suggests nothing', (typed) => {
    expect(suggestUrl(typed)).toBe(null);
  });
});
