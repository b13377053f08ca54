import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { dist, root } from '../helpers/bin.js';
import { eventually } from '../helpers/eventually.js';

/** A process of test/sources/app.mjs. */
export interface App {
  readonly child: ChildProcess;
  /** To be opened as a source. */
  readonly address: string;
  readonly path: string;
  readonly pid: number;
  /** Takes a lease with a transaction that is never ended; resolves when the transaction has begun. */
  begin(sql: string): Promise<Lease>;
  end(): Promise<void>;
}

export interface Lease {
  readonly backendPid: number;
  /** Resolves when the statement is done, and the transaction stands idle. */
  done(): Promise<void>;
}

interface Told {
  readonly address?: string;
  readonly pid?: number;
  readonly began?: number;
  readonly done?: number;
  readonly failed?: string;
}

export async function startApp(options: {
  readonly name: string;
  readonly url: string;
  /** Where it publishes its pools. */
  readonly folder: string;
  readonly max?: number;
}): Promise<App> {
  const watchModule = pathToFileURL(join(dist, 'src/watch/index.js')).href;
  const { name, url, folder, max = 5 } = options;
  const child = spawn(
    process.execPath,
    [join(root, 'test/sources/app.mjs'), watchModule, name, url, String(max)],
    {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, XDG_RUNTIME_DIR: folder },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  const lines: Told[] = [];
  if (child.stdout !== null) {
    createInterface(child.stdout).on('line', (line) => void lines.push(JSON.parse(line) as Told));
  }
  const exited = once(child, 'exit');
  child.stdin?.on('error', () => {});
  /** The first line, from the `from`th on, in which this is told. */
  const told = async (is: (one: Told) => boolean, from = 0): Promise<Told> => {
    const find = (): Told | undefined => lines.slice(from).find((one) => is(one) || one.failed !== undefined);
    await eventually(() => find() !== undefined || child.exitCode !== null || child.signalCode !== null);
    const found = find();
    if (found === undefined || found.failed !== undefined) throw new Error(found?.failed ?? 'it has ended');
    return found;
  };
  const { address: path = '', pid = 0 } = await told((one) => one.address !== undefined);
  return {
    ...{ child, path, pid },
    address: `pool:${path}`,
    async begin(sql) {
      const from = lines.length;
      child.stdin?.write(`${sql}\n`);
      const { began: backendPid = 0 } = await told((one) => one.began !== undefined, from);
      return { backendPid, done: async () => void (await told((one) => one.done === backendPid, from)) };
    },
    async end() {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
