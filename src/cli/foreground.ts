import { constants } from 'node:os';

/** Another program, run in poolctl's place: it has this process's input and output, and gets its signals. */
export interface ForegroundProgram {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** How it ended: one of the two is set. */
export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** The parts of `process` that it takes. */
export interface ForegroundHost {
  readonly pid: number;
  readonly platform: string;
  readonly stdin: { readonly isTTY?: boolean };
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  off(signal: NodeJS.Signals, listener: () => void): unknown;
  removeAllListeners(signal: string): unknown;
  kill(pid: number, signal: string): unknown;
}

/** A terminal sends these to all that runs in it: the program has them already. */
const OF_TERMINALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];
const FORWARDED: readonly NodeJS.Signals[] = [
  ...['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGALRM', 'SIGCONT'],
] as NodeJS.Signals[];

/**
 * Runs a program to its end. Every signal that reaches this process is handed on, however many there are, and none of
 * them ends this process before the program has ended. Rejects where it cannot be started, with the system's error.
 */
export async function runForeground(program: ForegroundProgram, host: ForegroundHost): Promise<ProgramEnd> {
  const { command, args, cwd, env } = program;
  // Loaded here, since it is a quarter of what every other command would pay to start.
  const { spawn } = await import('node:child_process');
  // On Windows npm and its like are scripts, which only a shell runs.
  const child = spawn(command, args, { cwd, env, stdio: 'inherit', shell: host.platform === 'win32' });
  const listeners = signalsOf(host).map((signal) => {
    const listener = () => {
      if (!(host.stdin.isTTY === true && OF_TERMINALS.includes(signal))) child.kill(signal);
    };
    host.on(signal, listener);
    return () => host.off(signal, listener);
  });
  return new Promise<ProgramEnd>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  }).finally(() => {
    for (const stop of listeners) stop();
  });
}

function signalsOf({ platform }: ForegroundHost): readonly NodeJS.Signals[] {
  return platform === 'win32' ? ['SIGINT', 'SIGTERM', 'SIGHUP'] : FORWARDED;
}

/** These would leave another core dump behind. */
const WITH_CORE_DUMP = ['SIGQUIT', 'SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV', 'SIGSYS'];

/** Ends this process by the same signal as the program, so that a waiting process sees no difference. */
export function endBySignal(signal: string, host: ForegroundHost): void {
  if (host.platform === 'win32' || WITH_CORE_DUMP.includes(signal)) return;
  host.removeAllListeners(signal);
  host.kill(host.pid, signal);
}

/** The exit code that a shell gives a program that a signal has ended. */
export function codeOfSignal(signal: string): number {
  return 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
}
