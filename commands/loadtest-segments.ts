import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { onAbort } from '../src/base/abort.js';
import { maskSecrets, maskUrl } from '../src/base/secrets.js';
import { formatDuration, ValueError } from '../src/base/units.js';
import { UsageError } from '../src/cli/errors.js';
import { flagOf, type OptionTable } from '../src/cli/options.js';
import type { Segment, StartGate } from '../src/loadtest/api.js';
import type { SegmentOptions } from '../src/loadtest/load-test.js';
import { type FoundSegment, segmentFrom } from '../src/loadtest/segment-source.js';
import { LateStartError, timedGate } from '../src/loadtest/start-gate.js';
import type { Target } from '../src/loadtest/workloads/registry.js';
import type { LoadContext } from './loadtest-options.js';
import { tooFewFor } from './loadtest-rules.js';
import { DAY_MS } from './loadtest-split.js';

/** The part of the load that this process runs; null if it runs the whole. Throws a UsageError if it cannot be told. */
export function segmentIn({ options, io }: Pick<LoadContext, 'options' | 'io'>): Segment | null {
  return foundIn({ options, io })?.segment ?? null;
}

/** The variables of a scheduler that --segment auto was read from; null if it was given in numbers. */
export function segmentOrigin(context: Pick<LoadContext, 'options' | 'io'>): string | null {
  return foundIn(context)?.from ?? null;
}

function foundIn({ options, io }: Pick<LoadContext, 'options' | 'io'>) {
  const { segment } = options;
  if (segment === null) return null;
  if (segment.index !== 'auto') return { segment, from: null };
  let found: FoundSegment;
  try {
    found = segmentFrom(io.env, segment.count);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new UsageError([`--segment auto: ${error.message}`]);
  }
  const tooFew = tooFewFor(found.segment.count, options);
  if (tooFew !== null) throw new UsageError([tooFew]);
  return found;
}

/** Options that say where and how poolctl runs or reports, and nothing of the load. */
const NOT_OF_THE_LOAD: readonly string[] = [
  ...[
    'processes',
    'segment',
    'runId',
    'startAt',
    'emit',
    'image',
    'agents',
    'queue',
    'agentsTimeout',
    'abortErrors',
    'allowRemote',
    'passwordStdin',
    'ca',
  ],
  ...['compareWith', 'tolerance', 'allowDifferentWork', 'sweep', 'baseline', 'rounds', 'init', 'cleanup'],
  ...['output', 'config', 'dotenv', 'printConfig', 'color', 'quiet', 'verbose', 'format', 'hdr', 'publish'],
];

/** Options that name files. Machines may keep these in different places, so their content counts. */
const FILES: readonly string[] = ['paramsFile', 'bodyFile', 'module'];

/** The segment that this process runs; null if it runs the whole load. */
export async function segmentOf(context: LoadContext, table: OptionTable): Promise<SegmentOptions | null> {
  const { runId } = context.options;
  const segment = segmentIn(context);
  if (segment === null) return null;
  const options = await loadOptions(context, table);
  const optionsHash = createHash('sha256').update(JSON.stringify(options)).digest('hex');
  return { ...segment, runId: runId ?? optionsHash.slice(0, 12), optionsHash, options, host: hostname() };
}

/** Longest time until the common start. */
const LONGEST_WAIT_MS = DAY_MS;
/** Time to connect, beside the warm-up, where the start is set. */
const CONNECT_MS = 3000;

/** Waits until shortly before the common start, which needs `warmUpMs` to warm up; null: there is none. */
export async function gateOf(
  { options, io, progress }: LoadContext,
  warmUpMs: number,
): Promise<StartGate | null> {
  const { startAt } = options;
  if (startAt === null) return null;
  const { clock, interrupts } = io;
  const startAtMs = startAt(clock.wallTime());
  const inMs = startAtMs - clock.wallTime();
  if (inMs < 0) throw new LateStartError(-inMs);
  if (inMs > LONGEST_WAIT_MS)
    throw new UsageError([`--start-at is ${formatDuration(inMs)} away; at most 24h are possible`]);
  const gate = timedGate(startAtMs, clock);
  progress.update({ label: 'waiting for the start', share: null, note: new Date(startAtMs).toISOString() });
  await new Promise<void>((resolve) => {
    const timer = clock.setTimer(resolve, Math.max(0, inMs - warmUpMs - CONNECT_MS));
    onAbort(interrupts.stop, () => {
      timer.cancel();
      resolve();
    });
  });
  if (interrupts.stop.aborted) throw interrupts.stop.reason;
  return gate;
}

/** Everything that decides what load is run and how it is judged, as text, by the flags in alphabetical order. */
async function loadOptions(
  context: LoadContext,
  table: OptionTable,
): Promise<Readonly<Record<string, string>>> {
  const { io, version } = context;
  const options: Readonly<Record<string, unknown>> = context.options;
  const facts: (readonly [string, string])[] = [
    ['poolctl', version],
    ['target', targetText(context.arguments.target)],
  ];
  for (const key of Object.keys(table).sort()) {
    const spec = table[key];
    const given = options[key];
    if (spec === undefined || NOT_OF_THE_LOAD.includes(key) || given === null) continue;
    const shown =
      key === 'sqlFile'
        ? await Promise.all(
            context.options.sqlFile.map(
              async ({ file, weight }) => `${await digestOf(file, io.cwd)}@${weight}`,
            ),
          ).then(String)
        : FILES.includes(key)
          ? await digestOf(String(given), io.cwd)
          : maskSecrets(spec.show(given));
    if (shown !== '-') facts.push([flagOf(key), shown]);
  }
  return Object.fromEntries(facts);
}

/** A file that cannot be read is reported where it is used. */
async function digestOf(file: string, folder: string): Promise<string> {
  const content = await readFile(resolve(folder, file)).catch(() => Buffer.from(''));
  return `sha256 ${createHash('sha256').update(content).digest('hex').slice(0, 12)}`;
}

function targetText(target: Target | null): string {
  if (target === null) return 'a temporary SQLite file';
  return 'url' in target && target.url !== null ? maskUrl(target.url) : target.kind;
}
