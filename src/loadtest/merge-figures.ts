import type { ClientFigures, LoadResult, PoolFigures, ServerFigures, WireFigures } from './result.js';

/** Counts over all pools. Sizes and peaks are those of one pool: the highest of any segment. */
export function mergePool(parts: readonly (PoolFigures | null)[]): PoolFigures | null {
  const pools = parts.filter((part) => part !== null);
  const [first] = pools;
  if (first === undefined) return null;
  const sum = (of: (pool: PoolFigures) => number | null) => totalOf(pools.map(of));
  const most = (of: (pool: PoolFigures) => number | null) => mostOf(pools.map(of));
  return {
    name: first.name,
    size: most(({ size }) => size),
    maxOverflow: most(({ maxOverflow }) => maxOverflow),
    acquired: sum(({ acquired }) => acquired),
    created: sum(({ created }) => created),
    createdBefore: sum(({ createdBefore }) => createdBefore),
    createFailed: sum(({ createFailed }) => createFailed),
    destroyed: sum(({ destroyed }) => destroyed),
    peakOverflow: most(({ peakOverflow }) => peakOverflow),
    peakInUse: most(({ peakInUse }) => peakInUse),
    peakWaiting: most(({ peakWaiting }) => peakWaiting),
    waited: sum(({ waited }) => waited),
    timedOut: sum(({ timedOut }) => timedOut),
    recycled: sum(({ recycled }) => recycled),
    invalidated: sum(({ invalidated }) => invalidated),
    pingFailed: sum(({ pingFailed }) => pingFailed),
    resetFailed: sum(({ resetFailed }) => resetFailed),
    leaked: sum(({ leaked }) => leaked),
  };
}

/**
 * The figures of the segment that observed the server, with the counts of all segments as poolctl's own. null if there is
 * no server, or the segment that observed it is missing.
 */
export function mergeServer(parts: readonly (ServerFigures | null)[]): ServerFigures | null {
  const servers = parts.filter((part) => part !== null);
  const observer = servers.find(({ leftToSegment }) => leftToSegment === undefined);
  if (observer === undefined) return null;
  const others = servers.reduce((sum, { leftToSegment }) => sum + (leftToSegment?.own ?? 0), 0);
  const { transactions, statements } = observer;
  return {
    ...observer,
    transactions: transactions && { ...transactions, own: transactions.own + others },
    ...(statements && { statements: { ...statements, own: statements.own + others } }),
  };
}

/** The counts of the wire engine over all segments; undefined if it did not send the load. */
export function mergeWire(parts: readonly (WireFigures | undefined)[]): WireFigures | undefined {
  const figures = parts.filter((part) => part !== undefined);
  const [first] = figures;
  if (first === undefined) return undefined;
  const sum = (count: 'connections' | 'statements' | 'rows' | 'bytesSent' | 'bytesReceived') =>
    figures.reduce((total, each) => total + each[count], 0);
  return {
    ...first,
    connections: sum('connections'),
    statements: sum('statements'),
    rows: sum('rows'),
    bytesSent: sum('bytesSent'),
    bytesReceived: sum('bytesReceived'),
  };
}

/**
 * The figures of the process that was the busiest, because the whole depends on it. The CPU time of all segments on its
 * machine is poolctl's own.
 */
export function busiestOf(
  parts: readonly { readonly client: LoadResult['client']; readonly host: string | null }[],
): ClientFigures {
  const busiest = parts.reduce((a, b) => ((b.client.loopBusy ?? 0) > (a.client.loopBusy ?? 0) ? b : a));
  const { bottleneck: _, ...figures } = busiest.client;
  const siblings = parts.filter(
    (part) => part !== busiest && part.host !== null && part.host === busiest.host,
  );
  const more = siblings.reduce((sum, { client }) => sum + (client.cpuCores ?? 0), 0);
  const { cpuCores, otherCores } = figures;
  return {
    ...figures,
    cpuCores: cpuCores === null ? null : cpuCores + more,
    otherCores: otherCores === null ? null : Math.max(0, otherCores - more),
  };
}

export function mergeWarmup(parts: readonly LoadResult['warmup'][]): LoadResult['warmup'] {
  const warmups = parts.filter((part) => part !== null);
  if (warmups.length === 0) return null;
  return {
    iterations: warmups.reduce((sum, { iterations }) => sum + iterations, 0),
    failed: warmups.reduce((sum, { failed }) => sum + failed, 0),
    elapsedMs: Math.max(...warmups.map(({ elapsedMs }) => elapsedMs)),
  };
}

/** null where it was not measured in any. */
function totalOf(values: readonly (number | null)[]): number | null {
  const measured = values.filter((value) => value !== null);
  return measured.length === 0 ? null : measured.reduce((sum, value) => sum + value, 0);
}

function mostOf(values: readonly (number | null)[]): number | null {
  const measured = values.filter((value) => value !== null);
  return measured.length === 0 ? null : Math.max(...measured);
}
