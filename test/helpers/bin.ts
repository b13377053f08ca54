import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

/** The build that is tested: `npm test` has made it; POOLCTL_DIST names another one. */
export const dist = process.env.POOLCTL_DIST ?? join(root, 'dist');

export const bin = join(dist, 'bin/poolctl.js');

export interface Finished {
  readonly code: number | null;
  /** What killed it; null where it ended by itself. */
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  /** Resolves when stderr has shown this text. */
  seen(text: string): Promise<void>;
  /** Resolves when the process has ended and all of its output was read. */
  finished: Promise<Finished>;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Default: nothing, closed. */
  readonly stdin?: string | 'open';
  readonly stdout?: 'pipe' | number;
  readonly nodeArgs?: readonly string[];
}

/** Starts a script in a Node process of its own, with none of this process's colour and option variables. */
export function start(script: string, argv: readonly string[], options: RunOptions = {}): Running {
  if (!existsSync(script)) throw new Error(`${script} is missing: run 'npm run build' first`);
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), script, ...argv], {
    cwd: options.cwd ?? root,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, LANG: 'C.UTF-8', ...options.env },
    stdio: ['pipe', options.stdout ?? 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // The process may end before it has read its input.
  child.stdin?.on('error', () => {});
  if (options.stdin !== 'open') child.stdin?.end(options.stdin ?? '');
  const closed = once(child, 'close');
  return {
    child,
    async seen(text) {
      while (!stderr.includes(text)) {
        if (child.exitCode !== null) throw new Error(`ended without showing '${text}':\n${stderr}`);
        if (child.stderr !== null) await Promise.race([once(child.stderr, 'data'), closed]);
      }
    },
    finished: closed.then(() => ({ code: child.exitCode, signal: child.signalCode, stdout, stderr })),
  };
}

/** Runs the built poolctl to its end. */
export function poolctl(argv: readonly string[], options?: RunOptions): Promise<Finished> {
  return start(bin, argv, options).finished;
}
