import { formatSize } from '../../base/units.js';
import type { BackendFact, BlockFact } from '../../diagnosis/facts.js';
import { shortTime } from '../../diagnosis/words.js';
import type { Tone } from '../spans.js';
import type { Column, Drawing, TableSpec } from '../table.js';
import { siteText } from '../words.js';

/** A backend, and the code that uses it where that is known. */
export interface BackendRow extends BackendFact {
  readonly site: string | null;
}

export const backendTable: TableSpec<BackendRow> = {
  name: 'backends',
  title: 'Backends',
  sort: { column: 'transaction', descending: true },
  key: ({ key }) => key,
  aged: ({ stale }) => (stale ? 'stale' : null),
  open: ({ key }) => ({ kind: 'backend', backend: key }),
  empty: 'no database is read; add postgres://USER@HOST/DATABASE or mysql://USER@HOST/',
  columns: [
    pid(),
    {
      id: 'application',
      title: 'APPLICATION',
      rank: 3,
      width: 11,
      grow: 1,
      value: ({ backend }) => backend.application,
      tone: () => 'name',
    },
    { id: 'user', title: 'USER', rank: 8, width: 8, value: ({ backend }) => backend.user },
    { id: 'database', title: 'DATABASE', rank: 9, width: 8, value: ({ backend }) => backend.database },
    {
      id: 'client',
      title: 'CLIENT',
      rank: 10,
      width: 15,
      value: ({ backend }) =>
        backend.clientAddress === null ? null : `${backend.clientAddress}:${backend.clientPort ?? '?'}`,
    },
    state(),
    {
      id: 'wait',
      title: 'WAITS FOR',
      rank: 5,
      width: 13,
      value: ({ backend }) => waitText(backend),
      tone: ({ backend }) => (backend.waitType === 'Lock' ? 'bad' : null),
    },
    age('stateAge', 'STATE', 7, ({ backend }) => backend.stateMs),
    age('transaction', 'TX AGE', 2, ({ backend }) => backend.transactionMs),
    age('queryAge', 'QUERY', 6, ({ backend }) => (backend.state === 'active' ? backend.queryMs : null)),
    age('connected', 'SINCE', 12, ({ backend }) => backend.connectedMs),
    {
      id: 'blocks',
      title: 'BLOCKS',
      align: 'right',
      rank: 6,
      width: 6,
      value: ({ blocks }) => blocks,
      tone: ({ blocks }) => (blocks > 0 ? 'bad' : 'faint'),
    },
    {
      id: 'cpu',
      title: 'CPU',
      align: 'right',
      rank: 7,
      width: 5,
      optional: true,
      value: ({ backend }) => backend.use?.cpuShare ?? null,
      text: ({ backend }) => percent(backend.use?.cpuShare ?? null),
      tone: ({ backend }) => ((backend.use?.cpuShare ?? 0) > 0.8 ? 'warn' : null),
    },
    bytes('memory', 'MEMORY', 10, ({ backend }) => backend.use?.memoryBytes ?? null),
    bytes('read', 'READ/S', 9, ({ backend }) => backend.use?.readPerSecond ?? null),
    bytes('written', 'WRITE/S', 9, ({ backend }) => backend.use?.writtenPerSecond ?? null),
    {
      id: 'site',
      title: 'ACQUIRED AT',
      rank: 11,
      width: 16,
      grow: 1,
      value: ({ site }) => site,
      text: ({ site }, width, drawing) => siteText(site, width, drawing),
    },
    {
      id: 'query',
      title: 'SQL',
      rank: 4,
      width: 24,
      grow: 4,
      value: ({ backend }) => backend.query,
    },
  ],
};

/** Backends of one application, user, database or site. */
export interface BackendGroup {
  readonly name: string;
  readonly backends: readonly BackendRow[];
}

export const backendGroupTable: Omit<TableSpec<BackendGroup>, 'open'> = {
  name: 'backend groups',
  title: 'Backends',
  sort: { column: 'backends', descending: true },
  key: ({ name }) => name,
  empty: 'no database is read; add postgres://USER@HOST/DATABASE or mysql://USER@HOST/',
  columns: [
    {
      id: 'name',
      title: 'GROUP',
      rank: 1,
      width: 16,
      grow: 2,
      value: ({ name }) => name,
      text: ({ name }, width, drawing) => siteText(name, width, drawing),
      tone: () => 'name',
    },
    { ...sum('backends', 'BACKENDS', 1, ({ backends }) => backends.length), width: 9 },
    sum('active', 'ACTIVE', 2, (group) => stateCount(group, (one) => one === 'active')),
    sum('idleTx', 'IDLE TX', 2, (group) => stateCount(group, isIdleInTransaction)),
    sum('idle', 'IDLE', 4, (group) => stateCount(group, (one) => one === 'idle')),
    sum('locks', 'LOCKED', 3, ({ backends }) => backends.filter(isLockWaiter).length),
    { ...sum('oldest', 'OLDEST TX', 3, oldestMs), width: 9, text: (group) => shortTime(oldestMs(group)) },
  ],
};

export interface BlockRow extends BlockFact {
  readonly site: string | null;
}

export const blockTable: TableSpec<BlockRow> = {
  name: 'blocking',
  title: 'Blocking',
  sort: null,
  key: ({ key }) => key,
  aged: ({ backend }) => (backend.stale ? 'stale' : null),
  open: ({ backend }) => ({ kind: 'backend', backend: backend.key }),
  empty: 'no backend waits for a lock of another',
  columns: [
    {
      id: 'tree',
      title: 'PID',
      rank: 1,
      width: 14,
      value: ({ backend }) => backend.backend.pid,
      text: (row, _, drawing) => `${branches(row, drawing)}${row.backend.backend.pid}`,
      tone: ({ depth }) => (depth === 0 ? 'bad' : null),
    },
    {
      id: 'blocks',
      title: 'BLOCKS',
      align: 'right',
      rank: 3,
      width: 6,
      value: ({ backend }) => backend.blocks,
      tone: ({ backend }) => (backend.blocks > 0 ? 'bad' : 'faint'),
    },
    {
      id: 'state',
      title: 'STATE',
      rank: 2,
      width: 12,
      value: ({ backend }) => backend.backend.state,
      text: ({ backend }) => stateText(backend),
      tone: ({ backend }) => stateTone(backend),
    },
    {
      id: 'transaction',
      title: 'TX AGE',
      align: 'right',
      rank: 2,
      width: 7,
      value: ({ backend }) => backend.backend.transactionMs,
      text: ({ backend }) => shortTime(backend.backend.transactionMs),
    },
    {
      id: 'waited',
      title: 'WAITED',
      align: 'right',
      rank: 5,
      width: 6,
      value: waitedMs,
      text: (row) => shortTime(waitedMs(row)),
    },
    {
      id: 'application',
      title: 'APPLICATION',
      rank: 4,
      width: 11,
      grow: 1,
      value: ({ backend }) => backend.backend.application,
      tone: () => 'name',
    },
    { id: 'user', title: 'USER', rank: 8, width: 8, value: ({ backend }) => backend.backend.user },
    {
      id: 'wait',
      title: 'WAITS FOR',
      rank: 7,
      width: 18,
      value: ({ backend }) => waitText(backend.backend),
    },
    {
      id: 'lock',
      title: 'WANTS LOCK',
      rank: 5,
      width: 20,
      grow: 1,
      value: ({ backend }) => lockText(backend.backend),
    },
    {
      id: 'site',
      title: 'ACQUIRED AT',
      rank: 5,
      width: 16,
      grow: 1,
      value: ({ site }) => site,
      text: ({ site }, width, drawing) => siteText(site, width, drawing),
    },
    {
      id: 'query',
      title: 'SQL',
      rank: 6,
      width: 24,
      grow: 4,
      value: ({ backend }) => backend.backend.query,
    },
  ],
};

function pid(): Column<BackendRow> {
  return { id: 'pid', title: 'PID', align: 'right', rank: 1, width: 7, value: ({ backend }) => backend.pid };
}

function state(): Column<BackendRow> {
  return {
    id: 'state',
    title: 'STATE',
    rank: 2,
    width: 10,
    value: ({ backend }) => backend.state,
    text: (row) => stateText(row),
    tone: stateTone,
  };
}

function age(
  id: string,
  title: string,
  rank: number,
  value: (row: BackendRow) => number | null,
): Column<BackendRow> {
  return { id, title, align: 'right', rank, width: 7, value, text: (row) => shortTime(value(row)) };
}

function bytes(
  id: string,
  title: string,
  rank: number,
  value: (row: BackendRow) => number | null,
): Column<BackendRow> {
  const text = (row: BackendRow): string => formatSize(value(row));
  return { id, title, align: 'right', rank, width: 8, optional: true, value, text };
}

function sum(
  id: string,
  title: string,
  rank: number,
  value: (group: BackendGroup) => number | null,
): Column<BackendGroup> {
  return { id, title, align: 'right', rank, width: 8, value };
}

function stateCount({ backends }: BackendGroup, isIt: (state: string | null) => boolean): number {
  return backends.filter(({ backend }) => isIt(backend.state)).length;
}

function isIdleInTransaction(one: string | null): boolean {
  return one?.startsWith('idle in transaction') === true;
}

function isLockWaiter({ backend }: BackendRow): boolean {
  return backend.waitType === 'Lock';
}

function oldestMs({ backends }: BackendGroup): number | null {
  const ages = backends.flatMap(({ backend }) => backend.transactionMs ?? []);
  return ages.length === 0 ? null : Math.max(...ages);
}

function waitText({ waitType, waitEvent }: BackendFact['backend']): string | null {
  if (waitType === null) return null;
  return waitEvent === null ? waitType : `${waitType}:${waitEvent}`;
}

/** `AccessExclusive on accounts`: the lock that it waits for. */
export function lockText({ lockMode, lockRelation }: BackendFact['backend']): string | null {
  if (lockMode == null) return null;
  const mode = lockMode.replace(/Lock$/, '');
  return lockRelation == null ? mode : `${mode} on ${lockRelation}`;
}

function percent(share: number | null): string {
  return share === null ? '-' : `${Math.round(share * 100)} %`;
}

function waitedMs({ backend, depth }: BlockRow): number | null {
  return depth === 0 ? null : backend.backend.queryMs;
}

function stateText({ backend }: BackendFact): string {
  if (backend.state === null) return '-';
  return backend.state.replace('idle in transaction', 'idle in tx');
}

function stateTone({ backend }: BackendFact): Tone | null {
  if (backend.waitType === 'Lock') return 'bad';
  if (backend.state === 'active') return 'good';
  return isIdleInTransaction(backend.state) ? 'warn' : 'faint';
}

/** The lines of the tree before a pid. */
function branches({ follows }: BlockRow, { unicode }: Drawing): string {
  const [through, none, tee, corner] = unicode ? ['│ ', '  ', '├─', '└─'] : ['| ', '  ', '|-', '`-'];
  return follows
    .map((more, at) => (at < follows.length - 1 ? (more ? through : none) : more ? tee : corner))
    .join('');
}
