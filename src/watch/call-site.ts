import { formatSite, formatStack } from '../pool/site.js';

/**
 * `file:line:column` of the innermost frame of the user's own code: libraries between it and the pool say nothing.
 * Where there is none it is that of the library; null if there is no stack.
 */
export function siteOf(site: Error | null): string | null {
  return formatSite(userPart(site));
}

/** The stack as text, from the user's own code on; null if there is none. */
export function stackOf(site: Error | null): string | null {
  return formatStack(userPart(site));
}

/** The stack without the frames of packages, if anything is left then. */
function userPart(site: Error | null): Error | null {
  if (!site?.stack) return site;
  const [head = '', ...frames] = site.stack.split('\n');
  const users = frames.filter((frame) => !/[\\/]node_modules[\\/]|[( ]node:|\(<anonymous>\)$/.test(frame));
  return users.length === 0 ? site : ({ stack: [head, ...users].join('\n') } as Error);
}

let behalf: Error | null = null;

/** While `work` runs, until it returns, acquires are those of the call at `site`. */
export function onBehalfOf<T>(site: Error, work: () => T): T {
  const outer = behalf;
  behalf = site;
  try {
    return work();
  } finally {
    behalf = outer;
  }
}

/** On whose behalf is acquired now, if that is said; else null. */
export function siteOnBehalf(): Error | null {
  return behalf;
}
