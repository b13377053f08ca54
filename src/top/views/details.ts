import { formatSize } from '../../base/units.js';
import { type BackendFact, type Facts, type HolderFact, LEAK_MS } from '../../diagnosis/facts.js';
import { shortSite, shortTime } from '../../diagnosis/words.js';
import { wrap } from '../../report/text.js';
import type { Blocking, Hop } from '../../sources/join.js';
import { BINDINGS } from '../keys.js';
import type { Line, Tone } from '../spans.js';
import type { State } from '../state.js';
import { oneLine } from '../words.js';
import { lockText } from './backends.js';

interface Place {
  readonly cwd: string;
}

/** Everything about one lease, and its path from the line of code to the backend and its waiters. */
export function leaseLines(fact: HolderFact, { cwd }: Place): Line[] {
  const { holder, pool, suspect, doing, chain } = fact;
  return [
    field('lease', `${holder.leaseId} of pool ${pool.pool.name}, read from ${pool.source}`),
    field('held for', shortTime(holder.ageMs), suspect ? 'bad' : undefined),
    field('acquired at', shortSite(holder.site, cwd), suspect ? 'bad' : 'name'),
    field('verdict', verdictOf(fact), suspect ? 'bad' : undefined),
    field('doing', doing ?? 'not known'),
    field('last SQL', holder.lastSql ?? 'not known'),
    [],
    heading('From the code to the database'),
    ...chain.hops.map((hop) => hopLine(hop, pool.app)),
    ...chain.blockedBy.map((end) => endLine('waits for', end, cwd)),
    ...chain.blocks.map((end) => endLine('blocks', end, cwd)),
    ...(holder.stack === null
      ? []
      : [[], heading('Acquired by'), ...holder.stack.split('\n').map((text) => [{ text: `  ${text}` }])]),
  ];
}

export function backendLines(fact: BackendFact, facts: Facts, { cwd }: Place): Line[] {
  const { backend } = fact;
  const holder = facts.holders.find((one) => one.backend?.key === fact.key);
  return [
    field('backend', `${backend.pid}, read from ${fact.source}${fact.stale ? ' (stale)' : ''}`),
    field('application', backend.application ?? 'not known', 'name'),
    field('user', `${backend.user ?? 'not known'} in ${backend.database ?? 'no database'}`),
    field(
      'client',
      backend.clientAddress === null
        ? 'Unix socket, or not known'
        : `${backend.clientAddress}:${backend.clientPort ?? '?'}`,
    ),
    field(
      'state',
      `${backend.state ?? 'not known'} for ${shortTime(backend.stateMs)}`,
      backend.state?.startsWith('idle in transaction') === true ? 'warn' : undefined,
    ),
    field('transaction', shortTime(backend.transactionMs)),
    field('query since', shortTime(backend.queryMs)),
    field('connected', shortTime(backend.connectedMs)),
    field(
      'waits for',
      backend.waitType === null ? 'nothing' : `${backend.waitType}:${backend.waitEvent ?? ''}`,
      backend.waitType === 'Lock' ? 'bad' : undefined,
    ),
    ...wanted(fact),
    ...machineUse(fact),
    field('acquired at', shortSite(holder?.holder.site ?? null, cwd), 'name'),
    field('SQL', backend.query ?? 'not known'),
    ...lockLines(fact, facts),
  ];
}

function wanted({ backend }: BackendFact): Line[] {
  const lock = lockText(backend);
  return lock === null ? [] : [field('wants lock', lock, 'bad')];
}

/** The use of the machine, known if the server runs on this one. */
function machineUse({ backend: { use } }: BackendFact): Line[] {
  if (use == null) return [];
  const cpu = use.cpuShare === null ? 'not known' : `${Math.round(use.cpuShare * 100)} % of a core`;
  const io = `${formatSize(use.readPerSecond)}/s read, ${formatSize(use.writtenPerSecond)}/s written`;
  return [field('uses', `${cpu}, ${formatSize(use.memoryBytes)} of memory, ${io}`)];
}

export function goneLines(what: 'lease' | 'backend' | 'pool'): Line[] {
  return [[{ text: `this ${what} is not there any more`, tone: 'warn' }]];
}

/** All keys, by what they are for. */
export function helpLines({ allowActions }: Pick<State, 'allowActions'>): Line[] {
  const shown = BINDINGS.filter(({ acts }) => acts !== true || allowActions);
  const groups = [...new Set(shown.map(({ group }) => group))];
  const keys = groups.flatMap((group, at): Line[] => [
    ...(at === 0 ? [] : [[]]),
    heading(group),
    ...shown
      .filter((one) => one.group === group)
      .map((one): Line => [{ text: `  ${one.shown.padEnd(10)}`, tone: 'name' }, { text: one.words }]),
  ]);
  const actions = allowActions
    ? []
    : [[], [{ text: 'Read-only: --allow-actions lets it cancel and end backends.' }]];
  return [...keys, ...actions];
}

/** Long lines continue below; below the second part, if a line has two. */
export function wrapLines(lines: readonly Line[], width: number): Line[] {
  return lines.flatMap((line): Line[] => {
    const [first, second] = line;
    if (first === undefined) return [line];
    if (second === undefined) {
      const parts = wrap(oneLine(first.text.trim()), width - 2);
      const indent = first.text.startsWith(' ') ? '  ' : '';
      return parts.map((part) => [{ ...first, text: indent + part }]);
    }
    const parts = wrap(oneLine(second.text), Math.max(8, width - first.text.length));
    const blank = { text: ' '.repeat(first.text.length) };
    return (parts.length === 0 ? [''] : parts).map((part, at) => [
      at === 0 ? first : blank,
      { ...second, text: part },
    ]);
  });
}

function verdictOf({ suspect, holder }: HolderFact): string {
  if (suspect)
    return holder.leaked
      ? 'leak: past the threshold of its pool'
      : `leak: idle and older than ${LEAK_MS / 1000} s`;
  return 'none: in use, or not for long';
}

function hopLine(hop: Hop, app: string): Line {
  switch (hop.kind) {
    case 'lease': {
      const { pool, holder } = hop.lease;
      const process = pool.app === null ? '' : `, pid ${pool.app.pid} on ${pool.app.host}`;
      const port = holder.localPort === null ? '' : `, from port ${holder.localPort}`;
      return step('application', `${app}${process}${port}`);
    }
    case 'client': {
      const { user, database, state } = hop.client;
      return step('pooler', `${hop.source}: client ${user}@${database}, ${state}`);
    }
    case 'server':
      return step('', `server connection, ${hop.server.state}`);
    case 'backend': {
      const { pid, state, stateMs } = hop.backend;
      return step(
        'backend',
        `${pid} of ${hop.source}: ${state ?? 'state not known'} for ${shortTime(stateMs)}`,
      );
    }
    case 'broken':
      return [{ text: 'lost'.padEnd(14), tone: 'warn' }, { text: hop.why }];
  }
}

/** One that waits for a lock, or that has it, and the line of code behind it. */
function endLine(name: string, { pid, backend, lease, gap }: Blocking, cwd: string): Line {
  const site = lease === null ? '' : `, acquired at ${shortSite(lease.holder.site, cwd)}`;
  const what =
    backend === null
      ? ''
      : ` ${backend.application ?? ''} ${backend.state ?? ''} ${shortTime(backend.transactionMs)}${site}: ${backend.query ?? ''}`;
  const why = gap === null ? '' : ` (${gap})`;
  return [{ text: name.padEnd(14), tone: 'bad' }, { text: `${pid}${what}${why}` }];
}

function lockLines(fact: BackendFact, { blocking, backends }: Facts): Line[] {
  const about = (name: string, pid: number, one: BackendFact | undefined): Line => [
    { text: name.padEnd(14), tone: 'bad' },
    { text: `${pid}${one === undefined ? '' : aboutBackend(one)}` },
  ];
  const waiters = blocking.filter(({ backend }) => backend.backend.blockedBy.includes(fact.backend.pid));
  const more = fact.blocks - waiters.length;
  return [
    ...fact.backend.blockedBy.map((pid) =>
      about(
        'waits for',
        pid,
        backends.find((one) => one.source === fact.source && one.backend.pid === pid),
      ),
    ),
    ...waiters.map(({ backend }) => about('blocks', backend.backend.pid, backend)),
    ...(more > 0 ? [step('', `and ${more} more behind them`)] : []),
  ];
}

function aboutBackend({ backend }: BackendFact): string {
  return ` ${backend.application ?? ''} ${backend.state ?? ''} ${shortTime(backend.transactionMs)}: ${backend.query ?? ''}`;
}

function field(name: string, text: string, tone?: Tone): Line {
  return [{ text: `${name.padEnd(14)}`, tone: 'faint' }, tone === undefined ? { text } : { text, tone }];
}

function step(name: string, text: string): Line {
  return [{ text: name.padEnd(14) }, { text }];
}

function heading(text: string): Line {
  return [{ text, tone: 'strong' }];
}
