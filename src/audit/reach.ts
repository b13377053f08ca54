import { touchedIn } from './affected.js';
import type { Analysis } from './analyzer.js';
import type { Project, SourceUnit } from './code/project.js';
import { importsOf } from './code/specifiers-in.js';

/** Finds which files another one can reach: by imports, and by what its verdicts went through. */
export class Reach {
  readonly #project: Project;
  readonly #touched: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(analysis: Pick<Analysis, 'project' | 'following'>) {
    this.#project = analysis.project;
    this.#touched = touchedIn(analysis);
  }

  /** The wanted files that can be reached. */
  from(start: SourceUnit, wanted: ReadonlySet<string>): string[] {
    const seen = new Set([start.path]);
    const queue = [start];
    let left = [...wanted].filter((path) => path !== start.path).length;
    for (let unit = queue.pop(); unit !== undefined && left > 0; unit = queue.pop()) {
      for (const next of this.#nextOf(unit)) {
        if (next === null || seen.has(next.path)) continue;
        seen.add(next.path);
        if (wanted.has(next.path)) left--;
        queue.push(next);
      }
    }
    return [...wanted].filter((path) => path !== start.path && seen.has(path));
  }

  #nextOf(unit: SourceUnit): (SourceUnit | null)[] {
    const imported = importsOf(unit).map((specifier) => this.#project.lookUp(unit, specifier));
    const touched = [...(this.#touched.get(unit.path) ?? [])].map((path) => this.#project.unitAt(path));
    return [...imported, ...touched];
  }
}
