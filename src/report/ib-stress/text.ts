import { formatCount, formatMs, formatShare } from '../../base/units.js';
import type { IbRun, IbStressResult } from '../../lab/ib-stress/types.js';
import { type Palette, palette } from '../color.js';
import type { RenderOptions } from '../render-options.js';
import { type Column, tableLines } from '../table.js';
import { printable, wrap } from '../text.js';
import {
  baselineText,
  clockText,
  faultsOf,
  headline,
  heldOf,
  isAsWanted,
  repeatsText,
  runLabel,
  totalLines,
  verdictText,
  verdictWord,
} from './words.js';

/** The verdict, what did not hold, then run by run how it went and what was measured. */
export function renderText(result: IbStressResult, options: RenderOptions): string {
  const paint = palette(options);
  const { runs, negativeControls, baseline } = result;
  const repeats = repeatsText(result);
  const ran = runs.filter(({ outcome }) => outcome !== 'skipped');
  const word = `${verdictWord(result).toUpperCase()}:`;
  const painted = paint.strong(VERDICT_PAINT[verdictWord(result)](paint)(word));
  const verdict = wrap(`${word} ${verdictText(result)}`, options.width);
  const table = (columns: readonly Column<IbRun>[]) => tableLines(ran, columns, { title: paint.faint });
  const sections = [
    [
      ...wrap(headline(result), options.width),
      ...verdict.map((line, at) => (at === 0 ? line.replace(word, painted) : line)),
    ],
    negativeControls
      ? ran.flatMap((run) => brokenLines(run, options))
      : ran.flatMap((run) => faultLines(run, options)).map((line) => paint.bad(line)),
    negativeControls || ran.length === 0
      ? []
      : table([
          NAME,
          { title: 'result', cell: ({ outcome }) => (outcome === 'passed' ? 'ok' : 'FAILED') },
          { title: 'took', align: 'right', cell: ({ tookMs }) => formatMs(tookMs) },
          { title: 'checks', align: 'right', cell: ({ checks }) => heldOf(checks) },
          { title: 'counts', align: 'right', cell: ({ comparisons }) => heldOf(comparisons) },
          { title: 'clock', align: 'right', cell: clockText },
          { title: 'detect', align: 'right', cell: ({ figures }) => formatMs(figures?.detectMs ?? null) },
          { title: 'recover', align: 'right', cell: ({ figures }) => formatMs(figures?.recoverMs ?? null) },
        ]),
    negativeControls || ran.length === 0 ? [] : table(FIGURES),
    negativeControls || ran.length === 0
      ? []
      : wrap(
          'Times are by the clock of the run, the event loop and what a run took by that of the machine. peak: messages in the busiest second, as sent and as they arrived, of 50 that a gateway takes.',
          options.width,
        ).map((line) => paint.faint(line)),
    negativeControls || ran.length === 0
      ? []
      : totalLines(result).flatMap(([label, text]) => labelled(label, text, options)),
    repeats === null ? [] : wrap(repeats, options.width).map((line) => paint.warn(line)),
    baseline === null ? [] : wrap(baselineText(baseline), options.width),
    skippedLines(runs, options).map((line) => paint.faint(line)),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

const VERDICT_PAINT = {
  passed: ({ good }: Palette) => good,
  stopped: ({ warn }: Palette) => warn,
  failed: ({ bad }: Palette) => bad,
} as const;

const NAME: Column<IbRun> = { title: 'run', cell: runLabel };

const FIGURES: readonly Column<IbRun>[] = [
  NAME,
  { title: 'connect', align: 'right', cell: ({ figures }) => formatMs(figures?.connect.ready?.p99 ?? null) },
  { title: 'lost', align: 'right', cell: ({ figures }) => formatCount(figures?.requests.lost ?? null) },
  { title: 'again', align: 'right', cell: ({ figures }) => formatCount(figures?.requests.retried ?? null) },
  { title: 'late', align: 'right', cell: ({ figures }) => formatCount(figures?.requests.late ?? null) },
  {
    title: 'peak',
    align: 'right',
    cell: ({ figures }) =>
      `${formatCount(figures?.pacing.peakSecond ?? null)}/${formatCount(figures?.pacing.gatewayPeakSecond ?? null)}`,
  },
  { title: 'room', align: 'right', cell: ({ figures }) => headroom(figures?.pacing.headroom ?? null) },
  { title: 'loop', align: 'right', cell: ({ figures }) => formatMs(figures?.loopLag.max ?? null) },
];

/** The rest of the limit; nothing where the limit is not the usual one. */
function headroom(share: number | null): string {
  return share === null || share < -1 ? '-' : formatShare(share, 0);
}

function faultLines(run: IbRun, { width }: RenderOptions): string[] {
  if (run.outcome !== 'failed') return [];
  return faultsOf(run).flatMap((fault) => hanging(`${runLabel(run)}: ${printable(fault)}`, width));
}

/** How a pool was broken, and what gave it away. */
function brokenLines(run: IbRun, options: RenderOptions): string[] {
  const paint = palette(options);
  const found = isAsWanted(run, true);
  const [fault = 'nothing was noticed'] = faultsOf(run);
  const mark = found ? paint.good('found') : paint.bad('MISSED');
  return [
    `${mark} ${paint.strong(runLabel(run))}: a pool that ${run.broken ?? 'is not broken'}`,
    ...hanging(printable(fault), options.width - 4).map((line) => `    ${line}`),
  ];
}

function skippedLines(runs: readonly IbRun[], { width }: RenderOptions): string[] {
  const skipped = runs.filter(({ outcome }) => outcome === 'skipped');
  const [first] = skipped;
  if (first === undefined) return [];
  return wrap(`skipped: ${skipped.map(runLabel).join(', ')}: ${first.why ?? ''}`, width);
}

function labelled(label: string, text: string, { width }: RenderOptions): string[] {
  const room = 12;
  return wrap(text, width - room).map((line, at) => (at === 0 ? label : '').padEnd(room) + line);
}

function hanging(text: string, width: number): string[] {
  return wrap(text, width - 4).map((line, at) => (at === 0 ? line : `    ${line}`));
}
