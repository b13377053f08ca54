import { printable } from '../../report/text.js';
import { LEAK_MS } from '../facts.js';
import {
  type Activity,
  activityOf,
  commonest,
  type Group,
  groupsOf,
  holdersOf,
  isOfDatabase,
  isPressed,
  type Member,
  poolSubject,
  SLOW_MS,
} from '../look.js';
import { ofPool, quote, siteEvidence, sitesOf } from '../phrases.js';
import { BOUND_STATEMENTS, FEWER_AT_ONCE, onlyAt } from '../repairs.js';
import type { Cause, Found, Look } from '../types.js';
import { counted, shortSite, shortTime } from '../words.js';
import { hasAnswered } from './leases.js';
import { lockCases } from './lock-cases.js';
import { keysOf, ofGroup, weightOf } from './locks.js';

/** Members of one class in a group, where they are the most of those that are at work. */
interface Wait {
  readonly group: Group;
  readonly members: readonly Member[];
  readonly activity: Activity;
  readonly atWork: number;
  readonly longestMs: number;
  /** The wait event that most of them have. */
  readonly event: string;
  /** The text that most of them run, and how many do. */
  readonly query: string;
  readonly sameText: number;
}

function waitsOf(look: Look, activity: Activity, leastMs = SLOW_MS): readonly Wait[] {
  // Sessions that wait for the lock of such a backend wait for the same thing.
  const isRoot = activity === 'sync' || activity === 'client';
  const behindIt = new Set(
    (isRoot ? lockCases(look) : []).flatMap(({ root, waiters }) =>
      root.kind === 'backend' && activityOf(root.fact) === activity ? waiters.map(({ key }) => key) : [],
    ),
  );
  return groupsOf(look).flatMap((group): Wait[] => {
    if (look.isExplained(group.subject.key)) return [];
    const isSource = group.subject.kind === 'server';
    const isOwn = group.subject.kind === 'pool' && group.queue === undefined;
    const atWork = group.members.filter(({ holder, backend }) =>
      !isOwn ? backend?.backend.state === 'active' : holder?.suspect !== true && holder?.doing !== 'idle',
    );
    const members = atWork.filter(
      ({ backend }) => backend !== null && (activityOf(backend) === activity || behindIt.has(backend.key)),
    );
    if (members.length === 0 || members.length * 2 < atWork.length) return [];
    const usual = activity === 'query' ? meanHoldMs(group, look) : 0;
    const longestMs = Math.max(...members.map(timeOf), usual);
    if (longestMs < leastMs) return [];
    // A single one is news once it is as old as a leak.
    if (isSource && members.length < 2 && !(isRoot && longestMs > LEAK_MS)) return [];
    const texts = members.map(
      ({ backend, holder }) => backend?.backend.query ?? holder?.holder.lastSql ?? '',
    );
    const query = commonest(texts.map(shapeOf));
    return [
      {
        ...{ group, members, activity, atWork: atWork.length, longestMs },
        event: commonest(
          members.flatMap(({ backend }) =>
            backend !== null && activityOf(backend) === activity ? (backend.backend.waitEvent ?? '') : [],
          ),
        ),
        query: texts.find((text) => shapeOf(text) === query) ?? '',
        sameText: texts.filter((text) => shapeOf(text) === query).length,
      },
    ];
  });
}

/** How long the last leases of a pool were held: what runs now may have begun a moment ago. 0 where it is not known. */
function meanHoldMs({ subject, queue }: Group, look: Look): number {
  const fact = look.facts.pools.find(({ key }) => key === subject.key);
  const thinks = look.facts.servers.some(({ source }) => (look.rates(source)?.thinkShare ?? 0) > 0.5);
  return fact === undefined || queue !== undefined || thinks ? 0 : (look.recent(fact).holdMeanMs ?? 0);
}

/** Statements of one shape differ in their values alone. */
function shapeOf(query: string): string {
  return query
    .replace(/'(?:[^']|'')*'/g, '?')
    .replace(/\b\d+(?:\.\d+)?\b/g, '?')
    .replace(/\s+/g, ' ')
    .trim();
}

function timeOf({ backend, holder }: Member): number {
  return backend?.backend.queryMs ?? holder?.holder.ageMs ?? 0;
}

/** The relation of a group's members to its subject. */
function nounOf({ subject, queue }: Group): string {
  if (subject.kind === 'pool') return queue === undefined ? 'lease' : 'active backend';
  return subject.kind === 'pooler' ? 'server' : 'active backend';
}

function waitFound(wait: Wait, look: Look, clause: string, more: Partial<Found> = {}): Found {
  const { group, members, event, query, longestMs, activity } = wait;
  const sources = [...new Set(members.flatMap(({ backend }) => backend?.source ?? []))];
  const { subject, suffers } = group;
  const of = subject.kind === 'server' ? `${subject.source}: ` : '';
  const { evidence = [], ...rest } = more;
  return {
    severity: suffers || subject.kind === 'server' ? (suffers ? 'bad' : 'warn') : 'warn',
    subject,
    explains: [
      // It is reported once: for the affected pools, or otherwise for the server.
      ...(subject.kind === 'server' ? [] : keysOf(group, look)),
      ...sources.flatMap((source) => [
        `${activity} ${source}`,
        ...(activity === 'sync' || activity === 'client' ? [`locks ${source}`] : []),
      ]),
    ],
    weight: weightOf(group, look),
    words: subject.kind === 'server' ? `${of}${clause}` : ofGroup(group, clause, look),
    evidence: [
      `${counted(members.length, 'backend')}: active, wait_event ${event === '' ? 'none' : event}, for up to ${shortTime(longestMs)}`,
      ...(query === '' ? [] : [`most of them: ${quote(query, 120)}`]),
      ...evidence,
      ...siteEvidence(
        members.flatMap(({ holder }) => holder ?? []),
        look,
      ),
    ],
    ...rest,
  };
}

export const clientReads: Cause = {
  id: 'server-waits-for-client',
  title:
    'The server waits for the client, which does not fetch or send: a suspended cursor, a slow reader, or a COPY',
  repair: {
    app: 'read results to their end or destroy the stream or cursor (stream.destroy(), cursor.close()) on every path, also after an error; do not call other services between rows',
    pg: 'pg-cursor: await cursor.close() in a finally; pg-query-stream: pipeline(), which destroys it after an error',
    'postgres.js': 'leave the for await loop of .cursor() by return or break, which closes it',
    mysql2: 'stream.destroy(), or read the stream to its end',
    'mariadb client': 'stream.close() of queryStream() in a finally, or read it to its end',
    knex: '.stream() with pipeline(), which destroys it after an error',
  },
  avoid: ['tuning the query: the server has its answer ready', 'a bigger pool', 'an index'],
  find(look) {
    return [...unreadAnswers(look), ...waitsFor(look)];
  },
};

/** The server has sent all of it, so it is idle, while the client still has rows to read. */
function unreadAnswers(look: Look): Found[] {
  return look.facts.pools.flatMap((fact): Found[] => {
    if (!isOfDatabase(fact) || fact.pool.closed || look.isExplained(fact.key)) return [];
    const own = holdersOf(look.facts, fact);
    const unread = own.filter(
      ({ holder, backend }) =>
        holder.busy === true &&
        backend?.backend.state === 'idle' &&
        (backend.backend.stateMs ?? 0) > SLOW_MS &&
        hasAnswered(holder, backend),
    );
    if (unread.length === 0 || unread.length * 2 < own.length) return [];
    const longest = Math.max(...unread.map(({ backend }) => backend?.backend.stateMs ?? 0));
    return [
      {
        severity: isPressed(fact) ? 'bad' : 'warn',
        subject: poolSubject(fact),
        explains: [fact.key],
        weight: (fact.pool.waiting ?? 0) + 1,
        words: ofPool(
          fact,
          `${unread.length} of ${counted(own.length, 'lease')} do not read the answer that the server sent up to ${shortTime(longest)} ago${sitesOf(unread, look)}`,
        ),
        evidence: siteEvidence(unread, look),
        ruledOut: [
          'a slow query: the server has finished it',
          'a half-open connection: the server was idle only after the lease began',
        ],
      },
    ];
  });
}

function waitsFor(look: Look): Found[] {
  return waitsOf(look, 'client').map((wait) => {
    const what =
      wait.event === 'ClientWrite'
        ? 'the client does not read what it asked for'
        : 'the client neither fetches nor sends the rest';
    return waitFound(
      wait,
      look,
      `${wait.members.length} of ${counted(wait.atWork, nounOf(wait.group))} wait for the client (Client/${wait.event}) for up to ${shortTime(wait.longestMs)}: ${what}`,
      { ruledOut: ['a slow query: the server has nothing to do', 'a lock: wait_event_type is Client'] },
    );
  });
}

export const syncStandby: Cause = {
  id: 'sync-standby-lost',
  title: 'Commits wait for a synchronous standby that does not answer',
  repair: onlyAt({
    postgres:
      "bring the standby back; until then ALTER SYSTEM SET synchronous_standby_names = '' and SELECT pg_reload_conf(), or ANY 1 (...) over two standbys",
    mysql: 'bring the replica back; rpl_semi_sync_master_timeout bounds the wait',
  }),
  avoid: ['a bigger pool', 'terminating those who wait: their commit may be lost'],
  find(look) {
    return waitsOf(look, 'sync').map((wait) => {
      const standbys = look.facts.servers.flatMap(({ server }) => server.standbys ?? []);
      const known = look.facts.servers.some(({ server }) => server.standbys !== undefined);
      const sync = standbys.filter(({ syncState }) => syncState === 'sync' || syncState === 'quorum');
      const names = look.facts.servers
        .map(({ server }) => server.settings?.synchronous_standby_names ?? '')
        .find((one) => one !== '');
      const [server] = look.facts.servers;
      return waitFound(
        wait,
        look,
        `${wait.members.length} of ${counted(wait.atWork, nounOf(wait.group))} wait for a synchronous standby (IPC/SyncRep) for up to ${shortTime(wait.longestMs)}${known ? `; ${sync.length} synchronous standbys are connected` : ''}`,
        {
          evidence: [
            ...(names === undefined ? [] : [`synchronous_standby_names = ${names}`]),
            ...standbys.map(
              ({ name, syncState, state }) =>
                `pg_stat_replication: ${name} ${state ?? ''} ${syncState ?? ''}`,
            ),
          ],
          ruledOut: ['a slow query: the work is done, and only the confirmation is missing'],
          steps:
            server === undefined || sync.length > 0
              ? []
              : [
                  { kind: 'sql', at: server.source, text: "ALTER SYSTEM SET synchronous_standby_names = ''" },
                  { kind: 'sql', at: server.source, text: 'SELECT pg_reload_conf()' },
                ],
        },
      );
    });
  },
};

export const lwlocks: Cause = {
  id: 'lwlock-contention',
  title: 'Backends wait for internal light-weight locks, more the more run at once',
  repair: {
    ...FEWER_AT_ONCE,
    postgres:
      'end the long transaction beside them; fewer indexes or partitions in each statement; fewer savepoints; a newer major version',
  },
  avoid: ['a bigger pool'],
  find(look) {
    return waitsOf(look, 'lwlock', 0)
      .filter(({ members }) => members.length >= 2)
      .map((wait) =>
        waitFound(
          wait,
          look,
          `${wait.members.length} of ${counted(wait.atWork, nounOf(wait.group))} wait for light-weight locks (LWLock/${wait.event}); fewer at once help`,
          {
            severity: wait.group.suffers ? 'bad' : 'warn',
            ruledOut: ['locks of rows or tables: wait_event_type is LWLock'],
          },
        ),
      );
  },
};

export const ioSaturated: Cause = {
  id: 'io-saturated',
  title: 'The disk is the limit: a cold cache, or a throttled volume',
  repair: {
    ...FEWER_AT_ONCE,
    postgres:
      'pg_prewarm after a failover, more memory (shared_buffers), more provisioned IOPS; wal_buffers and commit_delay where WALSync waits',
    mysql: 'a larger innodb_buffer_pool_size, more provisioned IOPS',
  },
  avoid: ['a bigger pool'],
  find(look) {
    return waitsOf(look, 'io', 100)
      .filter(
        ({ members, sameText, event }) =>
          members.length >= 2 && (sameText * 2 < members.length || /^WAL/.test(event)),
      )
      .map((wait) =>
        waitFound(
          wait,
          look,
          `${wait.members.length} of ${counted(wait.atWork, nounOf(wait.group))} wait for the disk (IO/${wait.event}), over different statements`,
          { ruledOut: ['a missing index: many statements wait, not one'] },
        ),
      );
  },
};

export const foreignServer: Cause = {
  id: 'waits-for-other-server',
  title: 'Statements wait for another server (a foreign table, dblink, or an extension)',
  repair: onlyAt({
    postgres:
      'look at the other server; a statement_timeout there, and connect_timeout of its foreign server',
  }),
  avoid: ['a bigger pool', 'tuning the local query'],
  find(look) {
    return waitsOf(look, 'foreign').map((wait) =>
      waitFound(
        wait,
        look,
        `${wait.members.length} of ${counted(wait.atWork, nounOf(wait.group))} wait for another server (Extension/${wait.event}) for up to ${shortTime(wait.longestMs)}: ${quote(wait.query)}`,
      ),
    );
  },
};

export const jobsStarveRequests: Cause = {
  id: 'jobs-starve-requests',
  title: 'Background jobs and requests share one pool, and the jobs take it',
  repair: {
    app: 'a second pool with its own small size for the jobs, and application_name for each',
    prisma: 'a second client with its own connection_limit',
    typeorm: 'a second DataSource for the jobs',
    pgbouncer: 'a user or database entry of its own for jobs, with its pool_size',
    postgres: 'a role of its own with CONNECTION LIMIT',
  },
  avoid: ['one bigger pool for both'],
  find(look) {
    return waitsOf(look, 'query').flatMap((wait): Found[] => {
      const fact = look.facts.pools.find(({ key }) => key === wait.group.subject.key);
      const waiters = fact?.pool.observed?.waiterSites ?? [];
      if (fact === undefined || waiters.length === 0 || !wait.group.suffers) return [];
      const slow = wait.members.filter((member) => timeOf(member) > SLOW_MS);
      const sites = new Set(slow.flatMap(({ holder }) => holder?.holder.site ?? []));
      if (sites.size === 0 || sites.size > 2 || slow.length * 2 < (fact.capacity ?? slow.length * 2))
        return [];
      const lines = new Set([...sites].map((site) => shortSite(site, '')));
      const others = waiters.filter(({ site }) => !lines.has(shortSite(site, '')));
      const other = others.reduce((sum, { count }) => sum + count, 0);
      const all = waiters.reduce((sum, { count }) => sum + count, 0);
      if (other * 2 < all) return [];
      const [victim] = others;
      return [
        waitFound(
          wait,
          look,
          `${slow.length} of ${counted(fact.pool.inUse ?? slow.length, 'lease')} run long statements of ${[...sites].map((one) => printable(shortSite(one, look.cwd))).join(' and ')}, while ${other} callers of other places wait${victim === undefined ? '' : ` (most at ${printable(shortSite(victim.site, look.cwd))})`}`,
          { ruledOut: ['slow queries everywhere: those who wait are of other places'] },
        ),
      ];
    });
  },
};

/** So many statements of different shapes at once, all slow and none waiting, are more than a few cores. */
const MANY_TEXTS = 4;

export const cpuSaturated: Cause = {
  id: 'cpu-saturated',
  title: 'More statements compute at once than the server has cores',
  repair: {
    ...FEWER_AT_ONCE,
    postgres: 'the statements with the most time in pg_stat_statements; more cores',
  },
  avoid: ['a bigger pool'],
  find(look) {
    return waitsOf(look, 'query').flatMap((wait): Found[] => {
      const computing = wait.members.filter(({ backend }) => backend?.backend.waitType == null);
      if (
        computing.length < MANY_TEXTS ||
        computing.length * 2 < wait.atWork ||
        wait.sameText * 2 >= wait.members.length
      )
        return [];
      return [
        waitFound(
          wait,
          look,
          `${computing.length} of ${counted(wait.atWork, nounOf(wait.group))} compute (no wait event), over different statements, for up to ${shortTime(wait.longestMs)}`,
          {
            confidence: 'likely',
            missing: 'how many cores the server has, and how busy they are',
            ruledOut: ['one slow statement: their texts differ', 'locks and disk: none waits'],
          },
        ),
      ];
    });
  },
};

export const slowQuery: Cause = {
  id: 'slow-query',
  title: 'One statement is slow and takes the places of the pool',
  repair: {
    ...BOUND_STATEMENTS,
    app: 'EXPLAIN (ANALYZE, BUFFERS) of the statement: an index, or less of it at once; and a limit for every statement',
  },
  avoid: ['a bigger pool before the query is repaired'],
  find(look) {
    return [...waitsOf(look, 'query'), ...waitsOf(look, 'io'), ...waitsOf(look, 'throttled')].flatMap(
      (wait): Found[] => {
        const { group, members } = wait;
        const usual = meanHoldMs(group, look);
        const slow = usual > SLOW_MS ? members : members.filter((member) => timeOf(member) > SLOW_MS);
        if (slow.length * 2 < wait.atWork) return [];
        if (group.subject.kind === 'server') return [];
        const text = wait.query === '' ? '' : `: ${quote(wait.query)}`;
        const noun = group.subject.kind === 'pool' ? nounOf(group) : 'active backend';
        const all =
          group.subject.kind === 'pool' && group.queue === undefined ? group.members.length : wait.atWork;
        return [
          waitFound(
            wait,
            look,
            `${slow.length} of ${counted(all, noun)} in queries > ${shortTime(SLOW_MS)}, the longest ${shortTime(wait.longestMs)}${text}`,
            {
              ruledOut: [
                'locks: none of them is blocked',
                'a lost connection: the server runs these statements',
              ],
            },
          ),
        ];
      },
    );
  },
};

/** Without the server at hand: what the application itself sees of its leases. */
export const slowSeenByApplication: Cause = {
  ...slowQuery,
  find(look) {
    return groupsOf(look).flatMap((group): Found[] => {
      const { subject, members, suffers, queue } = group;
      if (subject.kind !== 'pool' || !suffers || queue !== undefined || look.isExplained(subject.key))
        return [];
      const live = members.flatMap(({ holder }) => (holder === null || holder.suspect ? [] : [holder]));
      const slow = live.filter(
        ({ doing, backend, holder }) =>
          doing === 'query' && (backend?.backend.queryMs ?? holder.ageMs ?? 0) > SLOW_MS,
      );
      if (slow.length === 0 || slow.length * 2 < live.length) return [];
      const longest = Math.max(
        ...slow.map(({ backend, holder }) => backend?.backend.queryMs ?? holder.ageMs ?? 0),
      );
      const query = commonest(
        slow.map(({ backend, holder }) => backend?.backend.query ?? holder.lastSql ?? ''),
      );
      const text = query === '' ? '' : `: ${quote(query)}`;
      const unseen = slow.some(({ backend }) => backend === null);
      return [
        {
          severity: 'bad',
          subject,
          explains: keysOf(group, look),
          weight: weightOf(group, look),
          words: ofGroup(
            group,
            `${slow.length} of ${counted(members.length, 'lease')} in queries > ${shortTime(SLOW_MS)}, the longest ${shortTime(longest)}${text}`,
            look,
          ),
          evidence: siteEvidence(slow, look),
          confidence: unseen ? 'likely' : 'certain',
          missing: unseen ? 'what the server does with them (locks, disk, or work): add its address' : null,
        },
      ];
    });
  },
};
