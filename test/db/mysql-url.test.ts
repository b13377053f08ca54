import { describe, expect, it } from 'vitest';
import { cutUrl } from '../../src/db/cut-url.js';
import { createDatabase } from '../../src/db/database.js';
import { mysqlDriver, mysqlServerOf } from '../../src/db/drivers/mysql.js';
import { locateMysql, mysqlServerUrl } from '../../src/db/mysql-place.js';
import { suggestUrl } from '../../src/db/suggest-url.js';

/** What an address means, and what is wrong with it. */
function read(url: string) {
  const parts = cutUrl(url);
  if (parts?.scheme !== 'mysql') throw new Error(`not MySQL: ${url}`);
  const problems: string[] = [];
  mysqlDriver.configure(parts, {}, problems);
  const { places, socket, user, password, database } = mysqlServerOf(parts, []);
  return {
    ...{ places, socket, user, password, database },
    ...{ params: Object.fromEntries(parts.params), ignored: parts.ignored, problems },
  };
}

const AT_3306 = {
  places: [{ host: 'h', port: 3306 }],
  user: 'u',
  password: 'p',
  database: 'd',
  problems: [],
};

describe('an address of MySQL or MariaDB', () => {
  it.each<[url: string, meaning: object]>([
    ['mysql://u:p@h:3306/d', AT_3306],
    ['mysql2://u:p@h:3306/d', AT_3306],
    ['mariadb://u:p@h:3306/d', AT_3306],
    ['MySQL://u:p@h:3306/d', AT_3306],
    ['mysql+pymysql://u:p@h:3306/d?charset=utf8mb4', AT_3306],
    ['mariadb+mariadbconnector://u:p@h:3306/d', AT_3306],
    ['mysql+asyncmy://u:p@h:3306/d', AT_3306],
    ['jdbc:mysql://h:3306/d?user=u&password=p', AT_3306],
    ['jdbc:mariadb://h:3306/d?user=u&password=p&useUnicode=true', { ...AT_3306, ignored: ['useUnicode'] }],
    ['r2dbc:mysql://u:p@h:3306/d', AT_3306],
    ['u:p@tcp(h:3306)/d?parseTime=true&loc=Local', { ...AT_3306, ignored: ['parseTime', 'loc'] }],
    [
      'u:p@unix(/run/my.sock)/d',
      { socket: '/run/my.sock', user: 'u', password: 'p', database: 'd', problems: [] },
    ],
    ['mysql://u@h', { places: [{ host: 'h', port: null }], user: 'u', password: null, database: null }],
    ['mysql:///d', { places: [{ host: null, port: null }], user: null, database: 'd', problems: [] }],
    ['mysql://u:p@[::1]:3307/d', { places: [{ host: '::1', port: 3307 }], problems: [] }],
    [
      'mysql://a,b:3307/d',
      {
        places: [
          { host: 'a', port: null },
          { host: 'b', port: 3307 },
        ],
        problems: [],
      },
    ],
    [
      'jdbc:mysql:replication://a:1,b:2/d',
      {
        places: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
      },
    ],
    [
      'mysql://u%40x:p%3Aw%2Fd%20%40%3F%23%25@h/d%2Fe',
      { user: 'u@x', password: 'p:w/d @?#%', database: 'd/e' },
    ],
    ['mysql://u:p@ss:w@rd@h/d', { password: 'p@ss:w@rd', places: [{ host: 'h', port: null }] }],
    ['mysql://u@/d?socket=/run/my.sock', { socket: '/run/my.sock', problems: [] }],
    ['mysql://u@localhost/d?socketPath=/run/my.sock', { socket: '/run/my.sock', problems: [] }],
    ['mysql://u@localhost/d?unix_socket=/run/my.sock', { socket: '/run/my.sock', problems: [] }],
    ['mysql://u@%2Frun%2Fmy.sock/d', { socket: '/run/my.sock', problems: [] }],
    ['mysql://h/d?password=a+b', { password: 'a+b' }],
  ])('%s', (url, meaning) => {
    expect(read(url)).toMatchObject(meaning);
  });

  it.each<[query: string, params: object]>([
    ['ssl-mode=REQUIRED', { 'ssl-mode': 'REQUIRED' }],
    ['ssl-mode=VERIFY_IDENTITY&ssl-ca=/ca.pem', { 'ssl-mode': 'VERIFY_IDENTITY', 'ssl-ca': '/ca.pem' }],
    ['sslmode=verify-full', { 'ssl-mode': 'VERIFY_IDENTITY' }],
    ['sslMode=VERIFY_CA', { 'ssl-mode': 'VERIFY_CA' }],
    ['ssl=true', { 'ssl-mode': 'VERIFY_IDENTITY' }],
    ['ssl=true&trustServerCertificate=true', { 'ssl-mode': 'REQUIRED' }],
    ['trustServerCertificate=true&ssl=true', { 'ssl-mode': 'REQUIRED' }],
    ['ssl={"rejectUnauthorized":true}', { 'ssl-mode': 'VERIFY_IDENTITY' }],
    ['ssl=%7B%22rejectUnauthorized%22%3Afalse%7D', { 'ssl-mode': 'REQUIRED' }],
    ['sslaccept=strict', { 'ssl-mode': 'VERIFY_IDENTITY' }],
    ['sslaccept=strict&sslcert=/ca.pem', { 'ssl-mode': 'VERIFY_IDENTITY', 'ssl-ca': '/ca.pem' }],
    ['sslaccept=accept_invalid_certs', { 'ssl-mode': 'REQUIRED' }],
    [
      'useSSL=false&allowPublicKeyRetrieval=true&serverTimezone=UTC',
      { 'ssl-mode': 'DISABLED', timezone: 'UTC' },
    ],
    ['useSSL=true&verifyServerCertificate=true', { 'ssl-mode': 'VERIFY_CA' }],
    ['useSSL=true&requireSSL=true', { 'ssl-mode': 'REQUIRED' }],
    ['tls=skip-verify', { 'ssl-mode': 'REQUIRED' }],
    ['tls=preferred', { 'ssl-mode': 'PREFERRED' }],
    [
      'ssl_ca=/ca.pem&ssl_cert=/c.pem&ssl_key=/k.pem',
      { 'ssl-ca': '/ca.pem', 'ssl-cert': '/c.pem', 'ssl-key': '/k.pem' },
    ],
    ['connect_timeout=5', { 'connect-timeout': '5s' }],
    ['connectTimeout=5000', { 'connect-timeout': '5000ms' }],
    ['timeout=5s', { 'connect-timeout': '5s' }],
    ['useServerPrepStmts=true&cachePrepStmts=true', { 'prepare-threshold': '1' }],
    ['sessionVariables=sql_mode=ANSI', { 'session-variables': 'sql_mode=ANSI' }],
  ])('with %s', (query, params) => {
    const meaning = read(`mysql://h/d?${query}`);
    expect(meaning).toMatchObject({ problems: [] });
    expect(meaning.params).toEqual(params);
  });

  it('leaves out what has no effect, and says so', () => {
    const { ignored, problems } = read(
      'mysql://h/d?connection_limit=5&pool_timeout=3&socket_timeout=2&serverTimezone=Europe/Berlin&colour=red',
    );
    expect({ ignored, problems }).toEqual({
      ignored: ['connection_limit', 'pool_timeout', 'socket_timeout', 'serverTimezone', 'colour'],
      problems: [],
    });
  });

  it.each<[query: string, problem: RegExp]>([
    ['sslmod=REQUIRED', /unknown parameter 'sslmod'; did you mean ssl-mode\?/],
    ['ssl-mode=REQUIRD', /ssl-mode is one of DISABLED, PREFERRED/],
    ['sslspeed=1', /unknown parameter 'sslspeed'/],
    ['ssl-crl=/x', /ssl-crl is not supported, and without it revoked certificates pass/],
    ['trustCertificateKeyStoreUrl=file:x', /a key store of Java is not supported/],
    ['allowPublicKeyRetrieval=false', /allowPublicKeyRetrieval=false needs TLS/],
    ['enableCleartextPlugin=true', /a password in clear text needs TLS/],
    ['ssl-cert=/c', /ssl-cert and ssl-key go together|^$/],
    ['ssl={"ca":"x"}', /ssl=\{"ca": \.\.\.\} is not supported/],
    ['ssl=Amazon%20RDS', /Amazon RDS is not supported/],
    ['port=0', /the port must be a number from 1 to 65535/],
    ['prepare-threshold=x', /prepare-threshold: 'x' is not a whole number/],
    ['tls-version=SSLv3', /tls-version lists TLSv1,/],
  ])('with %s is refused', (query, problem) => {
    const { problems, params } = read(`mysql://h/d?${query}`);
    // A certificate alone is that of the authority, as Prisma has it.
    if (problems.length === 0) expect(params).toEqual({ 'ssl-ca': '/c' });
    else expect(problems.join('; ')).toMatch(problem);
  });

  it('shows no piece of a password that is not well formed', () => {
    for (const url of [
      'mysql://u:s3cr?et@h/d',
      'mysql://u:s3cr?e=t@h/d',
      'mysql:u:s3cret@h',
      'mysql://u:s%zz3cret@h/d',
    ]) {
      const made = () => createDatabase(url);
      expect(made).toThrow(/^((?!s3cr|zz3cret).)*$/s);
    }
  });

  it.each([
    ['mysqll://u:s3cret@h/d', 'mysql://u:***@h/d'],
    ['mysql//u:s3cret@h/d', 'mysql://u:***@h/d'],
    ['mariadb//h/d', 'mariadb://h/d'],
    ['localhost:3306', 'mysql://localhost:3306'],
    ['localhost:5432', 'postgres://localhost:5432'],
    ['app:s3cret@db.example:3306/shop', 'mysql://app:***@db.example:3306/shop'],
  ])('%s is suggested for', (typed, meant) => {
    expect(suggestUrl(typed)).toBe(meant);
  });

  it('is labelled without its password', () => {
    expect(createDatabase('jdbc:mysql://h:3307/d?user=u&password=s3cret').name).toBe('mysql://u@h:3307/d');
    expect(createDatabase('mysql://u:s3cret@/d?socket=/run/s').name).toBe('mysql://u@/d?socket=/run/s');
  });

  it('is filled up from the environment', () => {
    const env = { MYSQL_PWD: 's3cret-of-env', MYSQL_HOST: '10.0.0.9', MYSQL_TCP_PORT: '3399', USER: 'me' };
    expect(locateMysql('mysql:///d?ssl-mode=REQUIRED', env)).toEqual({
      url: 'mysql://me@10.0.0.9:3399/d?ssl-mode=REQUIRED',
      hosts: ['10.0.0.9'],
      database: 'd',
      password: 's3cret-of-env',
    });
    expect(locateMysql('mysql://u:own-secret@h:1/d', env)).toMatchObject({
      url: 'mysql://u@h:1/d',
      password: 'own-secret',
    });
    expect(locateMysql('mysql://u@/d?socket=/run/s', env)).toMatchObject({ hosts: ['/run/s'] });
    expect(mysqlServerUrl('mysql://h/d?statement-timeout=5s&ssl-mode=REQUIRED')).toBe(
      'mysql://h/d?ssl-mode=REQUIRED',
    );
  });
});
