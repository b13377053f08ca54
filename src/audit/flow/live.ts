import { type Graph, START } from './graph.js';
import { ownerOf, type Place, rootOf } from './place.js';

/** Says whether what is known of a place can matter from a node of a graph on; `parts` asks for its parts too. */
export type Liveness = (node: number, place: Place, parts?: boolean) => boolean;

/**
 * Finds out where the places of a function are read further on. What is known of the others is dropped there: else
 * every `if` of a function would double its paths. Places of other functions always count as read; so do those that
 * a function within reads, which may run at any time. Each place is looked at when it is first asked for: a function
 * of 50,000 statements has as many places.
 */
export function liveness(graph: Graph, id: string, readWithin: ReadonlySet<Place>): Liveness {
  const reads = new Map<Place, number[]>();
  const writes = new Map<Place, Set<number>>();
  const before: number[][] = graph.nodes.map(() => []);
  graph.nodes.forEach(({ op, next, thrown }, node) => {
    for (const to of [...next, thrown]) if (to !== undefined) before[to]?.push(node);
    for (const place of graph.reads[node] ?? []) {
      add(reads, place, node);
      for (let dot = place.indexOf('.'); dot >= 0; dot = place.indexOf('.', dot + 1))
        add(reads, place.slice(0, dot + 1), node);
    }
    const written = op.kind === 'copy' ? op.to : op.kind === 'call' ? op.call.to : null;
    if (written !== null) writes.set(written, (writes.get(written) ?? new Set()).add(node));
  });
  const known = new Map<Place, Live>();
  // A write of a whole writes its parts.
  const writesOf = (place: Place): Set<number>[] => {
    const found: Set<number>[] = [];
    for (let end = place.length; end > 0; end = place.lastIndexOf('.', end - 1)) {
      const written = writes.get(place.slice(0, end));
      if (written !== undefined) found.push(written);
    }
    return found;
  };
  const liveAt = (place: Place): Live => {
    const found = known.get(place) ?? find(reads.get(place) ?? [], writesOf(place), before);
    known.set(place, found);
    return found;
  };
  // A read of a whole reads its parts. Null for a place that is read everywhere.
  const wholes = new Map<Place, readonly Live[] | null>();
  const wholesOf = (place: Place): readonly Live[] | null => {
    const found = wholes.get(place);
    if (found !== undefined) return found;
    const lives: Live[] = [];
    let isEverywhere = ownerOf(place) !== id || rootOf(place).endsWith('|%result');
    for (let at = place; !isEverywhere; at = at.slice(0, at.lastIndexOf('.'))) {
      if (readWithin.has(at)) isEverywhere = true;
      else if (reads.has(at)) lives.push(liveAt(at));
      if (!at.includes('.')) break;
    }
    const answer = isEverywhere ? null : lives;
    wholes.set(place, answer);
    return answer;
  };
  return (node, place, parts = false) => {
    if (node < START)
      return ownerOf(place) !== id || rootOf(place).endsWith('|%result') || readWithin.has(place);
    const lives = wholesOf(place);
    if (lives === null) return true;
    for (const live of lives) if (live.has(node)) return true;
    return parts && reads.has(`${place}.`) && liveAt(`${place}.`).has(node);
  };
}

/** The nodes from which a place is read before it is written. */
interface Live {
  has(node: number): boolean;
}

function find(
  reads: readonly number[],
  writes: readonly ReadonlySet<number>[],
  before: readonly (readonly number[])[],
): Live {
  if (reads.length === 0) return new Set();
  const seen = new Set(reads);
  const queue = [...reads];
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    for (const previous of before[node] ?? []) {
      if (seen.has(previous) || writes.some((one) => one.has(previous))) continue;
      seen.add(previous);
      queue.push(previous);
    }
  }
  return seen.size * 32 < before.length ? seen : new Bits(seen, before.length);
}

/** A set of many nodes in little memory. */
class Bits implements Live {
  readonly #words: Uint32Array;

  constructor(nodes: Iterable<number>, size: number) {
    this.#words = new Uint32Array((size + 31) >> 5);
    for (const node of nodes)
      this.#words[node >> 5] = (this.#words[node >> 5] as number) | (1 << (node & 31));
  }

  has(node: number): boolean {
    return ((this.#words[node >> 5] as number) & (1 << (node & 31))) !== 0;
  }
}

function add(to: Map<Place, number[]>, place: Place, node: number): void {
  const nodes = to.get(place);
  if (nodes === undefined) to.set(place, [node]);
  else nodes.push(node);
}
