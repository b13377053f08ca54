import { type Graph, START } from './graph.js';
import { ownerOf, type Place } from './place.js';

/** Says whether what is known of a place can matter from a node of a graph on. */
export type Liveness = (node: number, place: Place) => boolean;

/**
 * Finds out where the places of a function are read further on. What is known of the others is dropped there: else
 * every `if` of a function would double its paths. Places of other functions always count as read; so do those that
 * a function within reads, which may run at any time.
 */
export function liveness(graph: Graph, id: string, readWithin: ReadonlySet<Place>): Liveness {
  const indexes = new Map<Place, number>();
  for (const uses of graph.uses) {
    for (const place of uses) if (!indexes.has(place)) indexes.set(place, indexes.size);
  }
  const words = (indexes.size + 31) >> 5;
  const bits = new Uint32Array(graph.nodes.length * words);
  const before: number[][] = graph.nodes.map(() => []);
  graph.nodes.forEach(({ next, thrown }, node) => {
    for (const to of [...next, thrown]) if (to !== undefined) before[to]?.push(node);
    for (const place of graph.uses[node] ?? []) {
      const index = indexes.get(place) as number;
      const at = node * words + (index >> 5);
      bits[at] = (bits[at] as number) | (1 << (index & 31));
    }
  });
  const queue = graph.nodes.map((_, node) => node);
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    for (const previous of before[node] ?? [])
      if (flow(bits, node * words, previous * words, words)) queue.push(previous);
  }
  return (node, place) => {
    if (node < START) return ownerOf(place) !== id || place.endsWith('|%result');
    if (ownerOf(place) !== id || place.endsWith('|%result') || readWithin.has(place)) return true;
    const index = indexes.get(place);
    if (index === undefined) return false;
    return ((bits[node * words + (index >> 5)] as number) & (1 << (index & 31))) !== 0;
  };
}

/** Adds the bits of one row to another; says whether that changed anything. */
function flow(bits: Uint32Array, from: number, to: number, words: number): boolean {
  let changed = false;
  for (let i = 0; i < words; i++) {
    const [had, adds] = [bits[to + i] as number, bits[from + i] as number];
    const has = had | adds;
    if (has !== had && has >>> 0 !== had) {
      bits[to + i] = has;
      changed = true;
    }
  }
  return changed;
}
