import type { LoadResult, ServerSample, TimelineRow } from '../../loadtest/result.js';

/** The columns, named with their units; what was not measured is empty. */
const COLUMNS: readonly (readonly [name: string, value: (row: TimelineRow) => number | null])[] = [
  ['at_ms', (row) => row.atMs],
  ['length_ms', (row) => row.lengthMs],
  ['succeeded', (row) => row.succeeded],
  ['failed', (row) => row.failed],
  ['throughput_per_second', (row) => row.throughputPerSecond],
  ['response_mean_ms', (row) => row.meanMs],
  ['response_p50_ms', (row) => row.p50Ms],
  ['response_p99_ms', (row) => row.p99Ms],
  ['wait_mean_ms', (row) => row.waitMeanMs],
  ['wait_p99_ms', (row) => row.waitP99Ms],
  ['waiting', (row) => row.waiting],
];

/** Averages of the server in that stretch. */
const SERVER_COLUMNS: readonly (readonly [name: string, value: (sample: ServerSample) => number | null])[] = [
  ['backends_active', ({ active }) => active],
  ['backends_idle', ({ idle }) => idle],
  ['backends_in_transaction', ({ inTransaction }) => inTransaction],
  ['pgbouncer_waiting', ({ queued }) => queued],
];

/** The timeline, for spreadsheets and plots (RFC 4180). */
export function renderCsv({ measurements, server }: LoadResult): string {
  const rows = measurements.timeline.rows.map((row) => {
    const samples = (server?.course ?? []).filter(
      ({ atMs }) => atMs >= row.atMs && atMs < row.atMs + row.lengthMs,
    );
    return [
      ...COLUMNS.map(([, value]) => cell(value(row))),
      ...SERVER_COLUMNS.map(([, value]) => cell(mean(samples.map(value)))),
    ];
  });
  return [[...COLUMNS, ...SERVER_COLUMNS].map(([name]) => name), ...rows]
    .map((cells) => `${cells.join(',')}\r\n`)
    .join('');
}

function mean(values: readonly (number | null)[]): number | null {
  const seen = values.filter((value) => value !== null);
  return seen.length === 0 ? null : seen.reduce((sum, value) => sum + value, 0) / seen.length;
}

function cell(value: number | null): string {
  return value === null ? '' : String(Number(value.toFixed(3)));
}
