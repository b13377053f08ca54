import { END_TRANSACTION, onlyAt } from '../repairs.js';
import type { Cause } from '../types.js';

// Causes that show in two ways have a function for each, and this in common.
type Shared = Omit<Cause, 'find'>;

export const LEFT_OPEN: Shared = {
  id: 'transaction-left-open',
  title:
    'One path begins a transaction and never ends it; it keeps a lease, its locks, and what vacuum could remove',
  repair: END_TRANSACTION,
  avoid: [
    'a bigger pool',
    'terminating the session as the only step',
    'a statement_timeout: no statement runs',
  ],
};

export const OLD_ADDRESS: Shared = {
  id: 'pooler-dns-stale',
  title: 'The pooler still talks to the old address of the server',
  repair: onlyAt({
    app: 'nothing: clients of the pooler are not concerned',
    pgbouncer:
      'RECONNECT now; server_lifetime = 300 and dns_max_ttl = 5; a connect_query that fails on standbys',
  }),
  avoid: ['a restart of the clients'],
};

export const ABANDONED: Shared = {
  id: 'abandoned-session',
  title: 'The client is gone, and the server has not noticed: its session keeps its transaction',
  repair: {
    app: 'end the pool on SIGTERM (end, destroy, close, $disconnect)',
    pgbouncer: 'tcp_keepidle = 60',
    postgres:
      'tcp_keepalives_idle = 60, tcp_user_timeout, client_connection_check_interval = 10s, idle_in_transaction_session_timeout',
    mysql: 'wait_timeout for sessions that nobody uses; KILL the connection',
  },
  avoid: ['looking for the leak in the code'],
};
