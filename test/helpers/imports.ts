import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path/posix';

export const root = join(import.meta.dirname.replaceAll('\\', '/'), '../..');
/** The text of each source file by its path. */
export const texts: ReadonlyMap<string, string> = new Map(
  ['src', 'bin', 'commands'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((path) => join(folder, path.replaceAll('\\', '/')))
      .filter((path) => /\.[cm]?[jt]sx?$/.test(path))
      .map((path) => [path, readFileSync(join(root, path), 'utf8')] as const),
  ),
);

export interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** The source file that a relative specifier names; any other specifier as it is. */
export function targetOf(path: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  const target = normalize(join(dirname(path), specifier));
  const stem = target.replace(/\.js$/, '');
  return [`${stem}.ts`, `${stem}.tsx`, target].find((file) => texts.has(file)) ?? `${stem}.ts`;
}

/** What each file imports. */
export function graphOf(files: ReadonlyMap<string, string>, kinds: 'values' | 'types too'): Graph {
  return new Map(
    [...files].map(([path, text]) => [
      path,
      importsOf(withoutTemplates(withoutComments(text)))
        .filter(({ typeOnly }) => kinds === 'types too' || !typeOnly)
        .map(({ specifier }) => targetOf(path, specifier)),
    ]),
  );
}

export type Graph = ReadonlyMap<string, readonly string[]>;

/** The files of a cycle, the first one also at the end; empty if there is none. Ignores cycles within a group. */
export function cycleIn(graph: Graph, groups: readonly RegExp[]): readonly string[] {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): readonly string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return [];
    for (const next of graph.get(file) ?? []) {
      if (groups.some((group) => group.test(file) && group.test(next))) continue;
      const cycle = visit(next, [...path, file]);
      if (cycle.length > 0) return cycle;
    }
    done.add(file);
    return [];
  };
  for (const file of graph.keys()) {
    const cycle = visit(file, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

/** How a file reaches one of the packages, through its imports; null if it does not. */
export function wayTo(
  packages: readonly string[],
  file: string,
  graph: Graph,
  seen = new Set<string>(),
): readonly string[] | null {
  if (packages.includes(file)) return [file];
  if (seen.has(file)) return null;
  seen.add(file);
  for (const next of graph.get(file) ?? []) {
    const way = wayTo(packages, next, graph, seen);
    if (way !== null) return [file, ...way];
  }
  return null;
}

export function importsOf(code: string): Import[] {
  const statements = code.matchAll(
    /\b(?:import|export)\s+(?:(type)\s+)?(?:([^'"`;()]*?)\sfrom\s*)?(['"])([^'"]+)\3/g,
  );
  const calls = code.matchAll(/\b(?:import|require)\s*\(\s*(['"])([^'"]+)\1/g);
  return [
    ...[...statements].map(([, type, names = '', , specifier = '']) => ({
      specifier,
      typeOnly: type !== undefined || /^\{(\s*type\s[^,}]+,?)+\s*\}$/.test(names.trim()),
    })),
    ...[...calls].map(([, , specifier = '']) => ({ specifier, typeOnly: false })),
  ];
}

export function withoutComments(text: string): string {
  return text.replace(
    /\/\*[\s\S]*?\*\/|('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\/\/.*/g,
    '$1',
  );
}

/** Without templates: what an import in one of them names is an example for people. */
export function withoutTemplates(code: string): string {
  return code.replace(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g, (text) =>
    text.startsWith('`') ? '``' : text,
  );
}

/** Without the text of strings; what stands in `${}` of a template is code. */
export function withoutStrings(code: string): string {
  return code.replace(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g, (text) =>
    text.startsWith('`') ? [...text.matchAll(/\$\{([^}]*)\}/g)].map(([, inner]) => inner).join(';') : "''",
  );
}
