import { hoistedNames } from './functions.js';
import { importsOf } from './imports.js';
import type { PythonModules } from './modules.js';
import { namesBound } from './scopes.js';
import { statements } from './statements.js';
import { parsePython } from './syntax.js';
import { nameFor, stepOf, Translation } from './translation.js';

export interface Translated {
  /** The same flow, in the language that the engine reads. */
  readonly text: string;
  /** The position in the Python file that a position of the text comes from. */
  toSource(position: number): number;
  /** Parts of the Python file that the grammar does not understand. */
  readonly errors: readonly { readonly from: number; readonly to: number }[];
}

/**
 * Writes a Python file as a module with the same flow: the same calls in the same order, and the same ways out of each
 * function. It is never run. Syntax without a counterpart is written as what it does: `with` as a declaration that is disposed of,
 * `else` of a loop as a label, a keyword argument as an object with one marked property.
 */
export function translate(source: string, path: string, modules: PythonModules): Translated {
  const { root, targets, errors } = parsePython(source);
  const imports = importsOf(root, source, path, modules);
  const to = new Translation(source, path, imports, modules, targets);
  const { names, declaredBy } = namesBound(root.kids, source);
  const imported = new Set(imports.bindings.map(({ name }) => name));
  for (const { name, module, member } of imports.bindings) {
    const written = nameFor(name);
    const what = member === null ? `* as ${written}` : `{ ${member} as ${written} }`;
    to.put(`import ${what} from ${JSON.stringify(module)};\n`);
  }
  const own = new Map([...declaredBy].filter(([, name]) => !imported.has(name)));
  const hoisted = hoistedNames(names, own).filter((name) => !imported.has(name));
  if (hoisted.length > 0) to.put(`export let ${hoisted.map(nameFor).join(', ')};\n`);
  to.within({ declaredBy: own }, () => statements(to, root.kids));
  for (const { name, module, member, isFile } of imports.bindings) {
    if (!isFile || member === null || !to.stepped.has(name)) continue;
    to.put(
      `import { ${stepOf(nameFor(member))} as ${stepOf(nameFor(name))} } from ${JSON.stringify(module)};\n`,
    );
  }
  const exported = [...imports.bindings.map(({ name }) => nameFor(name)), ...to.exported];
  to.put(`export { ${[...new Set(exported)].join(', ')} };\n`);
  return { ...to.out.finish(), errors };
}
