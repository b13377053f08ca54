import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { stripTypes } from './type-stripping.js';

// Hooks for Node's loader while a config file is loaded. Node 22.15 and later call the synchronous ones in the same
// thread, older ones the asynchronous ones in a thread of their own.

interface Context {
  readonly parentURL?: string | undefined;
}

interface Source {
  readonly format: 'module';
  readonly source: string;
  readonly shortCircuit: true;
}

type Next<C, R> = (name: string, context?: C) => R;

/** Finds `poolctl` also where it is not installed, and `./shared.ts` where the import says `./shared.js`. */
export function resolveSync<R>(specifier: string, context: Context, next: Next<Context, R>): R {
  let failure: unknown;
  for (const [name, parentURL] of candidates(specifier, context)) {
    try {
      return next(name, { ...context, parentURL });
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

export async function resolve<R>(
  specifier: string,
  context: Context,
  next: Next<Context, Promise<R>>,
): Promise<R> {
  let failure: unknown;
  for (const [name, parentURL] of candidates(specifier, context)) {
    try {
      return await next(name, { ...context, parentURL });
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

export function loadSync<R>(url: string, context: object, next: Next<object, R>): R | Source {
  if (!/^file:.*\.m?ts$/.test(url)) return next(url, context);
  const path = fileURLToPath(url);
  return { format: 'module', source: stripTypes(readFileSync(path, 'utf8'), path), shortCircuit: true };
}

export async function load<R>(
  url: string,
  context: object,
  next: Next<object, Promise<R>>,
): Promise<R | Source> {
  return loadSync(url, context, next);
}

/** The files that an import can mean, the most likely first. */
function candidates(specifier: string, { parentURL }: Context): (readonly [string, string | undefined])[] {
  const asWritten = [specifier, parentURL] as const;
  if (/^poolctl(?:\/|$)/.test(specifier)) return [asWritten, [specifier, import.meta.url]];
  if (!/^\.\.?\//.test(specifier)) return [asWritten];
  const typed = /\.m?js$/.test(specifier)
    ? [specifier.replace(/js$/, 'ts')]
    : ['.ts', '.mts', '.js', '.mjs'].map((ending) => specifier + ending);
  return [asWritten, ...typed.map((name) => [name, parentURL] as const)];
}
