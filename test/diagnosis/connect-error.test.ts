import { expect, it } from 'vitest';
import { type ConnectFault, connectFaultOf } from '../../src/diagnosis/connect-error.js';

/** Texts as users of these servers, poolers and libraries have reported them. */
const TEXTS: readonly (readonly [text: string, code: string | null, fault: ConnectFault])[] = [
  ['Queue limit reached.', null, 'pool-refused'],
  ['No connections available.', null, 'pool-refused'],
  ['max waitingClients count exceeded', null, 'pool-refused'],
  ['Timed-out waiting to acquire database connection', null, 'pooler-queue'],
  ['could not get connection from the pool - AllServersDown', null, 'pooler-login'],
  ['Max connect timeout reached while reaching hostgroup 10 after 10000ms', null, 'pooler-login'],
  ['This RDS proxy has no credentials for the role app', null, 'pooler-auth'],
  [
    'Feature not supported: RDS Proxy currently doesn’t support command-line options.',
    '0A000',
    'pooler-startup',
  ],
  ['MaxClientsInSessionMode: max clients reached - in Session mode', 'XX000', 'pooler-session-limit'],
  ['Tenant or user not found', 'XX000', 'pooler-database'],
  ['Authentication query failed: connection to database not available', null, 'pooler-auth-query'],
  // From 1.22 on PgBouncer quotes the server: its words decide.
  [
    'server login has been failing, cached error: FATAL: sorry, too many clients already (server_login_retry)',
    '08P01',
    'server-full',
  ],
  [
    'server login has been failing, cached error: connect failed (server_login_retry)',
    '08P01',
    'pooler-login',
  ],
  [
    'server login has been failing, cached error: FATAL: password authentication failed for user "app" (server_login_retry)',
    '08P01',
    'pooler-auth',
  ],
  ['server login failed: wrong password type', '08P01', 'pooler-auth'],
  ['server login has been failing, try again later (server_login_retry)', '08P01', 'pooler-login'],
  ['Failed to connect to db:1433 - Could not connect (sequence)', 'ESOCKET', 'server-down'],
  ['Failed to connect to db:1433 in 15000ms', 'ETIMEOUT', 'path-timeout'],
  ["Login failed for user 'app'.", 'ELOGIN', 'password'],
  ['connect ECONNREFUSED 127.0.0.1:27017', null, 'server-down'],
  ['bad auth : Authentication failed.', null, 'password'],
  ['', 'ECONNREFUSED', 'server-down'],
];

it.each(TEXTS)('%j (%s) is %s', (text, code, fault) => {
  expect(connectFaultOf(text, code)).toBe(fault);
});
