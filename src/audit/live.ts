import { existsSync } from 'node:fs';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { affectedBy } from './affected.js';
import { type Analysis, Analyzer, detailed } from './analyzer.js';
import { filesFor } from './audit.js';
import type { FoundFile, FoundFiles } from './code/files.js';
import { readSource } from './code/files.js';
import type { Project, SourceUnit } from './code/project.js';
import { functionName } from './code/scope.js';
import { Disk } from './disk.js';
import { byPlace } from './findings.js';
import { entriesByFile } from './follow.js';
import { type Language, languageOf } from './languages/language.js';
import { Reach } from './reach.js';
import { isBelow, realOf } from './repository.js';
import { callNames } from './sites.js';
import { suppress } from './suppress.js';
import type { AuditOptions, DetailedAudit, Finding } from './types.js';

export interface LiveOptions extends AuditOptions {
  /** Reads the files of one language only. Default: all. */
  readonly language?: Language;
}

/** The most leases in other files that are followed anew for an answer on one file, where nothing says that it must be. */
const MOST_SITES = 100;

/**
 * An audit that is kept and follows the changes of its files. A change makes the verdicts of all files stale that may
 * depend on it. An answer on one file judges that file anew, and of the stale ones those that it can reach by imports.
 *
 * Within a large cycle of imports that would be everything. There, stale files are judged for the sake of another file
 * only if a change altered which functions and classes lend a lease.
 */
export class LiveAudit {
  readonly #paths: readonly string[];
  readonly #options: LiveOptions;
  readonly #analyzer: Analyzer;
  #found: FoundFiles;
  #audited: ReadonlySet<string> = new Set();
  /** The paths under which files are audited, by where they lie. */
  #byReal: ReadonlyMap<string, string> = new Map();
  #disk: Disk;
  #analysis: Analysis | null = null;
  /** The file whose text comes from an editor. */
  #open: { readonly path: string; readonly text: string } | null = null;
  /** Files whose verdicts may be other ones; in `hard`, also what they lend. */
  readonly #soft = new Set<string>();
  readonly #hard = new Set<string>();
  /** A file is gone, and what was found in it has to go. */
  #isLess = false;

  /** Throws where a path is not there. */
  constructor(paths: readonly string[], options: LiveOptions) {
    this.#paths = paths;
    this.#options = options;
    this.#analyzer = new Analyzer(options);
    this.#found = this.#list();
    this.#disk = new Disk(this.#found, paths, options.cwd);
  }

  /** Takes up what changed on the disk; tells whether anything did. */
  refresh(): boolean {
    const { files, isListed, isConfigured } = this.#disk.changes();
    if (isListed || isConfigured) {
      this.#found = this.#list();
      this.#disk = new Disk(this.#found, this.#paths, this.#options.cwd);
      if (isConfigured) this.#analysis = null;
      else this.#change(new Map(files.map((path) => [path, null])));
      return true;
    }
    const project = this.#analysis?.project;
    const changed = files.filter((path) => {
      const read = readSource(path);
      return 'reason' in read || project?.unitAt(path)?.source !== read.text;
    });
    if (changed.length > 0) this.#change(new Map(changed.map((path) => [path, null])));
    return changed.length > 0;
  }

  /** The findings in one file. With a text, that is judged instead of what the disk has. */
  findingsIn(path: string, text: string | null = null): readonly Finding[] {
    const file = this.#pathOf(path);
    if (text !== null && this.isLeftOut(file)) return [];
    this.#show(text === null ? null : { path: file, text });
    const { project } = this.#settle(file);
    const unit = project.unitAt(file);
    return unit === null ? [] : this.#reported(unit);
  }

  /** All findings that are known; those of files that are stale may be old ones. */
  knownFindings(): readonly Finding[] {
    const { project } = this.#whole();
    return project.files.flatMap((unit) => this.#reported(unit)).sort(byPlace);
  }

  /** The result of the whole audit, as the disk has it. */
  result(): DetailedAudit {
    this.#show(null);
    return detailed(this.#settle(null), this.#found);
  }

  // --- files

  #list(): FoundFiles {
    const all = filesFor(this.#paths, this.#options);
    const { language } = this.#options;
    const files = all.files.filter(({ path }) => language === undefined || languageOf(path) === language);
    this.#audited = new Set(files.map(({ path }) => path));
    this.#byReal = new Map(files.map(({ path, real }) => [real, path]));
    return { ...all, files };
  }

  /** The path under which a file is audited. */
  #pathOf(path: string): string {
    const full = resolve(this.#options.cwd, path);
    return this.#audited.has(full) ? full : (this.#byReal.get(realOf(full)) ?? full);
  }

  /** Tells whether a file is on the disk and the audit skips it. */
  isLeftOut(path: string): boolean {
    if (this.#audited.has(path)) return false;
    const isInside = this.#paths.some((root) => isBelow(path, resolve(this.#options.cwd, root)));
    return isInside && existsSync(path);
  }

  /** The audited files, with one that only the editor has. */
  #files(): readonly FoundFile[] {
    const { files } = this.#found;
    const open = this.#open;
    if (open === null || this.#audited.has(open.path)) return files;
    const base = resolve(this.#options.cwd, this.#paths[0] ?? '.');
    const name = relative(base, open.path);
    return [...files, { path: open.path, name: isAbsolute(name) ? open.path : name.replaceAll(sep, '/') }];
  }

  /** Judges the text of the editor for one file, and what the disk has for all others. */
  #show(open: { readonly path: string; readonly text: string } | null): void {
    const before = this.#open;
    const { project } = this.#whole();
    const texts = new Map<string, string | null>();
    if (before !== null && before.path !== open?.path) {
      const read = readSource(before.path);
      if ('reason' in read || project.unitAt(before.path)?.source !== read.text) texts.set(before.path, null);
    }
    if (open !== null && project.unitAt(open.path)?.source !== open.text) texts.set(open.path, open.text);
    this.#open = open;
    if (texts.size > 0) this.#change(texts);
  }

  /** The analysis of the current version; made in full where there is none. */
  #whole(): Analysis {
    if (this.#analysis !== null) return this.#analysis;
    const texts = new Map(this.#open === null ? [] : [[this.#open.path, this.#open.text]]);
    this.#analysis = this.#analyzer.run(this.#analyzer.projectOf(this.#files(), { project: null, texts }));
    this.#soft.clear();
    this.#hard.clear();
    this.#isLess = false;
    return this.#analysis;
  }

  // --- changes

  /** Makes a new version of the project, and marks what may have another verdict in it. */
  #change(texts: Map<string, string | null>): void {
    const analysis = this.#analysis;
    if (analysis === null) return;
    const { project } = analysis;
    if (this.#open !== null && texts.has(this.#open.path)) texts.set(this.#open.path, this.#open.text);
    const files = this.#files();
    const isOther = (path: string) => languageOf(path) === 'python';
    if (this.#options.language !== 'typescript' && [...texts.keys()].some(isOther)) {
      // A translation depends on the names in all other files.
      this.#analysis = null;
      return;
    }
    const { changed, dependents } = affectedBy(analysis, texts.keys(), files);
    const next = this.#analyzer.projectOf(files, { project, texts });
    this.#analysis = { ...analysis, project: next };
    for (const path of changed) this.#hard.add(path);
    this.#isLess ||= project.files.some((unit) => next.unitAt(unit.path) === null);
    // Nobody lends any more what a deleted file lent.
    const isMoved = [...changed].some((path) => project.unitAt(path) === null || next.unitAt(path) === null);
    for (const path of dependents) (isMoved ? this.#hard : this.#soft).add(path);
    for (const paths of [this.#hard, this.#soft])
      for (const path of paths) if (next.unitAt(path) === null) paths.delete(path);
  }

  /** Judges what is stale: all of it, or what counts for one file. */
  #settle(path: string | null): Analysis {
    for (;;) {
      const analysis = this.#whole();
      const active = this.#activeFor(path, analysis.project);
      if (active.size === 0 && !this.#isLess) return analysis;
      this.#isLess = false;
      const before = new Map([...active].map((unit) => [unit.path, lendingOf(analysis, unit.path)]));
      const next = this.#analyzer.run(analysis.project, { analysis, active });
      this.#analysis = next;
      for (const { path: done } of active) {
        this.#soft.delete(done);
        this.#hard.delete(done);
      }
      const altered = [...before]
        .filter(([one, lending]) => lendingOf(next, one) !== lending)
        .map(([one]) => one);
      if (altered.length > 0) this.#harden(altered, next, active);
    }
  }

  /** Something lends a lease now, or does so no more: all that may call it has to be judged before others count on it. */
  #harden(altered: readonly string[], analysis: Analysis, active: ReadonlySet<SourceUnit>): void {
    const { project, following } = analysis;
    const isDone = new Set([...active].map(({ path }) => path));
    const { dependents } = affectedBy(analysis, altered, project.files);
    for (const path of dependents) if (!isDone.has(path)) this.#hard.add(path);
    const { news } = following.names;
    if (news.size === 0) return;
    const pattern = callNames(news);
    for (const unit of project.files) {
      if (isDone.has(unit.path) || ![...news].some((name) => unit.source.includes(name))) continue;
      if (unit.text.search(pattern) >= 0) this.#hard.add(unit.path);
    }
  }

  #activeFor(path: string | null, project: Project): ReadonlySet<SourceUnit> {
    const unitsOf = (paths: Iterable<string>) =>
      new Set([...paths].map((one) => project.unitAt(one)).filter((unit) => unit !== null));
    const stale = new Set([...this.#hard, ...this.#soft]);
    if (path === null) return unitsOf(stale);
    const unit = project.unitAt(path);
    if (unit === null) return new Set();
    stale.delete(path);
    const isStale = this.#hard.has(path) || this.#soft.has(path);
    const own = isStale ? [path] : [];
    if (stale.size === 0) return unitsOf(own);
    const reached = new Reach(this.#whole()).from(unit, stale);
    const hard = reached.filter((one) => this.#hard.has(one));
    // The file may call something that lends a lease only now.
    if (!isStale && hard.length === 0) return new Set();
    const entries = entriesByFile(this.#whole().following, project);
    const sites = reached.reduce((sum, one) => sum + (entries.get(one)?.length ?? 0), 0);
    return unitsOf([...own, ...(sites <= MOST_SITES ? reached : hard)]);
  }
  /** The findings of a file that no comment suppresses. */
  #reported(unit: SourceUnit): readonly Finding[] {
    const raised = this.#whole().raised.get(unit) ?? [];
    return suppress(raised.map(({ finding }) => finding).sort(byPlace), [unit]).findings;
  }
}

/** A text that says which functions and classes of a file lend a lease, and how. */
function lendingOf({ project, following }: Analysis, path: string): string {
  const entries = entriesByFile(following, project).get(path) ?? [];
  const lent = entries.flatMap(({ followed }) => {
    if (followed === null) return [];
    const { verdict, owner, site } = followed;
    const { returns, isLazy, facts, when, unlessGiven } = verdict;
    const wrapper =
      returns.length === 0
        ? []
        : [
            JSON.stringify([
              functionName(verdict.body),
              site.spec.id,
              returns,
              isLazy,
              unlessGiven,
              [...facts],
              [...when],
            ]),
          ];
    const held =
      owner === null
        ? []
        : [
            JSON.stringify([
              owner.node.name?.text,
              owner.spec,
              owner.openers,
              [...owner.enters],
              owner.isWhole,
            ]),
          ];
    return [...wrapper, ...held];
  });
  return lent.sort().join('\n');
}
