import { type IPty, spawn } from '@lydell/node-pty';
import { bin } from './bin.js';
import { screenOf } from './screen.js';

/** poolctl in a pseudo-terminal of its own, as a user has it. */
export interface TerminalRun {
  /** Everything it has written, escape sequences and all. */
  output(): string;
  /** What the screen shows, as lines without colour. */
  screen(): string[];
  /** Resolves when the screen shows this. */
  shows(pattern: RegExp): Promise<void>;
  type(text: string): void;
  resize(columns: number, rows: number): void;
  signal(name: 'SIGTERM' | 'SIGINT' | 'SIGHUP'): void;
  readonly pid: number;
  /** Its exit code. */
  readonly ended: Promise<number>;
}

export interface TerminalOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
}

/** A screen must have come to what a test waits for within this time. */
const PATIENCE_MS = 20_000;

export function startInTerminal(argv: readonly string[], options: TerminalOptions = {}): TerminalRun {
  const { columns = 80, rows = 24, env = {}, nodeArgs = [] } = options;
  const pty: IPty = spawn(process.execPath, [...nodeArgs, bin, ...argv], {
    // It has the last word on TERM.
    name: env.TERM ?? 'xterm-256color',
    cols: columns,
    rows,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, LANG: 'C.UTF-8', ...env },
  });
  let output = '';
  let exitCode: number | null = null;
  const watchers = new Set<() => void>();
  pty.onData((text) => {
    output += text;
    for (const watcher of watchers) watcher();
  });
  const ended = new Promise<number>((resolve) => {
    pty.onExit((exit) => {
      exitCode = exit.exitCode;
      for (const watcher of watchers) watcher();
      resolve(exit.exitCode);
    });
  });
  const screen = (): string[] => screenOf(output);
  return {
    output: () => output,
    screen,
    pid: pty.pid,
    shows: (pattern) =>
      new Promise((resolve, reject) => {
        const end = (settle: () => void): void => {
          clearTimeout(limit);
          watchers.delete(look);
          settle();
        };
        const look = (): void => {
          if (screen().some((line) => pattern.test(line))) end(resolve);
          else if (exitCode !== null)
            end(() =>
              reject(
                new Error(`ended with ${exitCode} before it showed ${pattern}:\n${output.slice(-2000)}`),
              ),
            );
        };
        const limit = setTimeout(
          () => end(() => reject(new Error(`did not show ${pattern} but:\n${screen().join('\n')}`))),
          PATIENCE_MS,
        );
        watchers.add(look);
        look();
      }),
    type: (text) => pty.write(text),
    resize: (width, height) => pty.resize(width, height),
    signal: (name) => pty.kill(name),
    ended,
  };
}
