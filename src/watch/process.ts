import { readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { builtinModules, createRequire } from 'node:module';
import { hostname, tmpdir, userInfo } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { threadId } from 'node:worker_threads';
import type { App } from '../snapshot/reading.js';
import type { SocketOwner } from './directory.js';
import { changed } from './undo.js';

/**
 * The process that is watched from within: a program of the user's, which hands nothing in. The one file of this room
 * that reads `process`, as src/cli/io.ts does for poolctl itself.
 */
export interface WatchedProcess {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  /** 0 in the main thread. */
  readonly thread: number;
  readonly owner: SocketOwner;
  readonly script: string | null;
  /** `process 4711`, or `thread 3 of process 4711`. */
  readonly label: string;
  app(name: string | null): App;
  /** The CPU time that it has used, in milliseconds. */
  cpuMs(): number;
  /** Files that are open, and how many may be; null where the system does not tell. */
  files(): { readonly openFiles: number | null; readonly fileLimit: number | null };
  /** The objects that keep it alive: sockets, servers, child processes. Its own listeners come last. */
  roots(): readonly object[];
  /** The process, the global object, the modules of Node that are loaded, and what these export. */
  builtIn(): ReadonlySet<object>;
  /** To be called when it exits; then only what is synchronous is done. */
  onExit(callback: () => void): void;
  /** Writes to stderr at once, whatever it is, and never throws. */
  tell(text: string): void;
  /** Writes a file of its own into a folder, synchronously, and never throws. */
  leave(folder: string, text: string): void;
}

export function thisProcess(): WatchedProcess {
  const { env, pid, platform } = process;
  const script = process.argv[1] === undefined ? null : resolve(process.argv[1]);
  return {
    env,
    pid,
    thread: threadId,
    owner: {
      platform,
      env,
      uid: process.getuid?.() ?? null,
      userName: userName(),
      tempFolder: tmpdir(),
    },
    script,
    label: `${threadId === 0 ? '' : `thread ${threadId} of `}process ${pid}`,
    app: (name) => ({
      name: `${name ?? nameOf(script)}${threadId === 0 ? '' : ` (thread ${threadId})`}`,
      pid,
      host: hostname(),
      node: process.version,
      startedAtMs: Math.round(Date.now() - process.uptime() * 1000),
    }),
    cpuMs() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    files: () => ({ openFiles: openFiles(), fileLimit: fileLimit() }),
    roots() {
      const { _getActiveHandles: handles, _events: listeners } = process as unknown as Insides;
      return [...(handles?.call(process) ?? []), ...(listeners === undefined ? [] : [listeners])];
    },
    builtIn,
    onExit(callback) {
      process.on('exit', callback);
      changed(process, () => void process.off('exit', callback));
    },
    tell(text) {
      try {
        writeSync(2, text);
      } catch {
        // Nobody is there to read it, or the pipe is full.
      }
    },
    leave(folder, text) {
      try {
        writeFileSync(join(folder, `${pid}-${threadId}`), text, { flag: 'wx', mode: 0o600 });
      } catch {
        // The folder is gone: nobody waits for it any more.
      }
    },
  };
}

/** Not in the types, since it is meant for diagnosis only. */
interface Insides {
  readonly _getActiveHandles?: () => readonly object[];
  readonly _events?: object;
  readonly moduleLoadList?: readonly string[];
}

function builtIn(): Set<object> {
  const found = new Set<object>([process, globalThis]);
  const add = (value: unknown): void => {
    if ((typeof value === 'object' || typeof value === 'function') && value !== null) found.add(value);
  };
  const addAll = (owner: object): void => {
    for (const key of Reflect.ownKeys(owner)) {
      // Listeners are the program's.
      if (key !== '_events') add(Object.getOwnPropertyDescriptor(owner, key)?.value);
    }
  };
  addAll(process);
  for (const key of Object.getOwnPropertyNames(globalThis)) {
    const { value, enumerable } = Object.getOwnPropertyDescriptor(globalThis, key) ?? {};
    // The program's own globals can be enumerated.
    if (enumerable === false) add(value);
  }
  const require = createRequire(import.meta.url);
  for (const name of (process as unknown as Insides).moduleLoadList ?? []) {
    const [, id] = /^NativeModule ((?!internal\/)[\w/]+)$/.exec(name) ?? [];
    if (id === undefined || !builtinModules.includes(id)) continue;
    const exports: unknown = require(id);
    add(exports);
    if (typeof exports === 'object' || typeof exports === 'function') addAll(exports as object);
  }
  return found;
}

/** The name of the nearest package around the script, else the script itself. */
function nameOf(script: string | null): string {
  if (script === null) return 'node';
  for (let folder = dirname(script); ; folder = dirname(folder)) {
    const name = packageName(join(folder, 'package.json'));
    if (name !== null) return name;
    if (folder === dirname(folder)) return basename(script);
  }
}

function packageName(path: string): string | null {
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
    const isNamed = typeof content === 'object' && content !== null && 'name' in content;
    return isNamed && typeof content.name === 'string' ? content.name : null;
  } catch {
    return null;
  }
}

function openFiles(): number | null {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return null;
  }
}

function fileLimit(): number | null {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null;
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id without a name, as containers have.
    return 'user';
  }
}
