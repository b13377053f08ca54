import { existsSync, readFileSync } from 'node:fs';
import Module from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { hook } from '../hooking.js';
import type { LeaseBook } from '../lease-book.js';
import { makingHere } from '../making.js';
import type { Watcher } from '../watcher.js';
import { type Connection, type Insides, postgresJs, watchSql } from './kind.js';
import { inserted, insertions, MARK, TAP } from './tap.js';

/**
 * Watches the pools of postgres.js, which are no objects but the variables of a function: its code is changed as it is loaded,
 * as CommonJS, as an ES module, or within a bundle. `script` is the program's.
 */
export function watchPostgresJs(watcher: Watcher, script: string | null): void {
  Object.defineProperty(globalThis, TAP, { value: tapOf(watcher), configurable: true });
  hook(
    Module.prototype as unknown as object,
    '_compile',
    (compile) =>
      function compileWatched(this: object, content, ...args) {
        return compile.call(this, withTap(content, watcher), ...args);
      },
  );
  if (script !== null && mayImport(script)) registerLoader(script);
}

function withTap(content: unknown, watcher: Watcher): unknown {
  if (typeof content !== 'string' || !content.includes(MARK) || !content.includes('connecting'))
    return content;
  try {
    const code = tapped(content);
    if (code === null && /\bcjs\/src\/index\.js|PostgresError/.test(content)) watcher.gap(OTHER_VERSION);
    return code ?? content;
  } catch {
    return content;
  }
}

const OTHER_VERSION = 'postgres is of a version that poolctl does not know: its pools are not watched';

/** The functions that the changed code calls. They never throw into it. */
function tapOf(watcher: Watcher): object {
  return {
    queues(queues: Insides['queues'], queries: Insides['queries']) {
      const connections = new Set<Connection>();
      const { closed } = queues;
      const { push } = closed;
      // Each connection puts itself there as it is made.
      closed.push = (connection) => {
        connections.add(connection);
        return push(connection);
      };
      insidesOf.set(queues, { queries, queues, connections, options: null, ended: false });
      return queues;
    },
    sql(sql: object, queues: Insides['queues']) {
      const insides = insidesOf.get(queues);
      if (insides === undefined) return sql;
      const making = makingHere();
      // The last of the properties that are assigned to it.
      Object.defineProperty(sql, 'end', {
        configurable: true,
        get: () => undefined,
        set(end: unknown) {
          Object.defineProperty(sql, 'end', {
            value: end,
            writable: true,
            enumerable: true,
            configurable: true,
          });
          begin(sql, insides, making, watcher);
        },
      });
      return sql;
    },
  };
}

const insidesOf = new WeakMap<object, Insides>();
const INSIDES = Symbol('poolctl.insides');

function begin(sql: object, insides: Insides, making: ReturnType<typeof makingHere>, watcher: Watcher): void {
  try {
    insides.options = (sql as { readonly options?: Insides['options'] }).options ?? null;
    // The pool is held by those who hold `sql`.
    Object.defineProperty(sql, INSIDES, { value: insides });
    let book: LeaseBook | null = null;
    // Each pool makes another one for its subscriptions, which most programs never use.
    whenConnecting(insides, () => {
      book = watcher.addInsides(insides, postgresJs, making);
    });
    watchSql(sql, () => book);
    hook(
      sql,
      'end',
      (end) =>
        function endWatched(this: object, ...args) {
          insides.ended = true;
          return end.apply(this, args);
        },
    );
  } catch {
    watcher.gap(OTHER_VERSION);
  }
}

/** Before its first connection connects. */
function whenConnecting({ queues: { connecting } }: Insides, first: () => void): void {
  const { push } = connecting;
  connecting.push = (connection) => {
    connecting.push = push;
    first();
    return connecting.push(connection);
  };
}

/** Whether the program may import postgres.js as an ES module: it is installed, or bundled into its script. */
function mayImport(script: string): boolean {
  for (let folder = dirname(script); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'node_modules', 'postgres', 'package.json'))) return true;
    if (folder === dirname(folder)) break;
  }
  try {
    return /\.mjs$/.test(script) && readFileSync(script, 'latin1').includes(MARK);
  } catch {
    return false;
  }
}

interface Loaded {
  readonly format?: string | null;
  readonly source?: unknown;
}
/** Newer than the types of Node 20. */
interface Loaders {
  registerHooks?(hooks: {
    load(url: string, context: unknown, next: (url: string, context: unknown) => Loaded): Loaded;
  }): unknown;
  register?(specifier: string | URL): void;
}

/** From Node 22.15 in this thread; before in a thread of Node's, to which the code is handed as text. */
function registerLoader(script: string): void {
  const { registerHooks, register } = Module as unknown as Loaders;
  const entry = pathToFileURL(script).href;
  if (registerHooks !== undefined) {
    registerHooks({
      load(url, context, next) {
        const loaded = next(url, context);
        if (loaded.format !== 'module' || !isPostgresJs(url, entry)) return loaded;
        const code = tapped(String(loaded.source));
        return code === null ? loaded : { ...loaded, source: code };
      },
    });
    return;
  }
  const code = `
    const insertions = ${insertions.toString()};
    const inserted = ${inserted.toString()};
    const tapped = ${tapped.toString()};
    const isPostgresJs = ${isPostgresJs.toString()};
    export async function load(url, context, next) {
      const loaded = await next(url, context);
      if (loaded.format !== 'module' || !isPostgresJs(url, ${JSON.stringify(entry)})) return loaded;
      const code = tapped(typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source));
      return code === null ? loaded : { ...loaded, source: code };
    }`;
  register?.(`data:text/javascript,${encodeURIComponent(code)}`);
}

function tapped(code: string): string | null {
  const all = insertions(code);
  return all === null ? null : inserted(code, all);
}

function isPostgresJs(url: string, entry: string): boolean {
  return url === entry || /\/postgres\/src\/index\.js$/.test(url);
}
