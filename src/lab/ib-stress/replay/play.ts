import { createHash } from 'node:crypto';
import type { Breakage } from '../breakages.js';
import { type Act, describeError, Stage } from './stage.js';

/** Plays an act from its start to its end; what it throws is part of what happened. */
export async function play(act: Act, breakage: Breakage | null = null): Promise<readonly string[]> {
  const stage = new Stage(breakage);
  try {
    await act.play(stage);
  } catch (error) {
    stage.note(`the act failed: ${describeError(error)}`);
  }
  await stage.end();
  return stage.transcript;
}

const DIGITS = 4;

/** A short digest for each line, so that the first line that differs can be named without the recording. */
export function digestOf(transcript: readonly string[]): string {
  return transcript
    .map((line) => createHash('sha256').update(line).digest('base64url').slice(0, DIGITS))
    .join('');
}

/** The first line that is not as recorded, counted from 1; null where all are. */
export function firstDifference(transcript: readonly string[], recorded: string): number | null {
  const seen = digestOf(transcript);
  if (seen === recorded) return null;
  let at = 0;
  while (at < seen.length && seen.slice(at, at + DIGITS) === recorded.slice(at, at + DIGITS)) at += DIGITS;
  return at / DIGITS + 1;
}
