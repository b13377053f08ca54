import { fileURLToPath } from 'node:url';

/** Frames of this library itself say nothing to the user. */
export const OWN_FOLDER = fileURLToPath(new URL('..', import.meta.url));

/** The stack is cut off here: deep enough to leave the libraries in between. */
const STACK_FRAMES = 8;
const PACKAGE = /[\\/]node_modules[\\/]|[( ]node:|\(<anonymous>\)$/;

export interface SiteOptions {
  /**
   * Leave out frames of packages too. Default false: what calls a pool of this library is where a lease was taken, be it
   * in a package. A foreign pool is called through drivers and query builders, which say nothing. If no other frame is
   * left, theirs are shown.
   */
  readonly skipPackages?: boolean;
}

/** Records where `above` was called. Formatting is left until the site is shown. */
export function captureSite(above: (...args: never[]) => unknown, frames = STACK_FRAMES): Error {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = frames;
  const site = {} as Error;
  Error.captureStackTrace(site, above);
  Error.stackTraceLimit = before;
  return site;
}

/** `file:line:column` of the innermost frame outside of this library; null if there is no stack. */
export function formatSite(site: Error | null, options: SiteOptions = {}): string | null {
  const frame = userFrames(site, options)?.[0];
  if (frame === undefined) return null;
  const inParentheses = /\((.*)\)$/.exec(frame);
  return pathOf(inParentheses?.[1] ?? frame.replace(/^at (async )?/, ''));
}

/** The stack as text, without the frames of this library; null if there is none. */
export function formatStack(site: Error | null, options: SiteOptions = {}): string | null {
  return userFrames(site, options)?.join('\n') ?? null;
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

/** Many stacks in a row are often of one line: code that floods a pool does so from one place. */
let latest: {
  readonly stack: string;
  readonly skipPackages: boolean;
  readonly frames: readonly string[];
} | null = null;

function userFrames(
  site: Error | null,
  { skipPackages = false }: SiteOptions = {},
): readonly string[] | null {
  const { stack } = site ?? {};
  if (!stack) return null;
  if (latest?.stack !== stack || latest.skipPackages !== skipPackages) {
    latest = { stack, skipPackages, frames: framesOf(stack, skipPackages) };
  }
  return latest.frames;
}

function framesOf(stack: string, skipPackages: boolean): readonly string[] {
  const all = stack
    .split('\n')
    .slice(1)
    .map((line) => line.trim());
  const outside = skipPackages ? all.filter((frame) => !PACKAGE.test(frame)) : all;
  const frames = outside.length > 0 ? outside : all;
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
