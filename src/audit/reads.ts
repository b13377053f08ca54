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

  /** The file has another text: what it led to counts no more. */
  forget(from: string): void {
    this.#edges.delete(from);
  }

  /** Everything that leads to one of these files, themselves included. `more` has further edges. */
  leadingTo(files: Iterable<string>, more: ReadonlyMap<string, ReadonlySet<string>>): ReadonlySet<string> {
    const sources = new Map<string, string[]>();
    for (const edges of [this.#edges, more]) {
      for (const [from, targets] of edges) {
        for (const to of targets) {
          const known = sources.get(to);
          if (known === undefined) sources.set(to, [from]);
          else known.push(from);
        }
      }
    }
    const found = new Set<string>();
    const queue = [...files];
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      if (found.has(at)) continue;
      found.add(at);
      // Half of a project shares the mark of an import by configuration: it is no file.
      if (at !== VIA_CONFIG) queue.push(...(sources.get(at) ?? []));
    }
    return found;
  }

  /** The targets of the lookups in a file. */
  edgesOf(from: string): ReadonlySet<string> {
    return this.#edges.get(from) ?? NOTHING;
  }

  /** All files in which something was looked up. */
  get sources(): Iterable<string> {
    return this.#edges.keys();
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

const NOTHING: ReadonlySet<string> = new Set();

/** An import that leads to no file: one that is added or deleted may change that. */
export function unresolved(specifier: string): string {
  return `?${specifier}`;
}

export function specifierOf(read: string): string | null {
  return read.startsWith('?') ? read.slice(1) : null;
}

/** An import that tsconfig.json or package.json leads to a file. */
export const VIA_CONFIG = '#config';
