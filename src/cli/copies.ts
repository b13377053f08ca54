import type { ChildProcess } from 'node:child_process';

/** Marks a process that poolctl has started as a copy of itself, so that a channel of anybody else's is left alone. */
const MARK = 'POOLCTL_COPY';

/** The channel of a copy to the poolctl that started it. Messages are plain data. */
export interface ParentLink {
  send(message: object): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Calls back if the parent ends first. */
  onGone(listener: () => void): void;
  /** Closes the channel, which otherwise keeps the process alive. */
  close(): void;
}

/** A copy of poolctl in a process of its own. */
export interface Copy {
  /** Does nothing once it has ended. */
  send(message: object): void;
  kill(): void;
  /** Never rejects: a copy that could not be started has ended with neither code nor signal. */
  readonly ended: Promise<CopyEnd>;
}

export interface CopyEnd {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The parts of `process` that a copy takes. */
export interface CopyHost {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly connected?: boolean;
  send?(message: object): unknown;
  on(event: 'message' | 'disconnect', listener: (message?: unknown) => void): unknown;
  off(event: 'message' | 'disconnect', listener: (message?: unknown) => void): unknown;
  disconnect?(): void;
}

/**
 * Starts poolctl once more with other arguments. It is in a group of its own, so that Ctrl-C in a terminal reaches the
 * parent only, which decides what the copies do.
 */
export async function startCopy(
  argv: readonly string[],
  onMessage: (message: unknown) => void,
  host: CopyHost,
): Promise<Copy> {
  // Loaded here, since few commands need it.
  const { fork } = await import('node:child_process');
  const child: ChildProcess = fork(host.argv[1] ?? '', argv, {
    detached: true,
    env: { ...host.env, [MARK]: '1' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const [stdout, stderr] = [textOf(child.stdout), textOf(child.stderr)];
  child.on('message', onMessage);
  return {
    send(message) {
      // The channel may break at any moment; the end of the copy is reported by `ended`.
      if (child.connected) child.send(message, () => {});
    },
    kill: () => void child.kill('SIGKILL'),
    ended: new Promise((resolve) => {
      const end = (code: number | null, signal: string | null) =>
        resolve({ code, signal, stdout: stdout(), stderr: stderr() });
      child.once('error', () => end(null, null));
      child.once('close', end);
    }),
  };
}

/** The channel to the parent; null unless this process is a copy. */
export function parentLink(host: CopyHost): ParentLink | null {
  if (host.send === undefined || host.env[MARK] !== '1') return null;
  const goneListeners: (() => void)[] = [];
  const onDisconnect = () => {
    for (const listener of goneListeners) listener();
  };
  host.on('disconnect', onDisconnect);
  return {
    send(message) {
      if (host.connected === true) host.send?.(message);
    },
    onMessage: (listener) => void host.on('message', listener),
    onGone: (listener) => void goneListeners.push(listener),
    close() {
      host.off('disconnect', onDisconnect);
      if (host.connected === true) host.disconnect?.();
    },
  };
}

function textOf(stream: ChildProcess['stdout']): () => string {
  let text = '';
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}
