import type { LoadResult } from '../loadtest/result.js';

/** The result of a segment with its times by the clock of the queue, which is that of all agents. */
export function withClockOffset(text: string, clockOffsetMs: number): string {
  const result = JSON.parse(text) as LoadResult;
  const { segment } = result;
  if (segment === undefined) return text;
  const [startedAtMs, arrivalsEndedAtMs, endedAtMs] = [
    segment.startedAtMs + clockOffsetMs,
    segment.arrivalsEndedAtMs + clockOffsetMs,
    segment.endedAtMs + clockOffsetMs,
  ];
  const shifted = { ...segment, startedAtMs, arrivalsEndedAtMs, endedAtMs, clockOffsetMs };
  return JSON.stringify({ ...result, startedAt: new Date(startedAtMs).toISOString(), segment: shifted });
}
