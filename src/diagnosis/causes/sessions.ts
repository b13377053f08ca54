import { printable } from '../../report/text.js';
import type { PoolFact } from '../facts.js';
import { isOfDatabase, poolerModeOf, poolSubject, serverSubject } from '../look.js';
import { OWN_SESSION } from '../repairs.js';
import type { Cause, Found, Look } from '../types.js';
import { counted, shortSite } from '../words.js';
import { OLD_ADDRESS } from './shared.js';
import { errorsOf } from './statement-errors.js';

/** Whether a pool connects to a pooler that is read, and that shares its servers between clients. */
function isThroughSharing(fact: PoolFact, { facts }: Look): boolean {
  const { address } = fact.pool.observed ?? {};
  return facts.poolers.some(({ pooler, source }) => {
    const modes = facts.poolerPools
      .filter(
        (one) =>
          one.source === source && (address?.database == null || one.pool.database === address.database),
      )
      .map(({ pool }) => pool.mode);
    const mode = modes[0] ?? pooler.config.pool_mode ?? 'session';
    const port = Number(pooler.config.listen_port);
    const isThere = address?.port != null && address.port === port;
    const isClient = facts.holders.some(({ pool, client }) => pool.key === fact.key && client !== null);
    return mode !== 'session' && (isThere || isClient);
  });
}

/** State of sessions that a pool has set up through a pooler which shares servers. */
function stateThrough(look: Look, wanted: (what: string) => boolean) {
  return look.facts.pools.filter(isOfDatabase).flatMap((fact) => {
    const found = (fact.pool.observed?.sessionState ?? []).filter(({ what }) => wanted(what));
    return found.length === 0 || !isThroughSharing(fact, look) ? [] : [{ fact, found }];
  });
}

const isListen = (what: string): boolean => /^LISTEN\b/i.test(what);

export const listenThroughPooler: Cause = {
  id: 'listen-through-transaction-pool',
  title:
    'LISTEN through transaction pooling hears nothing: the subscription belongs to a server that others use',
  repair: OWN_SESSION,
  avoid: ['shorter polling as the repair', 'session mode for all'],
  find(look) {
    const { facts, cwd } = look;
    const seen = facts.backends
      .filter((one) => /^\s*listen\b/i.test(one.backend.query ?? ''))
      .filter((one) => {
        const mode = poolerModeOf(one, facts);
        return mode !== null && mode !== 'session';
      })
      .map(
        (one): Found => ({
          severity: 'warn',
          subject: serverSubject(one.source),
          explains: [`listen ${one.key}`],
          words: `a LISTEN (pid ${one.backend.pid}: ${printable(one.backend.query ?? '').slice(0, 60)}) went to a server of PgBouncer in transaction mode: its notifications reach nobody`,
          evidence: [`pid ${one.backend.pid} is in SHOW SERVERS; its last statement is LISTEN`],
          ruledOut: ['a listener with a connection of its own: the backend is a server of the pooler'],
        }),
      );
    const sent = stateThrough(look, isListen).map(({ fact, found }): Found => {
      const [first] = found;
      const site = first?.site == null ? '' : ` at ${printable(shortSite(first.site, cwd))}`;
      return {
        severity: 'warn',
        subject: poolSubject(fact),
        explains: [`listen ${fact.key}`],
        words: `${printable(fact.pool.name)}: ${printable(first?.what ?? 'LISTEN')}${site} goes through PgBouncer in transaction mode: its notifications reach nobody`,
        evidence: found.map(({ what, count }) => `${count} x ${printable(what)}`),
      };
    });
    return sent.length > 0 ? sent : seen;
  },
};

export const sessionStateThroughPooler: Cause = {
  id: 'session-state-transaction-mode',
  title:
    'Session state (SET, temporary tables, session locks) is set through transaction pooling, and stays with servers that others use',
  repair: {
    ...OWN_SESSION,
    app: 'SET LOCAL and ON COMMIT DROP inside a transaction, pg_advisory_xact_lock(); ALTER ROLE app SET ... for what always holds',
    postgres: 'ALTER ROLE {role} SET search_path = ... for what always holds',
  },
  avoid: ['server_reset_query_always = 1 as the repair', 'session mode for all'],
  find(look) {
    return stateThrough(look, (what) => !isListen(what)).map(({ fact, found }): Found => {
      const kinds = [...new Set(found.map(({ what }) => printable(what)))].slice(0, 3);
      const [first] = found;
      const site = first?.site == null ? '' : `, first at ${printable(shortSite(first.site, look.cwd))}`;
      const total = found.reduce((sum, { count }) => sum + count, 0);
      return {
        severity: 'warn',
        subject: poolSubject(fact),
        explains: [`state ${fact.key}`],
        // Its present effect comes first, for example a lock that stays.
        weight: 0,
        words: `${printable(fact.pool.name)}: ${counted(total, 'statement')} set session state (${kinds.join(', ')}) through PgBouncer in transaction mode${site}: other clients get it`,
        evidence: found.map(({ what, count }) => `${count} x ${printable(what)}`),
      };
    });
  },
};

/** Writes that reach a standby although the clients themselves connect to the pooler. */
export const poolerOnOldServer: Cause = {
  ...OLD_ADDRESS,
  find(look) {
    return look.facts.pools.flatMap((fact): Found[] => {
      const errors = errorsOf(fact, ['25006'], null, look);
      const [pooler] = look.facts.poolers;
      if (errors === null || pooler === undefined) return [];
      const addresses = [...new Set(pooler.pooler.servers.flatMap(({ address }) => address ?? []))];
      return [
        {
          severity: 'bad',
          subject: poolSubject(fact),
          explains: [`errors ${fact.key}`],
          weight: errors.count,
          words: `${printable(fact.pool.name)}: ${errors.count} writes failed since the pooler's servers are read-only (${printable(errors.code)}): it keeps connections to the old node${addresses.length === 0 ? '' : ` (${addresses.slice(0, 3).join(', ')})`}`,
          evidence: errors.lines,
          ruledOut: ['stale pools of the clients: they connect to the pooler'],
          steps: [{ kind: 'console', at: pooler.source, text: 'RECONNECT' }],
          confidence: 'likely',
          missing: "which address the server's name has now: compare it with addr of SHOW SERVERS",
        },
      ];
    });
  },
};

/** Hosts of proxies that cannot be asked what they do. */
const PROXIES = /\.proxy-[^.]+\.|\bproxysql\b|\.pooler\.supabase\.|-pooler\.|\bpgcat\b|\bodyssey\b/i;
const PINNED_MS = 30_000;

export const proxyPins: Cause = {
  id: 'proxy-pins-sessions',
  title: 'A transaction proxy pins every session, so it shares nothing',
  repair: {
    pg: 'no SET in connect hooks, no named queries',
    'postgres.js': 'prepare: false, fetch_types: false',
    mysql2: 'query() in place of execute(), no SET at connect',
    knex: 'no searchPath, no SET in afterCreate',
    sequelize: 'keepDefaultTimezone: true',
    typeorm: 'no SET at connect',
    prisma: 'pgbouncer=true in the URL',
    poolctl: 'no settings at connect, DB_PREPARE_THRESHOLD=0',
    app: 'no SET and no named statements at connect',
    postgres: 'ALTER ROLE {role} SET ... in place of SET at connect',
  },
  avoid: ['a bigger proxy'],
  find(look) {
    const { facts } = look;
    return facts.pools.filter(isOfDatabase).flatMap((fact): Found[] => {
      const host = fact.pool.observed?.address?.host ?? null;
      if (host === null || !PROXIES.test(host) || facts.poolers.length > 0) return [];
      const live = facts.pools
        .filter(({ pool }) => pool.observed?.address?.host === host)
        .reduce((sum, { pool }) => sum + (pool.live ?? 0), 0);
      const idle = facts.backends.filter(
        ({ backend }) => backend.state === 'idle' && (backend.stateMs ?? 0) > PINNED_MS,
      );
      if (live < 3 || idle.length < live * 0.8 || idle.length * 2 < facts.backends.length) return [];
      return [
        {
          severity: 'warn',
          subject: poolSubject(fact),
          explains: [`pinned ${host}`],
          words: `${printable(host)} keeps ${idle.length} idle backends for ${counted(live, 'connection')} of the application: it pins each session and shares none`,
          evidence: [
            `${idle.length} of ${facts.backends.length} backends idle; ${live} connections of pools`,
          ],
          ruledOut: ['session mode of PgBouncer: the host is no PgBouncer that can be asked'],
          confidence: 'likely',
          missing: 'why it pins: its log (RDS Proxy: DatabaseConnectionsCurrentlySessionPinned)',
        },
      ];
    });
  },
};
