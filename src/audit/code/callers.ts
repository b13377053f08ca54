import { ts } from 'ts-morph';
import type { Project, SourceUnit } from './project.js';
import { type Body, functionName } from './scope.js';

/**
 * The names by which functions may be called anywhere in the project: their own, what imports, exports and tables call
 * them, and the names of default imports. A call of such a name still has to be looked up.
 */
export function namesOfCalls(bodies: Iterable<Body>, project: Project): Set<string> {
  const names = new Set<string>();
  const wholes = new Set<SourceUnit>();
  for (const body of bodies) {
    const name = functionName(body);
    if (name !== null) names.add(name);
    const unit = project.unitOf(body);
    if (isWhole(body, name, unit)) wholes.add(unit);
  }
  if (wholes.size > 0) for (const alias of importsOf(wholes, project)) names.add(alias);
  let fresh: ReadonlySet<string> = new Set(names);
  for (let round = 0; fresh.size > 0 && round < ROUNDS; round++) {
    fresh = new Set(aliasesOf(fresh, project).filter((alias) => !names.has(alias)));
    for (const alias of fresh) names.add(alias);
  }
  return names;
}

/** A name of a name of a name. */
const ROUNDS = 3;

/** Whether a function is all that its file exports, or the default export: importers name it as they like. */
function isWhole(body: Body, name: string | null, { text }: SourceUnit): boolean {
  const { parent } = body;
  if (ts.isExportAssignment(parent)) return true;
  if (ts.isBinaryExpression(parent) && /^module\.exports\b|^exports$/.test(parent.left.getText()))
    return true;
  if (
    ts.isFunctionDeclaration(body) &&
    body.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword)
  )
    return true;
  return (
    name !== null &&
    new RegExp(`(export default|module\\.exports\\s*=)\\s*${escaped(name)}\\s*(;|$)`, 'm').test(text)
  );
}

/** `getClient as lend`, `{ begin: getClient }`, `exports.begin = getClient`, `const { getClient: lend } = db`. */
function aliasesOf(names: ReadonlySet<string>, { files }: Project): string[] {
  const any = [...names].map(escaped).join('|');
  const pattern = new RegExp(
    `(?<![\\w$.])(?:${any})\\s+as\\s+([\\w$]+)|(?<![\\w$.])(?:${any})\\s*:\\s*([\\w$]+)\\s*[,}]|([\\w$]+)\\s*[:=]\\s*(?:[^,;{}=>\\n]*[.\\s])?(?:${any})\\s*[,;}\\n]`,
    'g',
  );
  return files.flatMap(({ text }) =>
    [...text.matchAll(pattern)].flatMap(([, one, two, three]) => one ?? two ?? three ?? []),
  );
}

/** The names that other files give to what they import of files as a whole. */
function importsOf(wholes: ReadonlySet<SourceUnit>, project: Project): string[] {
  return project.files.flatMap((unit) =>
    [...unit.text.matchAll(WHOLE_IMPORT)].flatMap(([, esm, reexported, from, cjs, required]) => {
      const [name, specifier] = [esm ?? reexported ?? cjs, from ?? required];
      const found = specifier === undefined ? null : project.imported(unit, specifier);
      return name !== undefined && found !== null && wholes.has(found) ? [name] : [];
    }),
  );
}

/** `import x from './x'`, `{ default as x } from './x'`, `const x = require('./x')`. */
const WHOLE_IMPORT =
  /\b(?:import\s+(?:type\s+)?([\w$]+)|default\s+as\s+([\w$]+))[^'";=]*from\s*['"]([^'"]+)['"]|([\w$]+)\s*=\s*require\(\s*['"]([^'"]+)['"]/g;

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
