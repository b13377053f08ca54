import { fileURLToPath } from 'node:url';

/** Frames of this library itself say nothing to the user. */
const OWN_FOLDER = fileURLToPath(new URL('..', import.meta.url));

/** `file:line:column` of the innermost frame outside of this library; null if there is no stack. */
export function formatSite(site: Error | null): string | null {
  const frame = userFrames(site)?.[0];
  if (frame === undefined) return null;
  const inParentheses = /\((.*)\)$/.exec(frame);
  return pathOf(inParentheses?.[1] ?? frame.replace(/^at (async )?/, ''));
}

/** The stack as text, without the frames of this library; null if there is none. */
export function formatStack(site: Error | null): string | null {
  return userFrames(site)?.join('\n') ?? null;
}

/**
 * Whether two stacks are of the same call, made twice from the same line: a loop or a timer that starts one flow
 * after another. Only the lines of callers count: the column differs between a call and the wait for its outcome.
 */
export function isSameCall(one: Error | null, other: Error | null): boolean {
  const [ones, others] = [userFrames(one) ?? [], userFrames(other) ?? []];
  const callerOf = (frames: readonly string[]): string | undefined =>
    frames[1]?.replace(/^at (async )?|:\d+(?=\)?$)/g, '');
  return ones[0] !== undefined && ones[0] === others[0] && callerOf(ones) === callerOf(others);
}

/** Many stacks in a row are often of one line: whoever floods a pool does so from one place. */
let latest: { readonly stack: string; readonly frames: readonly string[] } | null = null;

function userFrames(site: Error | null): readonly string[] | null {
  const { stack } = site ?? {};
  if (!stack) return null;
  if (latest?.stack !== stack) latest = { stack, frames: framesOf(stack) };
  return latest.frames;
}

function framesOf(stack: string): readonly string[] {
  const frames = stack
    .split('\n')
    .slice(1)
    .map((line) => line.trim());
  const users = frames.filter(
    (frame) =>
      !pathOf(frame).includes(OWN_FOLDER) && !/[( ]node:/.test(frame) && !frame.endsWith('(<anonymous>)'),
  );
  return users.length > 0 ? users : frames;
}

function pathOf(location: string): string {
  return location.replace(/file:\/\/\/?[^)]*/, (url) => {
    const [, file, position] = /^(.*?)((?::\d+)*)$/.exec(url) ?? [];
    return file === undefined ? url : fileURLToPath(file) + position;
  });
}
