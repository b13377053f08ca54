import type { ServerFigures } from '../result.js';
import type { PostgresWatch } from './postgres-watch.js';

/**
 * The watch of a segment that leaves the server to segment 1, because each further observer would see the same server
 * again. It has only what poolctl counted, so that the merge can compare all segments with what the server counted.
 */
export function leftWatch(product: ServerFigures['product'], own: () => number): PostgresWatch {
  return {
    begin() {},
    end() {},
    async finish() {},
    figures: () => ({
      ...(product !== undefined && { product }),
      ...{ version: null, connections: null, backends: null, transactions: null, pgbouncer: null },
      ...{ course: [], gaps: [], leftToSegment: { index: 1, own: own() } },
    }),
  };
}
