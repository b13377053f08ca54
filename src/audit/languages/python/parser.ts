import { createRequire } from 'node:module';

type Package = typeof import('@lezer/python');

let loaded: Package | null = null;

/**
 * The parser of Python, loaded when the first Python file is read: a project without Python does not pay for it. The build
 * puts the package into one file beside this one.
 */
export function pythonParser(): Package['parser'] {
  const isBuilt = import.meta.url.endsWith('.js');
  loaded ??= createRequire(import.meta.url)(isBuilt ? './lezer.cjs' : '@lezer/python') as Package;
  return loaded.parser;
}
