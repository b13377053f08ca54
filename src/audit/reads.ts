/**
 * Remembers which files a verdict depends on. The analysis keeps its answers for later questions, so it is not enough to
 * see what one verdict opens: each import that is looked up is an edge from file to file, and a verdict depends on all
 * that can be reached from the files it went through.
 */
export class Reads {
  readonly #edges = new Map<string, Set<string>>();
  readonly #open: Set<string>[] = [];

  /** A lookup in `from` led to the file `to`, or to what `unresolved` and `viaConfig` describe. */
  edge(from: string, to: string): void {
    const known = this.#edges.get(from);
    if (known === undefined) this.#edges.set(from, new Set([to]));
    else known.add(to);
  }

  /** The analysis went through code of this file. */
  touch(file: string): void {
    for (const one of this.#open) one.add(file);
  }

  /** Runs a part of the analysis, and collects the files that it goes through. */
  during<T>(work: () => T): { readonly value: T; readonly files: ReadonlySet<string> } {
    const files = new Set<string>();
    this.#open.push(files);
    try {
      return { value: work(), files };
    } finally {
      this.#open.pop();
    }
  }

  /** Everything that can be reached from these files. */
  closure(files: Iterable<string>): ReadonlySet<string> {
    const found = new Set<string>();
    const queue = [...files];
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      if (found.has(at)) continue;
      found.add(at);
      queue.push(...(this.#edges.get(at) ?? []));
    }
    return found;
  }
}

/** An import that leads to no file: one that is added or deleted may change that. */
export function unresolved(specifier: string): string {
  return `?${specifier}`;
}

export function specifierOf(read: string): string | null {
  return read.startsWith('?') ? read.slice(1) : null;
}

/** An import that tsconfig.json or package.json leads to a file. */
export const VIA_CONFIG = '#config';
