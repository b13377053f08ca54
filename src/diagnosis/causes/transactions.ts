import { printable } from '../../report/text.js';
import { type BackendFact, type HolderFact, LEAK_MS, type PoolFact } from '../facts.js';
import {
  activityOf,
  behind,
  commonest,
  groupsOf,
  holdersOf,
  isOfDatabase,
  isPressed,
  isQueueLong,
  isSubscription,
  poolSubject,
  ranked,
  serverSubject,
} from '../look.js';
import { heldWords, ofPool, siteEvidence, sitesOf } from '../phrases.js';
import { END_TRANSACTION } from '../repairs.js';
import type { Cause, Found, Look, Step } from '../types.js';
import { counted, shortTime } from '../words.js';
import { lockCases } from './lock-cases.js';
import { endRoot, keysOf, lockFound, ofGroup, weightOf } from './locks.js';
import { poolerName, queuedPools, queueWords } from './pooler.js';
import { ABANDONED, LEFT_OPEN } from './shared.js';

const isOpen = (one: BackendFact | null): boolean =>
  one !== null && (activityOf(one) === 'idle in transaction' || activityOf(one) === 'aborted');

export const poisonedConnection: Cause = {
  id: 'poisoned-connection',
  title:
    'A connection was returned to the pool with its transaction still open; the next borrower runs inside it',
  repair: {
    ...END_TRANSACTION,
    pg: 'BEGIN, its statements and COMMIT on one client of pool.connect(), never by pool.query(); ROLLBACK in the catch; client.release(error) where ROLLBACK fails; no release() before the await of COMMIT',
    mysql2:
      'beginTransaction(), its statements and commit() on one connection of pool.getConnection(), never by pool.query(); connection.rollback() in the catch, connection.release() in the finally',
    poolctl: 'leave reset on release on (the default)',
  },
  avoid: ['retrying the statements that fail', 'a bigger pool'],
  find(look) {
    const { facts } = look;
    return facts.pools.flatMap((fact): Found[] => {
      if (!isOfDatabase(fact) || fact.pool.closed) return [];
      const openIdle = fact.pool.observed?.openIdle ?? null;
      const failed = recentErrors(fact, ['25P02']);
      const lying = openIdle === null ? idleInPool(fact, look) : [];
      const count = openIdle ?? lying.length;
      const isAborted = failed > 0 || lying.some((one) => activityOf(one) === 'aborted');
      if (count === 0 && failed < 2) return [];
      const oldest = Math.max(0, ...lying.map(({ backend }) => backend.transactionMs ?? 0));
      const since = oldest === 0 ? '' : ` for up to ${shortTime(oldest)}`;
      const what =
        count === 0
          ? `${failed} statements ran inside a transaction that an earlier borrower left aborted (25P02)`
          : `${counted(count, 'idle connection')} of the pool ${count === 1 ? 'is' : 'are'} inside ${count === 1 ? 'an ' : ''}${isAborted ? 'aborted' : 'open'} transaction${count === 1 ? '' : 's'}${since}; what borrowers write there can be lost`;
      return [
        {
          severity: 'bad',
          subject: poolSubject(fact),
          explains: [fact.key, `errors ${fact.key}`, ...lying.map(({ key }) => key)],
          words: `${printable(fact.pool.name)}: ${what}`,
          evidence: [
            ...lying
              .slice(0, 5)
              .map(
                ({ backend }) =>
                  `pid ${backend.pid}: ${backend.state}, transaction open for ${shortTime(backend.transactionMs)}, and no lease on it`,
              ),
            ...(failed > 0 ? [`25P02: ${failed} in the last minute`] : []),
            ...(openIdle === null ? [] : [`idle connections of the pool inside a transaction: ${openIdle}`]),
          ],
          ruledOut: ['a transaction left open: no lease is out on it'],
          confidence: openIdle !== null || lying.length > 0 ? 'certain' : 'likely',
          driver: fact.pool.driver,
        },
      ];
    });
  },
};

/** Backends of that pool inside a transaction that is older than every lease, and on which no lease is. */
function idleInPool(fact: PoolFact, look: Look): readonly BackendFact[] {
  const { facts } = look;
  if ((fact.pool.idle ?? 0) === 0) return [];
  const own = holdersOf(facts, fact);
  // Without a single lease followed to its backend, any of them may be out.
  if (own.some(({ backend, client }) => backend === null && client === null)) return [];
  const leases = new Set(facts.holders.flatMap(({ backend }) => backend?.key ?? []));
  const { address } = fact.pool.observed ?? {};
  const oldestLeaseMs = Math.max(0, ...own.map(({ holder }) => holder.ageMs ?? 0));
  return facts.backends.filter((one) => {
    const { backend } = one;
    if (!isOpen(one) || leases.has(one.key) || (backend.transactionMs ?? 0) < 500) return false;
    if ((backend.transactionMs ?? 0) < oldestLeaseMs) return false;
    if (address?.database != null && backend.database !== address.database) return false;
    if (address?.user != null && backend.user !== address.user) return false;
    // The application of the pool, by its name or as the only one that is there.
    const names = new Set(facts.backends.map((other) => other.backend.application ?? ''));
    return (
      !isSurplus(fact, look) && (backend.application === fact.app || names.size === 1 || address != null)
    );
  });
}

/** More backends than the pools of an application have connections: some belong to nobody. */
function isSurplus(fact: PoolFact, { facts }: Look): boolean {
  const live = facts.pools
    .filter(({ source }) => source === fact.source)
    .reduce((sum, { pool }) => sum + (pool.live ?? 0), 0);
  const application = facts.holders.find(({ pool }) => pool.key === fact.key)?.backend?.backend.application;
  const { address } = fact.pool.observed ?? {};
  const own = facts.backends.filter(
    ({ backend }) =>
      (application === undefined || backend.application === application) &&
      (address?.user == null || backend.user === address.user) &&
      (address?.database == null || backend.database === address.database),
  );
  return own.length > live && facts.poolers.length === 0;
}

/** Errors of the last minute with one of these codes. */
export function recentErrors({ pool }: PoolFact, codes: readonly string[]): number {
  return (pool.observed?.queryErrors ?? [])
    .filter(({ code, lastMs }) => codes.includes(code) && (lastMs === null || lastMs < 60_000))
    .reduce((sum, { count }) => sum + count, 0);
}

/** Connections of all pools, and backends of the application that this one has. */
function shareOf(
  { backend }: BackendFact,
  facts: Look['facts'],
): { readonly live: number; readonly same: number } {
  return {
    live: facts.pools.reduce((sum, { pool }) => sum + (pool.live ?? 0), 0),
    same: facts.backends.filter((other) => other.backend.application === backend.application).length,
  };
}

/** A session inside a transaction that no process has any more, though its application is watched. */
export function isAbandoned(one: BackendFact, { facts }: Look): boolean {
  const { backend } = one;
  if (!isOpen(one) || (backend.stateMs ?? 0) <= LEAK_MS) return false;
  if (facts.holders.some((other) => other.backend?.key === one.key)) return false;
  const pooled = facts.poolers.some(({ pooler }) =>
    pooler.servers.some(({ backendPid }) => backendPid === backend.pid),
  );
  // Its host is watched: leases of the same application, at the same address, are followed to their backends.
  const neighbours = facts.holders.filter(
    ({ backend: other, pool }) =>
      (other?.backend.clientAddress === backend.clientAddress &&
        other?.backend.application === backend.application) ||
      pool.app === backend.application,
  );
  const published = facts.pools.filter(({ app }) => app === backend.application);
  const { live, same } = shareOf(one, facts);
  return !pooled && neighbours.length + published.length > 0 && same > live;
}

export const abandonedSession: Cause = {
  ...ABANDONED,
  find(look) {
    const { facts } = look;
    return facts.backends.flatMap((one): Found[] => {
      const { backend } = one;
      if (look.isExplained(one.key) || !isAbandoned(one, look)) return [];
      const { live, same } = shareOf(one, facts);
      const step: Step = { kind: 'sql', at: one.source, text: `SELECT pg_terminate_backend(${backend.pid})` };
      return [
        {
          severity: one.blocks > 0 ? 'bad' : 'warn',
          subject: serverSubject(one.source),
          explains: [one.key],
          weight: one.blocks + 2,
          words: `session pid ${backend.pid} of ${printable(backend.application || 'an application without a name')} belongs to no process any more: ${printable(backend.state ?? '')} for ${shortTime(backend.stateMs)}${one.blocks > 0 ? `, and blocks ${counted(one.blocks, 'backend')}` : ''}`,
          evidence: [
            `client port ${backend.clientPort ?? '-'} at ${backend.clientAddress ?? 'a Unix socket'}: no published pool has it; ${same} backends, ${live} connections of pools`,
          ],
          ruledOut: ['a leak: no lease has that port'],
          steps: [step],
          confidence: 'likely',
        },
      ];
    });
  },
};

/** The same where others wait for the locks of that session. */
export const abandonedLock: Cause = {
  ...ABANDONED,
  find(look) {
    return lockCases(look).flatMap((one): Found[] => {
      const { root } = one;
      if (root.kind !== 'backend' || !isAbandoned(root.fact, look)) return [];
      const found = lockFound(one, look, {
        steps: endRoot(one, look),
        ruledOut: ['a leak: no lease has that session'],
        confidence: 'likely',
      });
      const { words, explains } = found;
      const gone = `session pid ${root.fact.backend.pid} belongs to no process any more`;
      return [{ ...found, words: `${words}; ${gone}`, explains: [...explains, root.fact.key] }];
    });
  },
};

export const poolerVictim: Cause = {
  id: 'pooler-victim-of-other-client',
  title: 'One service keeps the shared servers in open transactions, and others time out',
  repair: {
    ...END_TRANSACTION,
    pgbouncer: 'a user or pool of its own for that service; idle_transaction_timeout',
  },
  avoid: ['a longer query_wait_timeout', 'a bigger pool for those who wait'],
  find(look) {
    return look.facts.poolerPools.flatMap((fact): Found[] => {
      const { pool, pooler } = fact;
      if (!isQueueLong(fact) || look.isExplained(fact.key)) return [];
      const own = behind(fact, look.facts);
      const stuck = own.filter(isOpen);
      if (stuck.length === 0 || stuck.length * 2 < own.length) return [];
      const linked = pooler.clients.filter(
        ({ database, user, link }) => database === pool.database && user === pool.user && link !== null,
      );
      const waiting = pooler.clients.filter(
        ({ database, waitMs }) => database === pool.database && waitMs !== null,
      );
      const who = (one: (typeof linked)[number]): string => one.application ?? one.address ?? '';
      const holding = commonest(linked.map(who));
      const victims = new Set(waiting.map(who));
      if (holding === '' || victims.size === 0 || victims.has(holding)) return [];
      const longest = Math.max(...stuck.map(({ backend }) => backend.stateMs ?? 0));
      return [
        {
          severity: 'bad',
          subject: { kind: 'pooler', key: fact.key, source: fact.source },
          explains: [fact.key, ...queuedPools(fact, look)],
          weight: pool.clientsWaiting,
          words: `${poolerName(fact)}: ${queueWords(fact)}; ${stuck.length} of its ${own.length} servers idle in transactions of ${printable(holding)} for up to ${shortTime(longest)}, while ${[
            ...victims,
          ]
            .map((one) => printable(one))
            .slice(0, 3)
            .join(', ')} wait`,
          evidence: [
            `SHOW CLIENTS: ${linked.length} linked, most of ${printable(holding)}; ${waiting.length} waiting`,
          ],
          ruledOut: ['the service that waits: no server is linked to it'],
        },
      ];
    });
  },
};

/** Reports the oldest lease that is held through other work; a lease that is older still is a leak. */
export const remoteCall: Cause = {
  id: 'remote-call-in-transaction',
  title: 'Transactions stay open through work that is none of the database (HTTP, mail, computing)',
  repair: {
    app: 'call first, then BEGIN ... COMMIT in one go; or write an outbox row and call after COMMIT',
    sequelize: 'transaction.afterCommit(), or call first and open the transaction then',
    prisma: 'the batch form $transaction([...]) in place of the interactive one',
    postgres: 'idle_in_transaction_session_timeout shows where it happens',
  },
  avoid: ['a bigger pool first', 'tuning queries'],
  find(look) {
    return groupsOf(look).flatMap((group): Found[] => {
      const { subject, suffers, members } = group;
      if (!suffers || look.isExplained(subject.key)) return [];
      const open = members.filter(
        ({ holder, backend }) =>
          isOpen(backend) && holder?.suspect !== true && (backend?.backend.stateMs ?? 0) <= LEAK_MS,
      );
      const relevant = members.filter(({ holder }) => holder?.suspect !== true);
      const share =
        look.facts.servers
          .map(({ source }) => look.rates(source)?.thinkShare ?? null)
          .find((one) => one !== null) ?? null;
      const isMost = open.length > 0 && open.length * 2 >= relevant.length;
      const byTime = share !== null && share > 0.8 && open.length > 0 && open.length * 4 >= relevant.length;
      if (!isMost && !byTime) return [];
      const holders = open.flatMap(({ holder }) => holder ?? []);
      const fact = look.facts.pools.find(({ key }) => key === subject.key);
      const turnover = fact === undefined ? null : look.recent(fact).releasesPerSecond;
      const longest = Math.max(...open.map(({ backend }) => backend?.backend.transactionMs ?? 0));
      // MySQL tells of whole seconds.
      const since = longest === 0 ? '' : `, the longest open for ${shortTime(longest)}`;
      const clause = `${open.length} of ${counted(relevant.length, fact === undefined ? 'server' : 'lease')} idle in transactions between statements${since}${sitesOf(holders, look)}`;
      return [
        {
          severity: 'bad',
          subject,
          explains: keysOf(group, look),
          weight: weightOf(group, look),
          words: ofGroup(group, clause, look),
          evidence: [
            ...(share === null
              ? []
              : [`idle_in_transaction_time: ${Math.round(share * 100)} % of the time in transactions`]),
            ...siteEvidence(holders, look),
          ],
          ruledOut: [
            'a transaction left open: each ends by itself',
            ...(turnover !== null && turnover > 0
              ? [`a pool that is too small: the database works for a small part of each hold`]
              : []),
          ],
          confidence: share !== null ? 'certain' : 'likely',
        },
      ];
    });
  },
};

export const transactionLeftOpen: Cause = {
  ...LEFT_OPEN,
  find(look) {
    const { facts } = look;
    const ofPools = facts.pools.flatMap((fact): Found[] => {
      if (look.isExplained(fact.key)) return [];
      const all = holdersOf(facts, fact);
      const open = all.filter((one) => one.suspect && !isSubscription(one) && isOpenHolder(one));
      const suspects = all.filter((one) => one.suspect && !isSubscription(one));
      if (open.length === 0 || open.length * 2 < suspects.length) return [];
      const blocked = open.reduce((sum, { backend }) => sum + (backend?.blocks ?? 0), 0);
      const _longest = Math.max(
        ...open.map(({ backend, holder }) => backend?.backend.transactionMs ?? holder.ageMs ?? 0),
      );
      const also =
        blocked === 0 ? '' : `; they block ${counted(blocked, 'backend')}, where a bigger pool gains nothing`;
      return [
        {
          severity: isPressed(fact) ? 'bad' : 'warn',
          subject: poolSubject(fact),
          explains: [fact.key, ...open.flatMap(({ backend }) => backend?.key ?? [])],
          weight: (fact.pool.waiting ?? 0) + 1,
          words: `${ofPool(fact, `${heldWords(open, fact.pool.inUse ?? all.length, look, ' in a transaction')}`)}${also}`,
          evidence: siteEvidence(open, look),
          ruledOut: ['a call in between: it would have ended', 'a poisoned connection: a lease is out on it'],
          steps: endSteps(open, look),
        },
      ];
    });
    const ofServers = facts.servers.flatMap(({ source, kind }): Found[] => {
      const idle = facts.backends.filter(
        (one) =>
          one.source === source &&
          isOpen(one) &&
          (one.backend.stateMs ?? 0) > LEAK_MS &&
          !look.isExplained(one.key) &&
          !ofPools.some(({ explains }) => explains.includes(one.key)),
      );
      if (idle.length === 0) return [];
      const queued = facts.poolerPools.filter((fact) => {
        const own = behind(fact, facts);
        return isQueueLong(fact) && own.filter((one) => idle.includes(one)).length * 2 >= own.length;
      });
      const applications = ranked(idle.map(({ backend }) => backend.application ?? ''));
      const [application = ''] = applications;
      const of =
        applications.length > 1
          ? ` of ${applications.length} applications`
          : application === ''
            ? ''
            : ` of ${printable(application)}`;
      const longest = Math.max(...idle.map(({ backend }) => backend.stateMs ?? 0));
      const words = `${counted(idle.length, 'transaction')}${of} idle for up to ${shortTime(longest)}`;
      const [queue] = queued;
      const pids = idle.map(({ backend }) => backend.pid);
      const steps: Step[] =
        kind === 'mysql'
          ? pids.map((pid) => ({ kind: 'sql', at: source, text: `KILL ${pid}` }))
          : [
              {
                kind: 'sql',
                at: source,
                text: `SELECT ${pids.map((pid) => `pg_terminate_backend(${pid})`).join(', ')}`,
              },
            ];
      return [
        {
          severity: queue === undefined ? 'warn' : 'bad',
          subject:
            queue === undefined
              ? { kind: 'server', key: `idle ${source}`, source }
              : { kind: 'pooler', key: queue.key, source: queue.source },
          explains: [`idle ${source}`, ...queued.flatMap((fact) => [fact.key, ...queuedPools(fact, look)])],
          weight: queue === undefined ? 2 : queue.pool.clientsWaiting,
          words: queue === undefined ? words : `${poolerName(queue)}: ${queueWords(queue)}; ${words}`,
          evidence: idle
            .slice(0, 5)
            .map(
              ({ backend }) =>
                `pid ${backend.pid}: ${printable(backend.state ?? '')} for ${shortTime(backend.stateMs)}: ${printable(backend.query ?? '').slice(0, 100)}`,
            ),
          steps,
          missing: 'the line of code: start the application with poolctl run, and add pool: as a source',
        },
      ];
    });
    return [...ofPools, ...ofServers];
  },
};

function isOpenHolder({ backend, holder }: HolderFact): boolean {
  if (backend !== null) return isOpen(backend);
  if (holder.session !== undefined && holder.session.inTransaction !== null)
    return holder.session.inTransaction;
  return false;
}

function endSteps(holders: readonly HolderFact[], { facts }: Look): Step[] {
  return holders.flatMap(({ backend }): Step[] => {
    if (backend === null) return [];
    const isMysql = facts.servers.some((one) => one.source === backend.source && one.kind === 'mysql');
    const text = isMysql
      ? `KILL ${backend.backend.pid}`
      : `SELECT pg_terminate_backend(${backend.backend.pid})`;
    return [{ kind: 'sql', at: backend.source, text }];
  });
}
