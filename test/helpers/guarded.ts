import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

/** Who servers run as, since PostgreSQL and PgBouncer refuse to be root. */
export interface ServerUser {
  readonly uid?: number;
  readonly gid?: number;
}

export interface GuardedOptions {
  readonly user: ServerUser;
  /** All that the server has written: removed if this process is killed; else that is the caller's to do. */
  readonly folder: string;
  /** What ends the server at once. */
  readonly stopSignal: 'INT' | 'TERM' | 'QUIT';
  /** A line of its stderr that says that it takes connections. */
  readonly ready: RegExp;
}

export interface Guarded {
  /** Ends the server, and resolves when it is gone; it may be gone already. */
  stop(): Promise<void>;
  /** Resolves when the server has ended, whoever ended it. */
  readonly ended: Promise<unknown>;
  /** The last lines that it wrote. */
  log(): string;
}

/**
 * Tells the server to end as soon as this script's stdin does: whatever becomes of the process at its other end. If
 * that ends without a word, nobody else will remove the folder of the server.
 */
const GUARDIAN = `
  signal=$1 folder=$2; shift 2
  exec 3<&0
  "$@" &
  server=$!
  (
    read -r word <&3
    kill -s "$signal" $server
    [ "$word" = keep ] && exit
    while kill -0 $server; do sleep 0.1; done
    rm -rf "$folder"
  ) >/dev/null 2>&1 &
  exec 3<&-
  wait $server
`;
const LOG_LINES = 50;

/** Starts a server that cannot outlive this process, and waits until it is ready. */
export async function startGuarded(argv: readonly string[], options: GuardedOptions): Promise<Guarded> {
  const child = spawn('sh', ['-c', GUARDIAN, 'sh', options.stopSignal, options.folder, ...argv], {
    ...options.user,
    cwd: '/',
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  // The guardian may have gone with the server by the time it is told.
  child.stdin?.on('error', () => {});
  const ended = once(child, 'exit');
  const { log, ready } = watchLog(child, options.ready);
  const failed = ended.then(() => Promise.reject(new Error(`${argv[0]} did not start:\n${log()}`)));
  failed.catch(() => {});
  await Promise.race([ready, failed]);
  return {
    ended,
    log,
    async stop() {
      child.stdin?.end('keep\n');
      await ended;
    },
  };
}

function watchLog(child: ChildProcess, pattern: RegExp): { log(): string; ready: Promise<void> } {
  const lines: string[] = [];
  const ready = new Promise<void>((resolve) => {
    if (child.stderr === null) return;
    createInterface(child.stderr).on('line', (line) => {
      lines.push(line);
      if (lines.length > LOG_LINES) lines.shift();
      if (pattern.test(line)) resolve();
    });
  });
  return { log: () => lines.join('\n'), ready };
}

/** This user, or, if that is root, nobody. */
export function serverUser(): ServerUser {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = ['-u', '-g'].map((flag) =>
    Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' })),
  );
  return { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) };
}

/** A port of the loopback that nobody uses at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
