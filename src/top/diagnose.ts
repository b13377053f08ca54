import { printable } from '../report/text.js';
import type { PoolReading } from '../snapshot/reading.js';
import { brokerTrouble } from './broker-trouble.js';
import {
  type BackendFact,
  type Doing,
  type Facts,
  type HolderFact,
  LEAK_MS,
  type PoolerPoolFact,
  type PoolFact,
} from './facts.js';
import { type PoolSample, type Recent, recentOf } from './history.js';
import { counted, shortRate, shortSite, shortTime } from './words.js';

/** Why a pool runs dry. */
export type Cause =
  | 'leak'
  | 'lock waits'
  | 'slow queries'
  | 'pool too small'
  | 'pooler queue'
  | 'database limit'
  | 'broker link'
  | 'broker pacing'
  | 'unclear';

export interface Diagnosis {
  /** `none`: there is nothing to judge. */
  readonly severity: 'good' | 'warn' | 'bad' | 'none';
  /** null where nothing is wrong. */
  readonly cause: Cause | null;
  /** The pool, pooler or server that it is about; null where it is about none. */
  readonly subject: string | null;
  /** The whole of it, for the first line of the screen. */
  readonly words: string;
}

export interface DiagnosisContext {
  readonly history: ReadonlyMap<string, readonly PoolSample[]>;
  readonly cwd: string;
}

/** A query that runs for longer is a slow one. */
export const SLOW_MS = 1000;
/** A queue in the pooler for no longer is nothing to worry about. */
const SHORT_MS = 50;
/** What a bigger pool does where backends wait for each other. */
const NO_GAIN = 'a bigger pool gains nothing';

/**
 * One sentence on what is wrong, and why. The causes are tried from the one that makes others look like itself to the
 * one that is left: a database that refuses connections, locks, leaks, slow queries, the pooler, the size.
 */
export function diagnose(facts: Facts, context: DiagnosisContext): Diagnosis {
  if (isEmpty(facts)) {
    const words = facts.failures.length > 0 ? 'nothing can be read' : 'no reading yet';
    return { severity: 'none', cause: null, subject: null, words };
  }
  const found = [
    ...facts.pools.flatMap((pool) => poolDiagnosis(pool, facts, context) ?? []),
    ...poolerDiagnoses(facts, context),
    ...serverDiagnoses(facts, context),
  ].sort((one, other) => rank(other) - rank(one));
  const [worst] = found;
  if (worst !== undefined) {
    // A queue behind a pool, or a full server, is what the pool itself is already said to suffer from.
    const others = found.filter(
      ({ severity, subject, of, cause }) =>
        severity === 'bad' && subject !== worst.subject && (of === worst.of || cause !== worst.cause),
    ).length;
    return others === 0 || worst.severity !== 'bad'
      ? worst
      : { ...worst, words: `${worst.words}; ${others} more` };
  }
  return { severity: 'good', cause: null, subject: null, words: quiet(facts) };
}

interface Ranked extends Diagnosis {
  readonly of: 'pool' | 'pooler' | 'server';
  /** Of two that are equally bad, the one with more of these comes first. */
  readonly weight: number;
}

function rank({ severity, weight }: Ranked): number {
  return (severity === 'bad' ? 1e9 : 0) + weight;
}

function isEmpty({ pools, backends, poolerPools, servers, failures }: Facts): boolean {
  const refused = failures.some(({ why }) => refusal(why) !== null);
  return pools.length + backends.length + poolerPools.length + servers.length === 0 && !refused;
}

function quiet({ pools, backends, poolerPools }: Facts): string {
  const known = pools.flatMap(({ pool }) => pool.inUse ?? []);
  const inUse = known.reduce((sum, count) => sum + count, 0);
  const unknown = pools.length - known.length;
  const active = backends.filter(({ backend }) => backend.state === 'active').length;
  const parts = [
    known.length > 0 ? `${counted(inUse, 'lease')} out of ${counted(known.length, 'pool')}` : null,
    unknown > 0 ? `leases of ${counted(unknown, 'pool')} not known` : null,
    poolerPools.length > 0 ? 'no client queues in the pooler' : null,
    backends.length > 0 ? `${active} of ${counted(backends.length, 'backend')} active` : null,
  ].filter((part) => part !== null);
  return `nothing waits: ${parts.join(', ')}`;
}

function poolDiagnosis(fact: PoolFact, facts: Facts, context: DiagnosisContext): Ranked | null {
  const { pool, capacity } = fact;
  if (pool.closed) return null;
  const holders = facts.holders.filter((one) => one.pool.key === fact.key);
  const suspects = holders.filter(({ suspect }) => suspect);
  const leases = pool.inUse ?? holders.length;
  const name = printable(pool.name);
  const full = isFull(fact);
  // Where nobody knows whether anybody waits, only a full pool shows.
  const exhausted = (pool.waiting ?? 0) > 0;
  const recent = recentOf(context.history.get(fact.key) ?? []);
  const broker = brokerTrouble(pool, { leaks: suspects.length > 0 });
  if (broker !== null) {
    const words = `${name}: ${broker.words}${exhausted ? `; ${pool.waiting} waiting` : ''}`;
    return { of: 'pool', subject: fact.key, weight: (pool.waiting ?? 0) + 1, ...broker, words };
  }
  const failure = failureNow(fact, facts, recent);
  if (!exhausted && !full && failure === null) {
    if (suspects.length === 0) return null;
    const words = `${name}: ${leakWords(suspects, leases, context)}; ${waitingWords(pool)}`;
    return { of: 'pool', severity: 'warn', cause: 'leak', subject: fact.key, words, weight: suspects.length };
  }
  const waiting = waitingWords(pool);
  const opening = exhausted && !full && failure === null ? (pool.creating ?? 0) : 0;
  const calm = full ? 'full' : `cannot grow beyond ${openOf(pool)}`;
  const pressed = opening > 0 ? 'growing' : 'exhausted';
  const said = (cause: Cause, words: string): Ranked => ({
    of: 'pool',
    severity: exhausted || failure !== null ? 'bad' : 'warn',
    cause,
    subject: fact.key,
    words: `${name}: ${exhausted ? pressed : calm}; ${words}`,
    weight: (pool.waiting ?? 0) + 1,
  });

  if (failure !== null) return said(failure.cause, `${failure.words}; ${waiting}`);
  const lock = lockWords(holders, suspects, facts, context);
  if (lock !== null) return said(lock.cause, `${lock.words}; ${waiting}; ${NO_GAIN}`);
  if (suspects.length > 0) {
    const blocked = suspects.reduce((sum, { backend }) => sum + (backend?.blocks ?? 0), 0);
    const also = blocked === 0 ? '' : `; they block ${counted(blocked, 'backend')}, where ${NO_GAIN}`;
    return said('leak', `${leakWords(suspects, leases, context)}; ${waiting}${also}`);
  }
  const slow = holders.filter((one) => one.doing === 'query' && busyMs(one) > SLOW_MS);
  if (slow.length > 0 && slow.length * 2 >= holders.length) {
    const query = commonest(slow.map((one) => one.backend?.backend.query ?? one.holder.lastSql ?? ''));
    const text = query === '' ? '' : `: ${printable(query).slice(0, 60)}`;
    const words = `${slow.length} of ${counted(leases, 'lease')} in queries > ${shortTime(SLOW_MS)}, the longest ${shortTime(Math.max(...slow.map(busyMs)))}${text}; ${waiting}`;
    return said('slow queries', words);
  }
  const queue = queueBehind(holders, facts, context);
  if (queue !== null) return said(queue.cause, `${queue.words}; ${waiting}`);
  const limit = facts.servers.map((one) => limitWords(one, facts)).find((words) => words !== null);
  if (limit) return said('database limit', `${limit}; ${waiting}`);
  const oldest = pool.longestHoldMs ?? holders[0]?.holder.ageMs ?? null;
  // Not acquires: a pool that is just being emptied has those as well.
  const turnover = recent.releasesPerSecond;
  // Short leases that come back all the time, and still a queue: there are not enough of them.
  if (exhausted && full && oldest !== null && oldest < SLOW_MS && turnover !== null && turnover > 0) {
    const hold = recent.holdMeanMs === null ? '' : `, held ${shortTime(recent.holdMeanMs)} each`;
    return said(
      'pool too small',
      `${pool.inUse} leases turn over at ${shortRate(turnover)}/s${hold}, none slow; ${waiting}`,
    );
  }
  if (opening > 0)
    return said('unclear', `${counted(opening, 'connection')} being opened, ${inUseWords(pool)}; ${waiting}`);
  const limitText = inUseWords(pool, capacity);
  return said('unclear', `${limitText}, ${waiting}; cause unclear${whyUnclear(holders, facts, context)}`);
}

/**
 * What there is to say where a pool gets no connections; null where it does. It remembers its last failure until one
 * succeeds: that counts while somebody waits, or tries again, or the server is seen to be full.
 */
function failureNow(
  fact: PoolFact,
  facts: Facts,
  recent: Recent,
): { readonly cause: Cause; readonly words: string } | null {
  const { pool } = fact;
  if (pool.createError === null) return null;
  const refused = refusal(pool.createError);
  const limits = refused === null ? [] : facts.servers.flatMap((one) => limitWords(one, facts) ?? []);
  const short = (pool.waiting ?? 0) > 0 || isFull(fact);
  const isNow = short || (recent.createFailuresPerSecond ?? 0) > 0 || limits.length > 0;
  if (!isNow) return null;
  if (refused === null) {
    const why = printable(pool.createError).slice(0, 120);
    return { cause: 'unclear', words: `connections cannot be opened (${why})` };
  }
  const words = [`the database refuses connections (${refused})`, ...limits.slice(0, 1)].join('; ');
  return { cause: 'database limit', words };
}

/** `3 of 15 leases held > 30 s by src/orders.ts:88`; of more places than two, the two with most of them. */
function waitingWords({ waiting }: PoolReading): string {
  if (waiting === null) return 'waiters not known';
  return waiting === 0 ? 'none waiting' : `${waiting} waiting`;
}

function inUseWords({ inUse }: PoolReading, capacity: number | null = null): string {
  if (inUse === null) return 'leases not known';
  return capacity === null ? `${inUse} in use` : `${inUse} of ${capacity} in use`;
}

function leakWords(suspects: readonly HolderFact[], inUse: number, { cwd }: DiagnosisContext): string {
  const sites = ranked(suspects.map(({ holder }) => holder.site ?? ''))
    .filter((site) => site !== '')
    .slice(0, 2);
  const more = suspects.filter(({ holder }) => !sites.includes(holder.site ?? '')).length;
  const names = sites.map((site) => printable(shortSite(site, cwd)));
  const by =
    names.length === 0 ? '' : ` by ${[...names, ...(more > 0 ? [`${more} elsewhere`] : [])].join(' and ')}`;
  const allOld = suspects.every(({ holder }) => (holder.ageMs ?? 0) > LEAK_MS);
  const held = allOld ? `held > ${LEAK_MS / 1000} s` : 'held too long';
  return `${suspects.length} of ${counted(inUse, 'lease')} ${held}${by}`;
}

/** What there is to say where most leases wait for locks: who holds them is the cause. */
function lockWords(
  holders: readonly HolderFact[],
  suspects: readonly HolderFact[],
  facts: Facts,
  context: DiagnosisContext,
): { readonly cause: Cause; readonly words: string } | null {
  const waiters = holders.filter(({ doing }) => doing === 'lock wait');
  const live = holders.length - suspects.length;
  if (waiters.length === 0 || waiters.length * 2 < live) return null;
  const blocker = rootBlocker(
    waiters.map(({ backend }) => backend).filter((one) => one !== null),
    facts,
  );
  const words = `${waiters.length} of ${counted(holders.length, 'lease')} wait for locks${heldBy(blocker, waiters.length, facts, context)}`;
  const leaked = suspects.some(({ backend }) => backend !== null && backend.key === blocker?.fact.key);
  // Where a leak holds the lock, the leak is what has to be repaired.
  return leaked
    ? { cause: 'leak', words: `${leakWords(suspects, holders.length, context)}; ${words}` }
    : { cause: 'lock waits', words };
}

/** The backend that most of some waiters wait for in the end. */
interface Blocker {
  readonly fact: BackendFact;
  /** How many of them. */
  readonly count: number;
}

function heldBy(blocker: Blocker | null, waiters: number, facts: Facts, { cwd }: DiagnosisContext): string {
  if (blocker === null) return '';
  const { fact, count } = blocker;
  const { pid, state, transactionMs } = fact.backend;
  const site = facts.holders.find(({ backend }) => backend?.key === fact.key)?.holder.site ?? null;
  const where = site === null ? '' : ` by ${printable(shortSite(site, cwd))}`;
  const since = transactionMs === null ? '' : ` for ${shortTime(transactionMs)}`;
  const some = count === waiters ? '' : `, ${count} of them for one`;
  return `${some} held${where} (pid ${pid}, ${printable(state ?? 'state unknown')}${since})`;
}

function rootBlocker(waiters: readonly BackendFact[], { backends }: Facts): Blocker | null {
  const byPid = new Map(backends.map((one) => [one.backend.pid, one]));
  const roots = waiters.flatMap((waiter) => {
    const seen = new Set<number>();
    let at: BackendFact | undefined = waiter;
    while (at !== undefined && at.backend.blockedBy.length > 0 && !seen.has(at.backend.pid)) {
      seen.add(at.backend.pid);
      at = byPid.get(at.backend.blockedBy[0] ?? -1);
    }
    return at === undefined || at === waiter ? [] : [at.key];
  });
  const key = commonest(roots);
  const fact = backends.find((one) => one.key === key);
  return fact === undefined ? null : { fact, count: roots.filter((one) => one === key).length };
}

/** What there is to say where most leases wait in the pooler: what its server connections do is the cause. */
function queueBehind(
  holders: readonly HolderFact[],
  facts: Facts,
  context: DiagnosisContext,
): { readonly cause: Cause; readonly words: string } | null {
  const waiting = holders.filter(({ doing }) => doing === 'queued');
  if (waiting.length === 0 || waiting.length * 2 < holders.length) return null;
  const [first] = waiting;
  const own = facts.poolerPools.find(
    ({ pool }) => pool.database === first?.client?.database && pool.user === first.client.user,
  );
  const words = `${waiting.length} of ${counted(holders.length, 'lease')} queue in PgBouncer`;
  if (own === undefined) return { cause: 'pooler queue', words };
  const { cause, why } = whyQueued(own, facts, context);
  return { cause, words: `${words} for ${counted(serversOf(own.pool), 'server connection')}${why}` };
}

const DOING: Readonly<Record<Doing, string>> = {
  query: 'in queries',
  'lock wait': 'in waits for locks',
  queued: 'in the queue of PgBouncer',
  'idle in transaction': 'idle in transactions',
  idle: 'idle',
};

/** `: 3 idle, the oldest for 4.2s, acquired at src/orders.ts:88`, or what would have to be known. */
function whyUnclear(
  holders: readonly HolderFact[],
  { backends, gaps }: Facts,
  { cwd }: DiagnosisContext,
): string {
  if (holders.length > 0 && holders.every(({ holder }) => holder.ageMs === null))
    return ': the ages of leases are not measured';
  const unread = gaps.length === 0 ? '' : `${counted(gaps.length, 'thing')} could not be read, see Events`;
  const doing = holders.flatMap((one) => (one.doing === null ? [] : DOING[one.doing]));
  const counts = ranked(doing).map((what) => `${doing.filter((one) => one === what).length} ${what}`);
  const oldest = holders.reduce<HolderFact | null>(
    (one, other) => ((other.holder.ageMs ?? 0) > (one?.holder.ageMs ?? 0) ? other : one),
    null,
  );
  const site = oldest?.holder.site ?? null;
  const where = site === null ? '' : `, acquired at ${printable(shortSite(site, cwd))}`;
  const known =
    counts.length === 0 || oldest === null
      ? ''
      : `: ${counts.join(', ')}, the oldest for ${shortTime(oldest.holder.ageMs)}${where}`;
  if (unread !== '') return known === '' ? `: ${unread}` : `${known}; ${unread}`;
  return backends.length === 0 ? `${known}; add the database as a source to see more` : known;
}

function poolerDiagnoses(facts: Facts, context: DiagnosisContext): Ranked[] {
  return facts.poolerPools.flatMap((fact): Ranked[] => {
    const { key, pool, pooler } = fact;
    const name = printable(`pgbouncer ${pool.database}/${pool.user}`);
    const paused = pooler.databases.some((one) => one.name === pool.database && one.paused);
    if (pool.clientsWaiting === 0) return [];
    const clients = pool.clientsWaiting + pool.clientsActive;
    const queue = `${pool.clientsWaiting} of ${counted(clients, 'client')} queue for ${counted(serversOf(pool), 'server connection')}, the longest for ${shortTime(pool.longestWaitMs)}`;
    const weight = pool.clientsWaiting - 0.5;
    // For a moment some of many wait in any pooler.
    const severity = pool.longestWaitMs > SHORT_MS ? 'bad' : 'warn';
    const base = { of: 'pooler', subject: key, severity, weight } as const;
    if (paused)
      return [
        {
          ...base,
          severity: 'bad',
          cause: 'pooler queue',
          words: `${name}: ${queue}; the database is paused`,
        },
      ];
    const { cause, why } = whyQueued(fact, facts, context);
    return [{ ...base, cause, words: `${name}: ${queue}${why}` }];
  });
}

/** Why no server connection of a pooler becomes free: what those do that it has. */
function whyQueued(
  { pool, pooler }: PoolerPoolFact,
  facts: Facts,
  context: DiagnosisContext,
): { readonly cause: Cause; readonly why: string } {
  const ofPool = ({ database, user }: { database: string | null; user: string | null }): boolean =>
    database === pool.database && user === pool.user;
  const pids = new Set(pooler.servers.filter(ofPool).map(({ backendPid }) => backendPid));
  const linked = facts.backends.filter(({ backend }) => pids.has(backend.pid));
  // Of another pooler behind this one the pids mean nothing.
  const own = linked.length > 0 ? linked : facts.backends.filter(({ backend }) => ofPool(backend));
  const lock = lockWaits(own, facts, context);
  if (lock !== null) return { cause: 'lock waits', why: `; ${lock}` };
  const idle = leakedTransactions(own);
  if (idle !== null && idle.count * 2 >= own.length) return { cause: 'leak', why: `; ${idle.words}` };
  const slow = slowBackends(own);
  if (slow !== null) return { cause: 'slow queries', why: `; ${slow}` };
  return { cause: 'pooler queue', why: '' };
}

function serverDiagnoses(facts: Facts, context: DiagnosisContext): Ranked[] {
  const found: Ranked[] = [];
  for (const { source, kind, why } of facts.failures) {
    const words = kind === 'postgres' || kind === 'mysql' ? refusal(why) : null;
    if (words !== null)
      found.push({ ...FULL_SERVER, subject: source, words: `the database refuses connections (${words})` });
  }
  for (const one of facts.servers) {
    const words = limitWords(one, facts);
    if (words !== null) found.push({ ...FULL_SERVER, subject: one.source, words });
  }
  const lock = lockWaits(facts.backends, facts, context) ?? longLockWaits(facts, context);
  if (lock !== null)
    found.push({
      of: 'server',
      severity: 'warn',
      cause: 'lock waits',
      subject: 'locks',
      words: lock,
      weight: 3,
    });
  const idle = leakedTransactions(facts.backends);
  if (idle !== null)
    found.push({
      of: 'server',
      severity: 'warn',
      cause: 'leak',
      subject: 'idle',
      words: idle.words,
      weight: 2,
    });
  return found;
}

const FULL_SERVER = { of: 'server', severity: 'bad', cause: 'database limit', weight: 1 } as const;

/** What there is to say of some backends where most that are active wait for locks. */
function lockWaits(backends: readonly BackendFact[], facts: Facts, context: DiagnosisContext): string | null {
  const waiters = backends.filter(({ backend }) => backend.waitType === 'Lock');
  const active = backends.filter(({ backend }) => backend.state === 'active').length;
  if (waiters.length === 0 || waiters.length * 2 < active) return null;
  const held = heldBy(rootBlocker(waiters, facts), waiters.length, facts, context);
  return `${waiters.length} of ${counted(active, 'active backend')} wait for locks${held}; ${NO_GAIN}`;
}

/** Those that have waited for a lock for long, be they few. */
function longLockWaits(facts: Facts, context: DiagnosisContext): string | null {
  const waiters = facts.backends.filter(
    ({ backend }) => backend.waitType === 'Lock' && (backend.queryMs ?? 0) > SLOW_MS,
  );
  if (waiters.length === 0) return null;
  const held = heldBy(rootBlocker(waiters, facts), waiters.length, facts, context);
  const longest = Math.max(...waiters.map(({ backend }) => backend.queryMs ?? 0));
  return `${waiters.length} of ${counted(facts.backends.length, 'backend')} have waited for locks for up to ${shortTime(longest)}${held}`;
}

/** Seen from the database alone, a leak is a transaction that nobody goes on with. */
function leakedTransactions(
  backends: readonly BackendFact[],
): { readonly count: number; readonly words: string } | null {
  const idle = backends.filter(
    ({ backend }) =>
      backend.state?.startsWith('idle in transaction') === true && (backend.stateMs ?? 0) > LEAK_MS,
  );
  if (idle.length === 0) return null;
  const applications = ranked(idle.map(({ backend }) => backend.application ?? ''));
  const [application = ''] = applications;
  const one = application === '' ? '' : ` of ${printable(application)}`;
  const by = applications.length > 1 ? ` of ${applications.length} applications` : one;
  const longest = Math.max(...idle.map(({ backend }) => backend.stateMs ?? 0));
  const words = `${counted(idle.length, 'transaction')}${by} idle for up to ${shortTime(longest)}`;
  return { count: idle.length, words };
}

function slowBackends(backends: readonly BackendFact[]): string | null {
  const active = backends.filter(({ backend }) => backend.state === 'active');
  const slow = active.filter(({ backend }) => (backend.queryMs ?? 0) > SLOW_MS);
  if (slow.length === 0 || slow.length * 2 < active.length) return null;
  return `${slow.length} of ${counted(active.length, 'active backend')} in queries > ${shortTime(SLOW_MS)}`;
}

/** What there is to say of a server that has no connection left, and who has most of them. */
function limitWords({ source, server }: Facts['servers'][number], { backends }: Facts): string | null {
  const { usedConnections, maxConnections, reservedConnections } = server;
  const open = maxConnections - reservedConnections;
  if (usedConnections === null || usedConnections < open) return null;
  const names = backends.flatMap((one) => (one.source === source ? one.backend.application || [] : []));
  const most = commonest(names);
  const count = names.filter((name) => name === most).length;
  const by = most === '' ? '' : `, ${count} of them by ${printable(most)}`;
  return `all ${open} connections of the database for ordinary roles are in use${by} (max_connections ${maxConnections}, ${reservedConnections} reserved, ${usedConnections} in use)`;
}

/** The server's own words in an error, if it is full; null for another error. */
function refusal(createError: string | null): string | null {
  if (createError === null) return null;
  const full = /too many (?:clients|connections)|remaining connection slots|no more connections allowed/i;
  return full.test(createError) ? printable(createError).slice(0, 80) : null;
}

function serversOf({
  size,
  serversActive,
  serversIdle,
  serversOther,
}: Facts['poolerPools'][number]['pool']): number {
  return size ?? serversActive + serversIdle + serversOther;
}

/** Those that are open, and not only being opened. */
function openOf({ live, creating }: PoolFact['pool']): string {
  return live === null ? 'its present size' : String(live - (creating ?? 0));
}

function isFull({ pool, capacity }: PoolFact): boolean {
  return capacity !== null && pool.inUse !== null && pool.inUse >= capacity;
}

function busyMs({ backend, holder }: HolderFact): number {
  return backend?.backend.queryMs ?? holder.ageMs ?? 0;
}

/** The text that is there most often; '' where there is none. */
function commonest(texts: readonly string[]): string {
  return ranked(texts)[0] ?? '';
}

/** Each text once, those that are there most often first. */
function ranked(texts: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].sort(([, one], [, other]) => other - one).map(([text]) => text);
}
