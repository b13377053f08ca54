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
