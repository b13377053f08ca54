import { formatCount, formatMs, formatRate, formatSize } from '../../base/units.js';
import type { StressResult } from '../../lab/ws-stress/types.js';
import { palette } from '../color.js';
import type { RenderOptions } from '../render-options.js';
import { tableLines } from '../table.js';

/** The verdict, then round by round what happened, then the figures of the whole run. */
export function renderText(result: StressResult, options: RenderOptions): string {
  const paint = palette(options);
  const { rounds, totals, passed, partial, symbols, maxSymbolsPerConnection, maxConnections, protocol } =
    result;
  const checks = rounds.flatMap(({ checks }) => checks);
  const failed = rounds.flatMap(({ name, checks }) =>
    checks.filter(({ ok }) => !ok).map((check) => `  ${name}: ${check.name}: ${check.detail}`),
  );
  const verdict = passed ? paint.strong(paint.good('PASSED:')) : paint.strong(paint.bad('FAILED:'));
  const sections = [
    [
      `${protocol === 'json' ? '' : `${protocol}: `}${formatCount(symbols)} symbols on at most ${maxConnections} connections of ${formatCount(maxSymbolsPerConnection)}, in ${formatMs(result.elapsedMs)}${partial ? paint.warn(' (interrupted)') : ''}`,
      `${verdict} ${formatCount(checks.length - failed.length)} of ${formatCount(checks.length)} checks held`,
    ],
    // Not handed to map itself: a painter joins all that it is given.
    failed.map((line) => paint.bad(line)),
    tableLines(
      rounds,
      [
        { title: 'round', cell: ({ name }) => name },
        { title: 'took', align: 'right', cell: ({ tookMs }) => formatMs(tookMs) },
        { title: 'lost', align: 'right', cell: ({ lost }) => formatCount(lost) },
        { title: 'reconnect', align: 'right', cell: ({ reconnectMs }) => formatMs(reconnectMs) },
        { title: 'resubscribe', align: 'right', cell: ({ resubscribeMs }) => formatMs(resubscribeMs) },
        { title: 'gaps', align: 'right', cell: ({ gaps }) => formatCount(gaps) },
        { title: 'symbols in gaps', align: 'right', cell: ({ gapSymbols }) => formatCount(gapSymbols) },
        { title: 'checks', cell: ({ checks }) => (checks.every(({ ok }) => ok) ? 'held' : 'FAILED') },
      ],
      { title: paint.faint },
    ),
    [
      `received   ${formatCount(totals.messages)} messages (${formatRate(totals.messagesPerSecond)}), ${formatSize(totals.bytes)}`,
      `gaps       ${formatCount(totals.gaps)}, with ${formatCount(totals.gapSymbols)} symbols to be fetched elsewhere`,
      `conflated  ${formatCount(totals.conflated)} ticks of the slow subscriber, ${formatCount(totals.dropped)} dropped`,
      `requests   ${formatCount(totals.repeated)} sent again, ${formatCount(totals.tooFast)} too fast for the server, ${formatCount(totals.refused)} symbols refused`,
      `at most    ${formatCount(totals.peakSymbols)} symbols on a connection, ${formatCount(totals.peakConnections)} connections`,
    ],
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}
