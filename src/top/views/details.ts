import { type BackendFact, type Facts, type HolderFact, LEAK_MS } from '../facts.js';
import { BINDINGS } from '../keys.js';
import type { State } from '../state.js';
import type { Tone } from '../table.js';
import { counted, shortSite, shortTime } from '../words.js';

/** A line of a text, of parts that differ in colour. */
export type Line = readonly Span[];

export interface Span {
  readonly text: string;
  readonly tone?: Tone;
}

interface Place {
  readonly cwd: string;
}

/** Everything about one lease, and the way from its line of code to the backend and whoever waits for it. */
export function leaseLines(fact: HolderFact, facts: Facts, { cwd }: Place): Line[] {
  const { holder, pool, suspect, doing, backend, client } = fact;
  const { app } = pool.pool;
  return [
    field('lease', `${holder.leaseId} of pool ${pool.pool.name}, read from ${pool.source}`),
    field('held for', shortTime(holder.ageMs), suspect ? 'bad' : undefined),
    field('acquired at', shortSite(holder.site, cwd), suspect ? 'bad' : 'name'),
    field('verdict', verdictOf(fact), suspect ? 'bad' : undefined),
    field('doing', doing ?? 'not known'),
    field('last SQL', holder.lastSql ?? 'not known'),
    [],
    heading('From the code to the database'),
    [
      {
        text: `  application   ${pool.app}${app === null ? '' : `, pid ${app.pid} on ${app.host}`}, local port ${holder.localPort ?? 'not known'}`,
      },
    ],
    ...(client === null
      ? []
      : [
          [
            {
              text: `  pooler        ${client.source}: client ${client.client.user}@${client.client.database}, ${client.client.state}`,
            },
          ],
        ]),
    ...backendHop(fact),
    ...(backend === null ? [] : lockLines(backend, facts)),
    ...(client === null && backend === null ? [] : []),
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
    field('acquired at', shortSite(holder?.holder.site ?? null, cwd), 'name'),
    field('SQL', backend.query ?? 'not known'),
    ...lockLines(fact, facts),
  ];
}

export function goneLines(what: 'lease' | 'backend'): Line[] {
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

function verdictOf({ suspect, holder }: HolderFact): string {
  if (suspect)
    return holder.leaked
      ? 'leak: past the threshold of its pool'
      : `leak: idle and older than ${LEAK_MS / 1000} s`;
  return 'none: in use, or not for long';
}

function backendHop({ backend, client, holder }: HolderFact): Line[] {
  if (backend !== null) {
    const { pid, state, stateMs } = backend.backend;
    return [
      [
        {
          text: `  backend       ${pid} (${backend.source}): ${state ?? 'state not known'} for ${shortTime(stateMs)}`,
        },
      ],
    ];
  }
  const why =
    client !== null
      ? 'the pooler has given it no server connection, or the database is not read'
      : holder.localPort === null
        ? 'its local port is not known'
        : `no source knows port ${holder.localPort}: add the pooler and the database`;
  return [[{ text: `  backend       not found: ${why}`, tone: 'faint' }]];
}

function lockLines(fact: BackendFact, { blocking, backends }: Facts): Line[] {
  const lines: Line[] = [];
  for (const pid of fact.backend.blockedBy) {
    const blocker = backends.find((one) => one.source === fact.source && one.backend.pid === pid);
    lines.push([
      { text: `  waits for     ${pid}${blocker === undefined ? '' : aboutBackend(blocker)}`, tone: 'bad' },
    ]);
  }
  const waiters = blocking.filter(({ backend }) => backend.backend.blockedBy.includes(fact.backend.pid));
  if (fact.blocks > 0)
    lines.push([{ text: `  blocks        ${counted(fact.blocks, 'backend')}`, tone: 'bad' }]);
  for (const { backend } of waiters)
    lines.push([{ text: `                ${backend.backend.pid}${aboutBackend(backend)}` }]);
  return lines;
}

function aboutBackend({ backend }: BackendFact): string {
  return ` ${backend.application ?? ''} ${backend.state ?? ''} ${shortTime(backend.transactionMs)}: ${backend.query ?? ''}`;
}

function field(name: string, text: string, tone?: Tone): Line {
  return [{ text: `${name.padEnd(14)}`, tone: 'faint' }, tone === undefined ? { text } : { text, tone }];
}

function heading(text: string): Line {
  return [{ text, tone: 'strong' }];
}
