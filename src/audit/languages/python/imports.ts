import type { PythonModules } from './modules.js';
import type { PyNode } from './syntax.js';

/** One name that an import statement binds. */
export interface Binding {
  readonly name: string;
  /** The path of a file of the project, or the package with slashes: `sqlalchemy/orm`. */
  readonly module: string;
  readonly isFile: boolean;
  /** The name of what is imported; null for the module itself. */
  readonly member: string | null;
}

/** The names that the imports of a file bind. */
export interface Imports {
  readonly bindings: readonly Binding[];
  /** `import a.b`: the name that stands for the dotted one. */
  readonly dotted: ReadonlyMap<string, string>;
  /** The bindings of a statement inside a function whose names mean something else at the top. */
  readonly local: ReadonlyMap<PyNode, readonly { readonly name: string; readonly alias: string }[]>;
}

/** Collects the imports of a file. A name that is imported twice means what is of the project, else the first. */
export function importsOf(root: PyNode, source: string, path: string, modules: PythonModules): Imports {
  const bindings = new Map<string, Binding>();
  const dotted = new Map<string, string>();
  const local = new Map<PyNode, { name: string; alias: string }[]>();
  const statements: { readonly node: PyNode; readonly isLocal: boolean }[] = [];
  collect(root, false, statements);
  statements.sort((a, b) => Number(a.isLocal) - Number(b.isLocal));
  for (const { node, isLocal } of statements) {
    for (const { binding, chain } of bindingsOf(node, source, path, modules)) {
      if (chain !== null) dotted.set(chain, binding.name);
      const before = bindings.get(binding.name);
      if (before === undefined || (!isLocal && !before.isFile && binding.isFile))
        bindings.set(binding.name, binding);
      else if (isLocal && (before.module !== binding.module || before.member !== binding.member)) {
        const alias = `${binding.name}$${bindings.size}`;
        bindings.set(alias, { ...binding, name: alias });
        local.set(node, [...(local.get(node) ?? []), { name: binding.name, alias }]);
      }
    }
  }
  if (BUILT_IN_OPEN.test(source) && !bindings.has('open') && !OWN_OPEN.test(source))
    bindings.set('open', { name: 'open', module: 'builtins', isFile: false, member: 'open' });
  return { bindings: [...bindings.values()], dotted, local };
}

const BUILT_IN_OPEN = /(?<![\w.])open\(/;
/** A function or variable of the file that takes the place of the built-in one. */
const OWN_OPEN = /^(?:async[ \t]+)?def[ \t]+open\b|^open[ \t]*=/m;

function collect(node: PyNode, isLocal: boolean, into: { node: PyNode; isLocal: boolean }[]): void {
  for (const kid of node.kids) {
    if (kid.type === 'ImportStatement') into.push({ node: kid, isLocal });
    else if (kid.kids.length > 0) collect(kid, isLocal || kid.type === 'FunctionDefinition', into);
  }
}

interface Found {
  readonly binding: Binding;
  /** `a.b` of `import a.b`, where the binding is a name that stands for it. */
  readonly chain: string | null;
}

function bindingsOf(node: PyNode, source: string, path: string, modules: PythonModules): Found[] {
  const text = source
    .slice(node.from, node.to)
    .replace(/#[^\n]*/g, '')
    .replace(/[\\\s]+/g, ' ');
  const from = /^from ([.\s]*[\w.]*) ?import (.*)$/.exec(text);
  if (from !== null) {
    const module = (from[1] ?? '').replace(/\s/g, '');
    return partsOf(from[2] ?? '').flatMap(({ name, alias }) =>
      fromModule(module, name, alias, path, modules),
    );
  }
  const plain = /^import (.*)$/.exec(text);
  return partsOf(plain?.[1] ?? '').flatMap(({ name, alias }): Found[] => {
    const file = modules.resolve(path, name);
    const target = { module: file ?? name.replaceAll('.', '/'), isFile: file !== null, member: null };
    if (alias !== null) return [{ binding: { name: alias, ...target }, chain: null }];
    if (!name.includes('.')) return [{ binding: { name, ...target }, chain: null }];
    const [top = ''] = name.split('.');
    const root = modules.resolve(path, top);
    return [
      { binding: { name: name.replaceAll('.', '$'), ...target }, chain: name },
      { binding: { name: top, module: root ?? top, isFile: root !== null, member: null }, chain: null },
    ];
  });
}

function fromModule(
  module: string,
  name: string,
  alias: string | null,
  path: string,
  modules: PythonModules,
): Found[] {
  const file = modules.resolve(path, module);
  const base = { module: file ?? module.replaceAll('.', '/'), isFile: file !== null };
  if (name === '*') {
    if (file === null) return [];
    return [...modules.namesIn(file)]
      .filter((one) => !one.startsWith('_'))
      .map((one) => ({ binding: { name: one, ...base, member: one }, chain: null }));
  }
  const bound = alias ?? name;
  if (file === null || !modules.namesIn(file).has(name)) {
    // A module of the package, and not something in it.
    const inner = modules.resolve(path, module.endsWith('.') ? module + name : `${module}.${name}`);
    if (inner !== null)
      return [{ binding: { name: bound, module: inner, isFile: true, member: null }, chain: null }];
  }
  return [{ binding: { name: bound, ...base, member: name }, chain: null }];
}

function partsOf(list: string): { readonly name: string; readonly alias: string | null }[] {
  return list
    .replace(/[();]/g, ' ')
    .split(',')
    .flatMap((part) => {
      const [, name, alias] = /^\s*([\w.]+|\*)(?: as (\w+))?\s*$/.exec(part) ?? [];
      return name === undefined ? [] : [{ name, alias: alias ?? null }];
    });
}
