import * as nodeModule from 'node:module';
import { pathToFileURL } from 'node:url';

/** Not in the types of Node 20, which has `register` only. */
interface SyncHooks {
  registerHooks?(hooks: { readonly resolve: unknown; readonly load: unknown }): { deregister(): void };
}

type Exports = Readonly<Record<string, unknown>>;

/** Runs a config file that is a program, in JavaScript or TypeScript, and gives what it exports. */
export async function loadConfigModule(path: string, source: string): Promise<Exports> {
  try {
    return await exportsOf(path);
  } catch (error) {
    if (!(error instanceof SyntaxError) || error.message.includes(`${path}:`)) throw error;
    const { syntaxErrorIn } = await import('./type-stripping.js');
    throw syntaxErrorIn(source, path) ?? error;
  }
}

async function exportsOf(path: string): Promise<Exports> {
  const { href } = pathToFileURL(path);
  const { registerHooks } = nodeModule as SyncHooks;
  if (registerHooks === undefined) {
    nodeModule.register(new URL('./config-hooks.js', import.meta.url));
    return import(href);
  }
  const { resolveSync, loadSync } = await import('./config-hooks.js');
  const hooks = registerHooks({ resolve: resolveSync, load: loadSync });
  try {
    return await import(href);
  } finally {
    hooks.deregister();
  }
}
