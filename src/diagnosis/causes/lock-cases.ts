import { printable } from '../../report/text.js';
import { type BackendFact, type HolderFact, LEAK_MS } from '../facts.js';
import { commonest, type Group, groupsOf, poolerModeOf, SLOW_MS } from '../look.js';
import type { Look } from '../types.js';
import { counted, shortSite, shortTime } from '../words.js';

/** The root of a chain of lock waits. */
export type Root =
  | { readonly kind: 'backend'; readonly fact: BackendFact; readonly holder: HolderFact | null }
  /** A process that serves no client. */
  | { readonly kind: 'process'; readonly pid: number; readonly type: string; readonly query: string }
  | { readonly kind: 'prepared' }
  /** It has ended since, or cannot be seen. */
  | { readonly kind: 'gone'; readonly pid: number }
  | { readonly kind: 'ring'; readonly fact: BackendFact };

/** One group whose members mostly wait for locks, and what they wait for in the end. */
export interface LockCase {
  readonly group: Group;
  readonly waiters: readonly BackendFact[];
  readonly root: Root;
  /** How many of the waiters lead to that root. */
  readonly count: number;
  /** A statement in the middle that waits itself, and holds up all behind it. */
  readonly middle: BackendFact | null;
  /** The longest wait. */
  readonly longestMs: number;
  readonly total: number;
}

const cases = new WeakMap<Look, readonly LockCase[]>();

/** The groups that wait for locks, with their roots; computed once for each look. */
export function lockCases(look: Look): readonly LockCase[] {
  const known = cases.get(look);
  if (known !== undefined) return known;
  const found = groupsOf(look).flatMap((group) => caseOf(group, look) ?? []);
  cases.set(look, found);
  return found;
}

function caseOf(group: Group, look: Look): LockCase | null {
  const waiters = group.members.flatMap(({ backend }) =>
    backend !== null && isWaiting(backend) ? [backend] : [],
  );
  const [first] = waiters;
  if (first === undefined) return null;
  const longestMs = Math.max(...waiters.map(({ backend }) => backend.queryMs ?? 0));
  const live = group.members.filter(({ holder, backend }) =>
    isOfLeases(group) ? holder?.suspect !== true : backend?.backend.state === 'active',
  ).length;
  const isMost = waiters.length * 2 >= live;
  // On a whole server a single wait counts only once it is long, among however many sessions.
  if (!isMost && !(group.subject.kind === 'server' && longestMs > SLOW_MS)) return null;
  const roots = waiters.map((waiter) => rootOf(waiter, look));
  const key = commonest(roots.map((one) => keyOf(one.root)));
  const same = roots.filter((one) => keyOf(one.root) === key);
  const [shown] = same;
  if (shown === undefined) return null;
  const middles = same.flatMap(({ path }) => path.slice(1).filter(isDdl));
  const middle = middles.find((one) => one.key === commonest(middles.map((other) => other.key))) ?? null;
  const ddl = middle ?? waiters.find((one) => isDdl(one) && one.blocks > 0) ?? null;
  return {
    ...{ group, waiters, longestMs, total: live },
    ...{ root: shown.root, count: same.length, middle: ddl },
  };
}

/** Leases of a pool; not the servers of a pooler or of a database. */
function isOfLeases({ subject, queue }: Group): boolean {
  return subject.kind === 'pool' && queue === undefined;
}

export function isWaiting({ backend }: BackendFact): boolean {
  return backend.waitType === 'Lock' || backend.blockedBy.length > 0;
}

function isDdl({ backend }: BackendFact): boolean {
  if (!isWaiting({ backend } as BackendFact)) return false;
  if (backend.lockMode != null)
    return (
      /^(?:AccessExclusive|Exclusive|ShareRowExclusive)Lock$/.test(backend.lockMode) &&
      backend.lockRelation != null &&
      isSchemaChange(backend.query)
    );
  return isSchemaChange(backend.query);
}

function isSchemaChange(query: string | null): boolean {
  return /^\s*(?:alter|drop|truncate|create|reindex|cluster|vacuum\s*\(?\s*full|lock\s|refresh|rename|optimize|analyze\s+table)/i.test(
    query ?? '',
  );
}

interface Way {
  readonly root: Root;
  /** From the waiter on; the root is not among them. */
  readonly path: readonly BackendFact[];
}

function rootOf(waiter: BackendFact, look: Look): Way {
  const { facts } = look;
  const path: BackendFact[] = [waiter];
  for (let at = waiter; ; ) {
    const blockers = at.backend.blockedBy;
    if (blockers.includes(0)) return { root: { kind: 'prepared' }, path };
    const pid = blockers[0];
    if (pid === undefined) {
      if (at === waiter) return { root: { kind: 'gone', pid: 0 }, path };
      const holder = facts.holders.find(({ backend }) => backend?.key === at.key) ?? null;
      return { root: { kind: 'backend', fact: at, holder }, path: path.slice(0, -1) };
    }
    const next = facts.backends.find((one) => one.source === at.source && one.backend.pid === pid);
    if (next === undefined) {
      const server = facts.servers.find(({ source }) => source === at.source)?.server;
      const found = server?.processes?.find((one) => one.pid === pid);
      if (found !== undefined)
        return { root: { kind: 'process', pid, type: found.type, query: found.query ?? '' }, path };
      return { root: { kind: 'gone', pid }, path };
    }
    if (path.includes(next)) return { root: { kind: 'ring', fact: next }, path };
    path.push(next);
    at = next;
  }
}

function keyOf(root: Root): string {
  if (root.kind === 'backend' || root.kind === 'ring') return root.fact.key;
  return root.kind === 'prepared' ? root.kind : `${root.kind} ${root.pid}`;
}

/** `15 of 15 leases wait for locks`. */
export function waitWords({ group, waiters, total, longestMs }: LockCase, look: Look): string {
  if (isOfLeases(group))
    return `${waiters.length} of ${counted(group.members.length, 'lease')} wait for locks`;
  if (waiters.length * 2 >= total)
    return `${waiters.length} of ${counted(total, 'active backend')} wait for locks`;
  return `${waiters.length} of ${counted(look.facts.backends.length, 'backend')} have waited for locks for up to ${shortTime(longestMs)}`;
}

/** ` held by src/a.ts:1 (pid 7, idle in transaction for 9.0s)`. */
export function rootWords({ root, count, waiters }: LockCase, { cwd }: Look): string {
  const some = count === waiters.length ? '' : `, ${count} of them for one`;
  switch (root.kind) {
    case 'prepared':
      return `${some} held by a prepared transaction`;
    case 'process':
      return `${some} held by the ${printable(root.type)} (pid ${root.pid}: ${printable(root.query).slice(0, 80)})`;
    case 'gone':
      return '';
    case 'ring':
      return `${some} in a ring: each waits for another one`;
    case 'backend': {
      const { pid, state, transactionMs } = root.fact.backend;
      const site = root.holder?.holder.site ?? null;
      const where = site === null ? '' : ` by ${printable(shortSite(site, cwd))}`;
      const since = transactionMs === null ? '' : ` for ${shortTime(transactionMs)}`;
      return `${some} held${where} (pid ${pid}, ${printable(state ?? 'state unknown')}${since})`;
    }
  }
}

/** The known facts about the waiters and the root, one a line. */
export function lockEvidence({ waiters, root, middle }: LockCase, { facts }: Look): string[] {
  const text = ({ backend }: BackendFact): string =>
    `pid ${backend.pid} waits ${backend.waitType}/${backend.waitEvent ?? '?'}${backend.lockMode == null ? '' : ` ${backend.lockMode}${backend.lockRelation == null ? '' : ` on ${printable(backend.lockRelation)}`}`} for ${shortTime(backend.queryMs)}, blocked by ${backend.blockedBy.join(', ') || 'nobody seen'}`;
  const prepared = facts.servers.flatMap(({ server }) => server.preparedTransactions ?? []);
  return [
    ...(root.kind === 'backend'
      ? [
          `root: pid ${root.fact.backend.pid}, ${printable(root.fact.backend.state ?? 'state unknown')} for ${shortTime(root.fact.backend.stateMs)}: ${printable(root.fact.backend.query ?? '').slice(0, 120)}`,
        ]
      : []),
    ...(root.kind === 'prepared'
      ? [
          'pg_blocking_pids: 0',
          ...prepared.map(
            ({ gid, ageMs }) => `pg_prepared_xacts: ${printable(gid)}, prepared ${shortTime(ageMs)} ago`,
          ),
        ]
      : []),
    ...(root.kind === 'process'
      ? [`root: pid ${root.pid}, ${printable(root.type)}: ${printable(root.query).slice(0, 160)}`]
      : []),
    ...(middle === null
      ? []
      : [`in the middle: pid ${middle.backend.pid}: ${printable(middle.backend.query ?? '').slice(0, 120)}`]),
    ...waiters.slice(0, 5).map(text),
  ];
}

/** Whether a root is a transaction that nobody goes on with. */
export function isLeftOpen(root: Root): boolean {
  if (root.kind !== 'backend') return false;
  const { state, stateMs } = root.fact.backend;
  if (state?.startsWith('idle in transaction') !== true) return false;
  return root.holder?.suspect === true || (root.holder !== null && (stateMs ?? 0) > LEAK_MS);
}

/** An idle session at the root holds a lock beyond any transaction. */
export function isSessionLock(root: Root, waiters: readonly BackendFact[]): boolean {
  if (root.kind !== 'backend') return false;
  const isAdvisory = waiters.some(({ backend }) => /advisory|user/i.test(backend.waitEvent ?? ''));
  return isAdvisory && (root.fact.backend.state === 'idle' || root.fact.backend.transactionMs === null);
}

export function isServerOfPooler(root: Root, look: Look): boolean {
  if (root.kind !== 'backend') return false;
  const mode = poolerModeOf(root.fact, look.facts);
  return mode !== null && mode !== 'session';
}
