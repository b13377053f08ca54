import { basename, dirname } from 'node:path';
import type { Analysis } from './analyzer.js';
import { mayHaveBeen } from './changed.js';
import { basesIn } from './code/classes.js';
import type { FoundFile } from './code/files.js';
import type { SourceUnit } from './code/project.js';
import { importsOf } from './code/specifiers-in.js';
import { entriesByFile, type Following } from './follow.js';
import { specifierOf } from './reads.js';

export interface Affected {
  /** The files that are new, changed or gone. */
  readonly changed: ReadonlySet<string>;
  /** Other files whose verdicts may depend on them. */
  readonly dependents: ReadonlySet<string>;
}

/**
 * Finds the files whose verdicts may be other ones after a change. `texts` are the paths with another text, `files` all
 * files after the change.
 */
export function affectedBy(
  { project, following }: Analysis,
  texts: Iterable<string>,
  files: readonly Pick<FoundFile, 'path'>[],
): Affected {
  const there = new Set(files.map(({ path }) => path));
  const added = [...there].filter((path) => project.unitAt(path) === null);
  const gone = project.files.filter(({ path }) => !there.has(path)).map(({ path }) => path);
  const changed = new Set([...texts, ...added, ...gone]);
  const seeds = new Set(changed);
  for (const path of changed) {
    const unit = project.unitAt(path);
    // A method of an interface may run what a file has that implements it.
    for (const base of unit === null ? [] : basesOf(unit, project)) seeds.add(base);
  }
  if (added.length > 0 || gone.length > 0)
    for (const path of drawnTo(new Set([...added, ...gone]), project.reads.sources, project)) seeds.add(path);
  const leading = project.reads.leadingTo(seeds, touchedIn({ project, following }));
  const dependents = new Set(
    [...leading].filter((path) => !changed.has(path) && project.unitAt(path) !== null),
  );
  return { changed, dependents };
}

/** The files in which an import leads elsewhere when one of these files comes or goes. */
function drawnTo(
  moved: ReadonlySet<string>,
  sources: Iterable<string>,
  { reads }: Analysis['project'],
): readonly string[] {
  const stems = new Set([...moved].map(stemOf));
  const isDrawn = (target: string): boolean => {
    const specifier = specifierOf(target);
    if (specifier !== null) return [...moved].some((path) => mayHaveBeen(path, specifier));
    // An import may mean the other one of two files of one name now.
    return stems.has(stemOf(target));
  };
  return [...sources].filter((from) => [...reads.edgesOf(from)].some(isDrawn));
}

function stemOf(path: string): string {
  const stem = basename(path).replace(/\.[cm]?[jt]sx?$/, '');
  return stem === 'index' ? basename(dirname(path)) : stem;
}

/** The files that declare what the classes of a file extend and implement. */
function basesOf(unit: SourceUnit, project: Analysis['project']): string[] {
  const names = [...basesIn(unit)];
  if (names.length === 0) return [];
  return importsOf(unit).flatMap((specifier) => {
    const target = project.lookUp(unit, specifier);
    return target !== null && names.some((name) => target.text.includes(name)) ? [target.path] : [];
  });
}

const touched = new WeakMap<Following, ReadonlyMap<string, ReadonlySet<string>>>();

/** The files that the verdicts of each file went through. */
export function touchedIn({
  project,
  following,
}: Pick<Analysis, 'project' | 'following'>): ReadonlyMap<string, ReadonlySet<string>> {
  const known = touched.get(following);
  if (known !== undefined) return known;
  const found = new Map<string, ReadonlySet<string>>();
  for (const [path, entries] of entriesByFile(following, project))
    found.set(path, new Set(entries.flatMap(({ followed }) => [...(followed?.files ?? [])])));
  touched.set(following, found);
  return found;
}
