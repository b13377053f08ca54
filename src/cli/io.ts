import { availableParallelism, cpus, tmpdir, totalmem, userInfo } from 'node:os';
import type { EventLoopUtilization } from 'node:perf_hooks';
import type { Clock } from '../base/clock.js';
import { systemClock } from '../base/clock.js';
import { type Copy, type ParentLink, parentLink, startCopy } from './copies.js';
import { UnavailableError } from './errors.js';
import { endBySignal, type ForegroundProgram, type ProgramEnd, runForeground } from './foreground.js';
import type { Interrupts } from './interrupts.js';
import { colorWanted, unicodeWanted } from './terminal.js';

/**
 * All that a command may know of the process it runs in. The only file under src that reads `process`: whole
 * commands can be run in a test with an Io made up of strings.
 */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  /** All of standard input as text, for `--password-stdin` and `-` in place of a file. */
  readStdin(): Promise<string>;
  readonly keyboard: Keyboard;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly pid: number;
  readonly host: Host;
  readonly user: User;
  readonly interrupts: Interrupts;
  readonly clock: Clock;
  /** CPU time of this whole process so far, its worker threads included. Only differences mean anything. */
  cpuTime(): CpuTime;
  /** CPU time of all processes of the machine so far; null where the system does not tell. */
  hostCpuTime(): HostCpuTime | null;
  /** How busy the main thread's event loop was since `since` (default: since the start): see node:perf_hooks. */
  eventLoopUtilization(since?: EventLoopUtilization): EventLoopUtilization;
  /** Resident memory of this process, in bytes. */
  memoryBytes(): number;
  /** Runs another program in poolctl's place: see runForeground. */
  foreground(program: ForegroundProgram): Promise<ProgramEnd>;
  /** Starts poolctl once more, in a process of its own; see startCopy. */
  startCopy(argv: readonly string[], onMessage: (message: unknown) => void): Promise<Copy>;
  /** The poolctl that started this process as a copy of itself; null otherwise. */
  readonly parent: ParentLink | null;
  /** Ends this process by a signal, as the program in its place was ended. */
  endBy(signal: string): void;
}

export interface Output {
  /** Columns to draw within; 80 where it is not a terminal. Read it each time: windows are resized. */
  readonly columns: number;
  readonly rows: number;
  readonly isTty: boolean;
  /** Whether color is welcome: NO_COLOR, FORCE_COLOR, TERM and isTty considered. */
  readonly color: boolean;
  /** Whether its locale shows more than ASCII. */
  readonly unicode: boolean;
  /** Takes the text at once; resolves when the system has it. Rejects when it cannot be written, as on a full disk;
   * a reader that has gone away (EPIPE) is no error: the text is dropped and `closed` becomes true. */
  write(text: string): Promise<void>;
  /** Writes, and does not care whether anybody can read it: for progress and remarks. */
  tell(text: string): void;
  /** Whether the reader has gone away. */
  readonly closed: boolean;
  /** Calls back when the window has got another size, until what it gives is called. */
  onResize(listener: () => void): () => void;
}

/** The terminal that keys come from, for screens. */
export interface Keyboard {
  readonly isTty: boolean;
  /**
   * Hands over what is typed, as it comes and without showing it (raw mode), until what it gives is called: then the
   * terminal is as it was. Keys such as Ctrl-C come as text, and send no signal.
   */
  listen(onText: (text: string) => void): () => void;
}

/** The machine, for reports that are compared later. */
export interface Host {
  readonly platform: string;
  readonly arch: string;
  readonly nodeVersion: string;
  /** CPUs this process may use. */
  readonly cpuCount: number;
  readonly cpuModel: string | null;
  readonly memoryBytes: number;
}

/** The user of this process. */
export interface User {
  /** null on Windows. */
  readonly uid: number | null;
  /** '' where the system has no name for it. */
  readonly name: string;
  readonly tempFolder: string;
}

export interface CpuTime {
  readonly userMs: number;
  readonly systemMs: number;
}

export interface HostCpuTime {
  readonly busyMs: number;
  readonly totalMs: number;
}

/** The Io of the real process. Registers nothing: signals are handled by the owner of `interrupts`. */
export function processIo(interrupts: Interrupts): Io {
  return {
    stdout: outputOf(process.stdout),
    stderr: outputOf(process.stderr),
    readStdin,
    keyboard: { isTty: process.stdin.isTTY === true, listen: listenToKeys },
    env: process.env,
    // Asked for late: it throws where the directory was removed, and --help needs none.
    get cwd() {
      try {
        return process.cwd();
      } catch {
        throw new UnavailableError('the current directory no longer exists', {
          code: 'ERR_CWD',
          hint: 'change to another directory',
        });
      }
    },
    pid: process.pid,
    host: {
      platform: process.platform,
      arch: process.arch,
      nodeVersion: process.version,
      cpuCount: availableParallelism(),
      cpuModel: cpus()[0]?.model.trim() || null,
      memoryBytes: totalmem(),
    },
    get user() {
      return { uid: process.getuid?.() ?? null, name: userName(), tempFolder: tmpdir() };
    },
    interrupts,
    clock: systemClock,
    cpuTime() {
      const { user, system } = process.cpuUsage();
      return { userMs: user / 1000, systemMs: system / 1000 };
    },
    hostCpuTime,
    eventLoopUtilization: (since) => performance.eventLoopUtilization(since),
    memoryBytes: () => process.memoryUsage.rss(),
    startCopy: (argv, onMessage) => startCopy(argv, onMessage, process),
    parent: parentLink(process),
    foreground: (program) => runForeground(program, process),
    endBy: (signal) => endBySignal(signal, process),
  };
}

function outputOf(stream: NodeJS.WriteStream): Output {
  let closed = false;
  // Without a listener an EPIPE would be an uncaught exception. Each write reports its own error.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (isReaderGone(error)) closed = true;
  });
  const write = (text: string): Promise<void> => {
    if (closed || text === '') return Promise.resolve();
    return new Promise((resolve, reject) => {
      stream.write(text, (error?: NodeJS.ErrnoException | null) => {
        if (error && !isReaderGone(error)) return reject(error);
        if (error) closed = true;
        resolve();
      });
    });
  };
  return {
    get columns() {
      return stream.columns || 80;
    },
    get rows() {
      return stream.rows || 24;
    },
    isTty: stream.isTTY === true,
    color: colorWanted(process.env, stream.isTTY === true),
    unicode: unicodeWanted(process.env, process.platform),
    write,
    tell: (text) => void write(text).catch(() => {}),
    get closed() {
      return closed;
    },
    onResize(listener) {
      stream.on('resize', listener);
      return () => stream.off('resize', listener);
    },
  };
}

function listenToKeys(onText: (text: string) => void): () => void {
  const { stdin } = process;
  const onData = (chunk: string | Buffer) => onText(String(chunk));
  // A terminal whose window was closed gives an error; a signal reports that it is gone.
  const onError = () => {};
  stdin.setRawMode?.(true);
  stdin.setEncoding('utf8').on('data', onData).on('error', onError).resume();
  return () => {
    stdin.off('data', onData).off('error', onError).pause();
    stdin.setRawMode?.(false);
    // Else a terminal keeps the process from ending.
    stdin.unref?.();
  };
}

/** EIO is what writing to a terminal gives whose window was closed. */
function isReaderGone({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EPIPE' || code === 'EIO' || code === 'ERR_STREAM_DESTROYED';
}

/** A container may run as a user that it has no entry for. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

function hostCpuTime(): HostCpuTime | null {
  const times = cpus().map((cpu) => cpu.times);
  if (times.length === 0) return null;
  let idleMs = 0;
  let totalMs = 0;
  for (const { user, nice, sys, idle, irq } of times) {
    idleMs += idle;
    totalMs += user + nice + sys + idle + irq;
  }
  return { busyMs: totalMs - idleMs, totalMs };
}
