import { printable } from '../../report/text.js';
import type { Group } from '../look.js';
import { heldWords, ofPool } from '../phrases.js';
import { OWN_SESSION, onlyAt, SHOW_DEADLOCKS } from '../repairs.js';
import type { Cause, Found, Look, Step } from '../types.js';
import { counted } from '../words.js';
import {
  isLeftOpen,
  isServerOfPooler,
  isSessionLock,
  type LockCase,
  lockCases,
  lockEvidence,
  rootWords,
  waitWords,
} from './lock-cases.js';
import { poolerName, queuedPools, queueWords } from './pooler.js';
import { LEFT_OPEN } from './shared.js';

const NO_GAIN = 'a bigger pool gains nothing';

/** A clause as the group that it is about tells it. */
export function ofGroup({ subject, queue }: Group, clause: string, { facts }: Look): string {
  if (subject.kind === 'pool') {
    const fact = facts.pools.find(({ key }) => key === subject.key);
    const before = queue === undefined ? '' : `${queuedWords(queue)}; `;
    return fact === undefined ? clause : ofPool(fact, `${before}${clause}`);
  }
  const pooler = facts.poolerPools.find(({ key }) => key === subject.key);
  return pooler === undefined ? clause : `${poolerName(pooler)}: ${queueWords(pooler)}; ${clause}`;
}

function queuedWords({ of: { pool }, queued, all }: NonNullable<Group['queue']>): string {
  const servers = pool.size ?? pool.serversActive + pool.serversIdle + pool.serversOther;
  return `${queued} of ${counted(all, 'lease')} queue in PgBouncer for ${counted(servers, 'server connection')}`;
}

/** The subjects that a group affects: itself, and for a pooler's pool the leases that queue there. */
export function keysOf({ subject, queue }: Group, look: Look): readonly string[] {
  if (queue !== undefined) return [subject.key, queue.of.key];
  const pooler = look.facts.poolerPools.find(({ key }) => key === subject.key);
  return [subject.key, ...(pooler === undefined ? [] : queuedPools(pooler, look))];
}

export function weightOf({ subject }: Group, { facts }: Look): number {
  const pool = facts.pools.find(({ key }) => key === subject.key)?.pool.waiting;
  const pooler = facts.poolerPools.find(({ key }) => key === subject.key)?.pool.clientsWaiting;
  return (pool ?? (pooler === undefined ? 0 : pooler - 0.5)) + 1;
}

export function lockFound(one: LockCase, look: Look, more: Partial<Found> = {}, clause?: string): Found {
  const { group } = one;
  const words = clause ?? `${waitWords(one, look)}${rootWords(one, look)}`;
  const sources = [...new Set(one.waiters.map(({ source }) => source))];
  return {
    severity: group.suffers ? 'bad' : 'warn',
    subject: group.subject,
    // One chain is reported once: for the affected pools, or otherwise for the server.
    explains: [
      ...(group.subject.kind === 'server' ? [] : keysOf(group, look)),
      ...sources.map((source) => `locks ${source}`),
    ],
    weight: weightOf(group, look) + 2,
    words: `${ofGroup(group, words, look)}; ${NO_GAIN}`,
    evidence: lockEvidence(one, look),
    ...more,
  };
}

function terminate(source: string, pids: readonly number[], isMysql: boolean): Step[] {
  if (isMysql) return pids.map((pid): Step => ({ kind: 'sql', at: source, text: `KILL ${pid}` }));
  return [
    {
      kind: 'sql',
      at: source,
      text: `SELECT ${pids.map((pid) => `pg_terminate_backend(${pid})`).join(', ')}`,
    },
  ];
}

function isMysql(source: string, { facts }: Look): boolean {
  return facts.servers.some((one) => one.source === source && one.kind === 'mysql');
}

/** The statement that ends the session at the root of a case. */
export function endRoot({ root }: LockCase, look: Look): readonly Step[] {
  if (root.kind !== 'backend') return [];
  const { source } = root.fact;
  return terminate(source, [root.fact.backend.pid], isMysql(source, look));
}

export const preparedTransaction: Cause = {
  id: 'prepared-transaction-orphan',
  title: 'A two-phase transaction was prepared and never finished; it holds its locks without a process',
  repair: onlyAt({
    app: 'the coordinator must finish what it prepared',
    postgres:
      "ROLLBACK PREPARED 'gid', or COMMIT PREPARED after looking, as its owner, in its database; max_prepared_transactions = 0 where nobody uses them",
    mysql: "XA RECOVER, then XA ROLLBACK 'xid'",
  }),
  avoid: ['pg_terminate_backend: there is no backend', 'a restart: it stays'],
  find(look) {
    return lockCases(look)
      .filter(({ root }) => root.kind === 'prepared')
      .map((one): Found => {
        const prepared = look.facts.servers.flatMap(({ source, server }) =>
          (server.preparedTransactions ?? []).map((each) => ({ source, ...each })),
        );
        const steps = prepared.map(
          ({ source, gid, database, owner }): Step => ({
            kind: 'sql',
            at: database === null ? source : source.replace(/\/[^/]*$/, `/${database}`),
            text: `ROLLBACK PREPARED '${gid.replaceAll("'", "''")}'${owner === null ? '' : ` -- as ${printable(owner)} or a superuser`}`,
          }),
        );
        const look1 = {
          kind: 'sql',
          at: one.waiters[0]?.source ?? null,
          text: 'SELECT * FROM pg_prepared_xacts',
        } as const;
        return lockFound(one, look, {
          steps: steps.length > 0 ? steps : [look1],
          ruledOut: [
            'autovacuum: its pid is not 0',
            'a blocker that has just ended: the list would be empty at the next look',
          ],
          missing: steps.length > 0 ? null : 'which transaction it is: SELECT * FROM pg_prepared_xacts',
        });
      });
  },
};

export const wraparoundVacuum: Cause = {
  id: 'wraparound-vacuum-blocks',
  title: 'An autovacuum against wraparound holds its lock until it is done, and a schema change waits for it',
  repair: onlyAt({
    app: "run migrations with SET lock_timeout = '2s' and retry them later",
    postgres: 'let the vacuum finish; VACUUM (FREEZE) by hand at a quiet time',
    sql: { postgres: ['ALTER SYSTEM SET autovacuum_vacuum_cost_delay = 0', 'SELECT pg_reload_conf()'] },
  }),
  avoid: ['terminating the autovacuum worker: it starts again, and wraparound comes nearer'],
  find(look) {
    return lockCases(look)
      .filter(
        ({ root }) =>
          root.kind === 'process' && /autovacuum/i.test(root.type) && /wraparound/i.test(root.query),
      )
      .map((one) => {
        const ddl = one.middle ?? one.waiters[0];
        const cancel: Step[] =
          ddl === undefined
            ? []
            : [{ kind: 'sql', at: ddl.source, text: `SELECT pg_cancel_backend(${ddl.backend.pid})` }];
        const pid = ddl === undefined ? '' : `; the statement in the middle is pid ${ddl.backend.pid}`;
        return lockFound(one, look, {
          steps: cancel,
          words: `${ofGroup(one.group, `${waitWords(one, look)}${rootWords(one, look)}${pid}`, look)}; ${NO_GAIN}`,
          ruledOut: [
            'a manual VACUUM: that is a client backend',
            'an ordinary autovacuum: it gives way after deadlock_timeout',
          ],
        });
      });
  },
};

export const serverProcessBlocks: Cause = {
  id: 'server-process-blocks',
  title: 'A process of the server itself holds the lock',
  repair: onlyAt({
    postgres:
      'wait: an ordinary autovacuum gives way after deadlock_timeout; look at the process that is named',
  }),
  avoid: ['terminating it before it is known what it does'],
  find(look) {
    return lockCases(look)
      .filter(
        ({ root }) =>
          root.kind === 'process' && !(/autovacuum/i.test(root.type) && /wraparound/i.test(root.query)),
      )
      .map((one) => lockFound(one, look));
  },
};

export const advisoryThroughPooler: Cause = {
  id: 'advisory-lock-through-pooler',
  title:
    'A session advisory lock was taken through transaction pooling, and stayed on a server of the pooler',
  repair: OWN_SESSION,
  avoid: [
    'server_reset_query_always = 1: it drops the lock right after the statement that took it',
    'retrying without ending the holder',
  ],
  find(look) {
    return lockCases(look)
      .filter(({ root, waiters }) => isSessionLock(root, waiters) && isServerOfPooler(root, look))
      .map((one) =>
        lockFound(one, look, {
          steps: endRoot(one, look),
          ruledOut: ['a direct client that forgot it: the holder is a server of the pooler'],
        }),
      );
  },
};

export const advisoryHeld: Cause = {
  id: 'advisory-lock-held',
  title: 'A session keeps an advisory lock that others wait for',
  repair: {
    ...OWN_SESSION,
    app: 'pg_advisory_unlock() in a finally, or pg_advisory_xact_lock() in a transaction',
  },
  avoid: ['a bigger pool'],
  find(look) {
    return lockCases(look)
      .filter(({ root, waiters }) => isSessionLock(root, waiters) && !isServerOfPooler(root, look))
      .map((one) => lockFound(one, look, { steps: endRoot(one, look) }));
  },
};

export const ddlQueue: Cause = {
  id: 'ddl-lock-queue',
  title: 'A schema change waits for its lock, and everybody who needs the table waits behind it',
  repair: onlyAt({
    app: "run migrations with SET lock_timeout = '2s' and retry them; no long transactions beside them",
    postgres:
      'cancel the schema change; end what it waits for, if that is a transaction that nobody goes on with',
    mysql: 'KILL the schema change; SET SESSION lock_wait_timeout = 2 in migrations',
  }),
  avoid: ['a bigger pool', 'terminating those who wait behind it'],
  find(look) {
    return lockCases(look).flatMap((one): Found[] => {
      const { middle, root } = one;
      if (middle === null || middle.blocks === 0 || root.kind === 'process' || root.kind === 'prepared')
        return [];
      const behind = middle.blocks;
      const source = middle.source;
      const cancel: Step = isMysql(source, look)
        ? { kind: 'sql', at: source, text: `KILL ${middle.backend.pid}` }
        : { kind: 'sql', at: source, text: `SELECT pg_cancel_backend(${middle.backend.pid})` };
      const query = printable((middle.backend.query ?? '').replace(/\s+/g, ' ')).slice(0, 60);
      const clause = `${waitWords(one, look)} behind a schema change (pid ${middle.backend.pid}: ${query}), which waits itself${rootWords(one, look)}`;
      return [
        lockFound(
          one,
          look,
          { steps: [cancel], evidence: [...lockEvidence(one, look), `${behind} wait behind it`] },
          clause,
        ),
      ];
    });
  },
};

export const leakedLock: Cause = {
  ...LEFT_OPEN,
  find(look) {
    return lockCases(look)
      .filter(({ root }) => isLeftOpen(root))
      .map((one) => {
        const { root } = one;
        const holder = root.kind === 'backend' ? root.holder : null;
        const held =
          holder === null
            ? []
            : look.facts.holders.filter((other) => other.suspect && other.pool.key === holder.pool.key);
        const inPool =
          one.group.subject.kind === 'pool' && holder?.pool.key === one.group.subject.key && held.length > 0;
        const clause = `${waitWords(one, look)}${rootWords(one, look)}`;
        return lockFound(
          one,
          look,
          {
            steps: endRoot(one, look),
            driver: holder?.pool.pool.driver ?? null,
            ruledOut: ['a hot row: the root runs no statement'],
          },
          inPool ? `${heldWords(held, one.group.members.length, look)}; ${clause}` : clause,
        );
      });
  },
};

export const lockRing: Cause = {
  id: 'deadlock-storm',
  title: 'Transactions take the same rows in different order',
  repair: {
    app: 'lock in one order everywhere (SELECT ... ORDER BY id FOR UPDATE), and retry on 40P01 (MySQL: 1213)',
    prisma: 'one order of locking, and retry on P2034',
    sql: SHOW_DEADLOCKS,
  },
  avoid: ['a shorter deadlock_timeout as the repair', 'a bigger pool'],
  find(look) {
    const rings = lockCases(look)
      .filter(({ root }) => root.kind === 'ring')
      .map((one) => lockFound(one, look));
    const rising = look.facts.servers.flatMap(({ source }): Found[] => {
      const rates = look.rates(source);
      const count = rates?.deadlocks ?? 0;
      if (count === 0 || rates === null) return [];
      // A chain with a root that lasts is the larger trouble.
      if (lockCases(look).some(({ root, longestMs }) => root.kind !== 'ring' && longestMs > 3000)) return [];
      const pools = look.facts.pools.filter((one) => (one.pool.waiting ?? 0) > 0).map(({ key }) => key);
      return [
        {
          severity: count > 1 || pools.length > 0 ? 'bad' : 'warn',
          subject: { kind: 'server', key: source, source },
          explains: [source, `deadlocks ${source}`, ...rings.flatMap(({ explains }) => explains)],
          weight: count + 1,
          words: `${printable(source)}: ${count} deadlocks in the last ${Math.max(1, Math.round(rates.overMs / 1000))} s; transactions take the same rows in different order`,
          evidence: [`deadlocks: +${count}`],
          ruledOut: ['a chain of locks with one root: each ring is broken after deadlock_timeout'],
        },
      ];
    });
    return [...rising, ...rings];
  },
};

export const lockChain: Cause = {
  id: 'lock-chain-row',
  title: 'Many wait for one lock; who holds it is the cause, or the row is simply hot',
  repair: {
    app: 'shorten the transaction, update the hot row last; SET LOCAL lock_timeout; SKIP LOCKED for queues; inserts of deltas in place of one counter',
    knex: '.skipLocked() for queues; shorten the transaction, update the hot row last',
    sequelize: 'lock: true, skipLocked: true for queues; shorten the transaction',
    typeorm: 'setLock("pessimistic_write").setOnLocked("skip_locked") for queues; shorten the transaction',
    prisma: 'raw SQL for SKIP LOCKED; { increment } outside of long transactions',
    pgbouncer: 'nothing: more servers wait, too',
    postgres: 'end the session at the root if it is idle in transaction; log_lock_waits = on',
    mysql: 'end the session at the root if it sleeps in a transaction; innodb_lock_wait_timeout',
  },
  avoid: ['a bigger pool', 'terminating those who wait'],
  find(look) {
    return lockCases(look).map((one) => {
      const isIdle = one.root.kind === 'backend' && one.root.fact.backend.state?.startsWith('idle') === true;
      const isGone = one.root.kind === 'gone';
      return lockFound(one, look, {
        steps: isIdle ? endRoot(one, look) : [],
        confidence: isGone ? 'likely' : 'certain',
        missing: isGone
          ? 'who holds the lock: a role with pg_monitor (MySQL: PROCESS), or a second look'
          : null,
      });
    });
  },
};
