import { type Callee, isNamedFreely, namesOfCalls, searchKeyOf } from './code/callers.js';
import type { Entities } from './code/entities.js';
import type { Project, SourceUnit } from './code/project.js';

/** Names that were found for some functions or classes. */
interface Page {
  /** The keys of those that were looked for in the whole project. */
  readonly searched: Set<string>;
  readonly names: Set<string>;
}

/**
 * The names by which functions and classes are called. Looking through a whole project takes long: in the next run, only
 * what is new is looked for everywhere, and what is known in the files that changed. Names are never taken back, since a
 * call of such a name still has to be looked up.
 */
export class NameBook {
  readonly #pages = new Map<string, Page>();
  readonly #news = new Set<string>();
  #run: {
    readonly project: Project;
    readonly entities: Entities;
    readonly active: readonly SourceUnit[] | null;
  } | null = null;

  /** Begins a run; `active` are the files that are looked at, null means all. */
  open(project: Project, entities: Entities, active: readonly SourceUnit[] | null): void {
    this.#run = { project, entities, active };
    this.#news.clear();
  }

  /** The names that this run looked for everywhere: other files may call them, too. */
  get news(): ReadonlySet<string> {
    return this.#news;
  }

  ofFunctions(page: string, callees: ReadonlySet<Callee>): ReadonlySet<string> {
    return this.#namesOf(`calls ${page}`, callees);
  }

  /** The names of a class that holds a lease, and of those that extend it. */
  ofClasses(owner: Callee, callees: ReadonlySet<Callee>): ReadonlySet<string> {
    return this.#namesOf(this.#pageOf(owner), callees);
  }

  /** Tells whether one of the active files may make an instance of a class, because it has one of its names. */
  mayBeMade(owner: Callee): boolean {
    const { active, project } = this.#now();
    if (active === null || isNamedFreely(owner, project)) return true;
    const page = this.#pages.get(this.#pageOf(owner));
    if (page === undefined) return true;
    const names = [...page.names];
    return active.some(({ source }) => names.some((name) => source.includes(name)));
  }

  #pageOf(owner: Callee): string {
    return `class ${searchKeyOf(owner, this.#now().project)}`;
  }

  #namesOf(key: string, callees: ReadonlySet<Callee>): ReadonlySet<string> {
    const { project, entities, active } = this.#now();
    const page = this.#pages.get(key) ?? { searched: new Set(), names: new Set() };
    this.#pages.set(key, page);
    const fresh = new Set([...callees].filter((one) => !page.searched.has(searchKeyOf(one, project))));
    if (active === null || fresh.size > 0) {
      const found = namesOfCalls(active === null ? callees : fresh, project, entities);
      for (const name of found) if (!page.names.has(name)) this.#news.add(name);
      for (const name of found) page.names.add(name);
    }
    if (active !== null && callees.size > 0)
      for (const name of namesOfCalls(callees, project, entities, active)) page.names.add(name);
    for (const one of callees) page.searched.add(searchKeyOf(one, project));
    return page.names;
  }

  #now() {
    if (this.#run === null) throw new Error('no run has begun');
    return this.#run;
  }
}
