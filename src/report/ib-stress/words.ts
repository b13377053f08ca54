import { formatCount, formatMs, formatShare } from '../../base/units.js';
import type {
  IbBaseline,
  IbComparison,
  IbRun,
  IbRunFigures,
  IbStressResult,
} from '../../lab/ib-stress/types.js';

/** The pool that this one replaces documented 3.2 s over one connection, 8.9 s with a connection per call. */
const PREDECESSOR_SAVED = 0.64;

/** The name of the result, once in each report. */
export function runLabel({ name, kind, topology }: IbRun): string {
  return kind === 'test' || topology === 'worker' ? `${name} (${topology})` : name;
}

/** The runs, and their duration. */
export function headline({ runs, gateway, elapsedMs, seed, partial }: IbStressResult): string {
  const where = gateway === null ? 'simulated gateways' : `the gateway at ${gateway}`;
  const interrupted = partial ? ' (interrupted)' : '';
  return `${counted(runs.length, 'run')} against ${where}, seed ${seed}, in ${formatMs(elapsedMs)}${interrupted}`;
}

/** A run that was stopped before anything failed has no verdict. */
export function verdictWord({
  passed,
  partial,
  runs,
  negativeControls,
}: IbStressResult): 'passed' | 'stopped' | 'failed' {
  if (passed) return 'passed';
  return partial && runs.every((run) => isAsWanted(run, negativeControls)) ? 'stopped' : 'failed';
}

/** How it went, after the word of the verdict. */
export function verdictText({ runs, negativeControls, gateway }: IbStressResult): string {
  const ran = runs.filter(({ outcome }) => outcome !== 'skipped');
  const wanted = ran.filter((run) => isAsWanted(run, negativeControls));
  if (negativeControls) return `${wanted.length} of ${ran.length} broken pools were found out`;
  const checks = ran.flatMap((run) => run.checks);
  const counts = ran.flatMap((run) => run.comparisons ?? []);
  const skipped = runs.length - ran.length;
  return [
    `${wanted.length} of ${ran.length} runs`,
    `${formatCount(checks.filter(({ ok }) => ok).length)} of ${formatCount(checks.length)} checks held`,
    ...(gateway === null
      ? [
          `${formatCount(counts.filter(({ ok }) => ok).length)} of ${formatCount(counts.length)} counts agree with the gateway's`,
        ]
      : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
  ].join(', ');
}

export function isAsWanted({ outcome }: IbRun, negativeControls: boolean): boolean {
  return outcome === 'skipped' || (outcome === 'failed') === negativeControls;
}

/** All that did not hold in a run, a line each. */
export function faultsOf({ checks, comparisons }: IbRun): string[] {
  return [
    ...checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`),
    ...(comparisons ?? []).filter(({ ok }) => !ok).map(differenceText),
  ];
}

/** Runs that were made again; null where there was none. */
export function repeatsText({ runs }: IbStressResult): string | null {
  const again = runs.filter(({ repeats }) => repeats.length > 0);
  if (again.length === 0) return null;
  const names = again.map((run) => `${runLabel(run)} (${counted(run.repeats.length, 'time')})`);
  return `went wrong while the machine stood still, and run again: ${names.join(', ')}`;
}

/** `12/12`: how many of them held; `-` where there were none. */
export function heldOf(list: readonly { readonly ok: boolean }[] | null): string {
  if (list === null || list.length === 0) return '-';
  return `${list.filter(({ ok }) => ok).length}/${list.length}`;
}

/** The clock of a run, as a factor. */
export function clockText({ speed }: IbRun): string {
  return speed === 1 ? 'real' : `x${Number(speed.toFixed(1))}`;
}

export function baselineText({ calls, unpooledMs, pooledMs, saved }: IbBaseline): string {
  const share = formatShare(Math.abs(saved), 0);
  const words = saved >= 0 ? `${share} less` : `${share} more`;
  return `${calls} calls: ${formatMs(unpooledMs)} with a connection each, ${formatMs(pooledMs)} over the pool, ${words} (the pool that this replaces: ${formatShare(PREDECESSOR_SAVED, 0)})`;
}

/** The figures of all runs together, a line each. */
export function totalLines({ runs }: IbStressResult): readonly (readonly [label: string, text: string])[] {
  const figures = runs.flatMap((run) => (run.figures === null ? [] : [run.figures]));
  const sum = (of: (one: (typeof figures)[number]) => number): number =>
    figures.reduce((total, one) => total + of(one), 0);
  const most = (of: (one: (typeof figures)[number]) => number | null): number | null =>
    figures.reduce<number | null>((top, one) => {
      const value = of(one);
      return value === null ? top : Math.max(top ?? value, value);
    }, null);
  const sumOrNull = (of: (one: IbRunFigures['leftovers']) => number | null): number | null =>
    figures.some(({ leftovers }) => of(leftovers) === null)
      ? null
      : sum(({ leftovers }) => of(leftovers) ?? 0);
  const threads = most(({ workerStart }) => workerStart?.max ?? null);
  return [
    [
      'requests',
      `${formatCount(sum(({ requests }) => requests.asked))} asked, ${formatCount(sum(({ requests }) => requests.lost))} lost, ${formatCount(sum(({ requests }) => requests.retried))} repeated, ${formatCount(sum(({ requests }) => requests.timedOut))} timed out, ${formatCount(sum(({ requests }) => requests.late))} late messages`,
    ],
    [
      'connecting',
      `${formatCount(sum(({ attempts }) => attempts.count))} attempts, ${formatCount(sum(({ clientIds }) => clientIds.collisions))} with an id in use; the slowest worker started in ${formatMs(threads)}`,
    ],
    [
      'left over',
      `${formatCount(sumOrNull(({ sockets }) => sockets))} sockets, ${formatCount(sumOrNull(({ subscriptions }) => subscriptions))} subscriptions, ${formatCount(sum(({ leftovers }) => leftovers.workers))} workers`,
    ],
  ];
}

function differenceText({ what, gateway, clientLeast, clientMost }: IbComparison): string {
  const here =
    clientMost === null
      ? `${clientLeast} or more`
      : clientLeast === clientMost
        ? String(clientLeast)
        : `${clientLeast} to ${clientMost}`;
  return `${what}: ${here} by the client, ${gateway} by the gateway`;
}

function counted(count: number, word: string): string {
  return `${formatCount(count)} ${word}${count === 1 ? '' : 's'}`;
}
