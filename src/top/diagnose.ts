import { printable } from '../report/text.js';
import { type BackendFact, type Facts, type HolderFact, LEAK_MS, type PoolFact } from './facts.js';
import { type PoolSample, recentOf } from './history.js';
import { counted, shortRate, shortSite, shortTime } from './words.js';

/** Why a pool runs dry. */
export type Cause =
  | 'leak'
  | 'lock waits'
  | 'slow queries'
  | 'pool too small'
  | 'pooler queue'
  | 'database limit'
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
/** What a bigger pool does where backends wait for each other. */
const NO_GAIN = 'a bigger pool gains nothing';

/**
 * One sentence on what is wrong, and why. The causes are tried from the one that makes others look like itself to the
 * one that is left: a database that refuses connections, locks, leaks, slow queries, the pooler, the size.
 */
export function diagnose(facts: Facts, context: DiagnosisContext): Diagnosis {
  if (isEmpty(facts)) return { severity: 'none', cause: null, subject: null, words: 'no reading yet' };
  const found = [
    ...facts.pools.flatMap((pool) => poolDiagnosis(pool, facts, context) ?? []),
    ...poolerDiagnoses(facts),
    ...serverDiagnoses(facts),
  ].sort((one, other) => rank(other) - rank(one));
  const [worst] = found;
  if (worst !== undefined) {
    const others = found.filter(
      ({ severity, subject }) => severity === 'bad' && subject !== worst.subject,
    ).length;
    return others === 0 || worst.severity !== 'bad'
      ? worst
      : { ...worst, words: `${worst.words}; ${others} more` };
  }
  return { severity: 'good', cause: null, subject: null, words: quiet(facts) };
}

interface Ranked extends Diagnosis {
  /** Of two that are equally bad, the one with more of these comes first. */
  readonly weight: number;
}

function rank({ severity, weight }: Ranked): number {
  return (severity === 'bad' ? 1e9 : 0) + weight;
}

function isEmpty({ pools, backends, poolerPools, servers }: Facts): boolean {
  return pools.length + backends.length + poolerPools.length + servers.length === 0;
}

function quiet({ pools, backends, poolerPools }: Facts): string {
  const inUse = pools.reduce((sum, { pool }) => sum + pool.inUse, 0);
  const active = backends.filter(({ backend }) => backend.state === 'active').length;
  const parts = [
    pools.length > 0 ? `${counted(inUse, 'lease')} out of ${counted(pools.length, 'pool')}` : null,
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
  const name = printable(pool.name);
  const full = capacity !== null && pool.inUse >= capacity;
  const exhausted = pool.waiting > 0;
  if (!exhausted && !full) {
    if (suspects.length === 0) return null;
    const words = `${name}: ${leakWords(suspects, pool.inUse, context)}; none waiting`;
    return { severity: 'warn', cause: 'leak', subject: fact.key, words, weight: suspects.length };
  }
  const waiting = pool.waiting === 0 ? 'none waiting' : `${pool.waiting} waiting`;
  const said = (cause: Cause, words: string): Ranked => ({
    severity: exhausted ? 'bad' : 'warn',
    cause,
    subject: fact.key,
    words: `${name}: ${exhausted ? 'exhausted' : 'full'}; ${words}`,
    weight: pool.waiting + 1,
  });

  const refused = refusal(pool.createError);
  if (refused !== null)
    return said('database limit', `the database refuses connections (${refused}); ${waiting}`);
  const lock = lockWords(holders, suspects, facts, context);
  if (lock !== null) return said(lock.cause, `${lock.words}; ${waiting}; ${NO_GAIN}`);
  if (suspects.length > 0) {
    const blocked = suspects.reduce((sum, { backend }) => sum + (backend?.blocks ?? 0), 0);
    const also = blocked === 0 ? '' : `; they block ${counted(blocked, 'backend')}, where ${NO_GAIN}`;
    return said('leak', `${leakWords(suspects, pool.inUse, context)}; ${waiting}${also}`);
  }
  const slow = holders.filter((one) => one.doing === 'query' && busyMs(one) > SLOW_MS);
  if (slow.length > 0 && slow.length * 2 >= holders.length) {
    const query = commonest(slow.map((one) => one.backend?.backend.query ?? one.holder.lastSql ?? ''));
    const text = query === '' ? '' : `: ${printable(query).slice(0, 60)}`;
    const words = `${slow.length} of ${counted(pool.inUse, 'lease')} in queries > ${shortTime(SLOW_MS)}, the longest ${shortTime(Math.max(...slow.map(busyMs)))}${text}; ${waiting}`;
    return said('slow queries', words);
  }
  const queue = queueBehind(holders, facts);
  if (queue !== null) return said('pooler queue', `${queue}; ${waiting}`);
  const limit = facts.servers.map(({ server }) => limitWords(server)).find((words) => words !== null);
  if (limit) return said('database limit', `${limit}; ${waiting}`);
  const recent = recentOf(context.history.get(fact.key) ?? []);
  const oldest = pool.longestHoldMs ?? holders[0]?.holder.ageMs ?? null;
  const turnover = recent.acquiresPerSecond;
  // Short leases that come back all the time, and still a queue: there are not enough of them.
  if (exhausted && full && oldest !== null && oldest < SLOW_MS && turnover !== null && turnover > 0) {
    const hold = recent.holdMeanMs === null ? '' : `, held ${shortTime(recent.holdMeanMs)} each`;
    return said(
      'pool too small',
      `${pool.inUse} leases turn over at ${shortRate(turnover)}/s${hold}, none slow; ${waiting}`,
    );
  }
  const limitText = capacity === null ? `${pool.inUse} in use` : `${pool.inUse} of ${capacity} in use`;
  return said('unclear', `${limitText}, ${waiting}; cause unclear${whyUnclear(holders, facts)}`);
}

/** `3 of 15 leases held > 30 s by src/orders.ts:88`; of more places than two, the two with most of them. */
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
  const words = `${waiters.length} of ${counted(holders.length, 'lease')} wait for locks${heldBy(blocker, facts, context)}`;
  const leaked = suspects.some(({ backend }) => backend !== null && backend.key === blocker?.key);
  // Where a leak holds the lock, the leak is what has to be repaired.
  return leaked
    ? { cause: 'leak', words: `${leakWords(suspects, holders.length, context)}; ${words}` }
    : { cause: 'lock waits', words };
}

function heldBy(blocker: BackendFact | null, facts: Facts, { cwd }: DiagnosisContext): string {
  if (blocker === null) return '';
  const { pid, state, transactionMs } = blocker.backend;
  const site = facts.holders.find(({ backend }) => backend?.key === blocker.key)?.holder.site ?? null;
  const where = site === null ? '' : ` by ${printable(shortSite(site, cwd))}`;
  const since = transactionMs === null ? '' : ` for ${shortTime(transactionMs)}`;
  return ` held${where} (pid ${pid}, ${printable(state ?? 'state unknown')}${since})`;
}

/** The one that most of these wait for in the end. */
function rootBlocker(waiters: readonly BackendFact[], { backends }: Facts): BackendFact | null {
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
  return backends.find((one) => one.key === key) ?? null;
}

function queueBehind(holders: readonly HolderFact[], facts: Facts): string | null {
  const waiting = holders.filter(({ client }) => client?.waitMs != null);
  if (waiting.length === 0 || waiting.length * 2 < holders.length) return null;
  const [first] = waiting;
  const own = facts.poolerPools.find(
    ({ pool }) => pool.database === first?.client?.database && pool.user === first.client.user,
  );
  return `${waiting.length} of ${counted(holders.length, 'lease')} queue in PgBouncer${own === undefined ? '' : ` for ${counted(serversOf(own.pool), 'server connection')}`}`;
}

function whyUnclear(holders: readonly HolderFact[], { backends, gaps }: Facts): string {
  if (holders.length > 0 && holders.every(({ holder }) => holder.ageMs === null))
    return ': the ages of leases are not measured';
  if (gaps.length > 0) return `: ${counted(gaps.length, 'thing')} could not be read, see Events`;
  return backends.length === 0 ? ': add the database as a source to see what leases do' : '';
}

function poolerDiagnoses(facts: Facts): Ranked[] {
  return facts.poolerPools.flatMap(({ key, pool, pooler }): Ranked[] => {
    const name = printable(`pgbouncer ${pool.database}/${pool.user}`);
    const paused = pooler.databases.some((one) => one.name === pool.database && one.paused);
    if (pool.clientsWaiting === 0) return [];
    const clients = pool.clientsWaiting + pool.clientsActive;
    const queue = `${pool.clientsWaiting} of ${counted(clients, 'client')} queue for ${counted(serversOf(pool), 'server connection')}, the longest for ${shortTime(pool.longestWaitMs)}`;
    const base = { subject: key, severity: 'bad', weight: pool.clientsWaiting - 0.5 } as const;
    if (paused)
      return [{ ...base, cause: 'pooler queue', words: `${name}: ${queue}; the database is paused` }];
    const lock = lockWaits(facts);
    if (lock !== null) return [{ ...base, cause: 'lock waits', words: `${name}: ${queue}; ${lock}` }];
    const idle = leakedTransactions(facts);
    if (idle !== null) return [{ ...base, cause: 'leak', words: `${name}: ${queue}; ${idle}` }];
    const slow = slowBackends(facts);
    if (slow !== null) return [{ ...base, cause: 'slow queries', words: `${name}: ${queue}; ${slow}` }];
    return [{ ...base, cause: 'pooler queue', words: `${name}: ${queue}` }];
  });
}

function serverDiagnoses(facts: Facts): Ranked[] {
  const found: Ranked[] = [];
  for (const { source, server } of facts.servers) {
    const words = limitWords(server);
    if (words !== null)
      found.push({ severity: 'bad', cause: 'database limit', subject: source, words, weight: 1 });
  }
  const lock = lockWaits(facts);
  if (lock !== null)
    found.push({ severity: 'warn', cause: 'lock waits', subject: 'locks', words: lock, weight: 3 });
  const idle = leakedTransactions(facts);
  if (idle !== null) found.push({ severity: 'warn', cause: 'leak', subject: 'idle', words: idle, weight: 2 });
  return found;
}

function lockWaits(facts: Facts): string | null {
  const waiters = facts.backends.filter(({ backend }) => backend.waitType === 'Lock');
  const active = facts.backends.filter(({ backend }) => backend.state === 'active').length;
  if (waiters.length === 0 || waiters.length * 2 < active) return null;
  const blocker = rootBlocker(waiters, facts);
  const held = heldBy(blocker, facts, { cwd: '', history: new Map() });
  return `${waiters.length} of ${counted(active, 'active backend')} wait for locks${held}; ${NO_GAIN}`;
}

/** Seen from the database alone, a leak is a transaction that nobody goes on with. */
function leakedTransactions({ backends }: Facts): string | null {
  const idle = backends.filter(
    ({ backend }) =>
      backend.state?.startsWith('idle in transaction') === true && (backend.stateMs ?? 0) > LEAK_MS,
  );
  if (idle.length === 0) return null;
  const application = commonest(idle.map(({ backend }) => backend.application ?? ''));
  const by = application === '' ? '' : ` of ${printable(application)}`;
  const longest = Math.max(...idle.map(({ backend }) => backend.stateMs ?? 0));
  return `${counted(idle.length, 'transaction')}${by} idle for up to ${shortTime(longest)}`;
}

function slowBackends({ backends }: Facts): string | null {
  const active = backends.filter(({ backend }) => backend.state === 'active');
  const slow = active.filter(({ backend }) => (backend.queryMs ?? 0) > SLOW_MS);
  if (slow.length === 0 || slow.length * 2 < active.length) return null;
  return `${slow.length} of ${counted(active.length, 'active backend')} in queries > ${shortTime(SLOW_MS)}`;
}

function limitWords(server: Facts['servers'][number]['server']): string | null {
  const { usedConnections, maxConnections, reservedConnections } = server;
  const open = maxConnections - reservedConnections;
  if (usedConnections === null || usedConnections < open) return null;
  return `the database has ${usedConnections} of ${open} connections in use (max_connections ${maxConnections}, ${reservedConnections} reserved)`;
}

/** The server's own words, if it is full; null for another error. */
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
