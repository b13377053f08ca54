import { systemClock } from '../../src/base/clock.js';
import { createInterrupts, type InterruptSource } from '../../src/cli/interrupts.js';
import type { Io, Output } from '../../src/cli/io.js';

export interface TestIo extends Io {
  readonly interrupts: InterruptSource;
  /** What was written to stdout so far. */
  out(): string;
  /** What was written to stderr so far. */
  err(): string;
}

export interface TestIoOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
  readonly tempFolder?: string;
  readonly isTty?: boolean;
  readonly columns?: number;
  readonly unicode?: boolean;
  /** What writing to stdout fails with. */
  readonly stdoutError?: Error;
}

/** An Io made up of strings, to run whole commands in a test. */
export function testIo(options: TestIoOptions = {}): TestIo {
  const stdout = recordingOutput(options, options.stdoutError);
  const stderr = recordingOutput(options);
  return {
    stdout,
    stderr,
    out: stdout.text,
    err: stderr.text,
    readStdin: async () => options.stdin ?? '',
    keyboard: { isTty: false, listen: () => () => {} },
    env: options.env ?? {},
    cwd: options.cwd ?? '/nowhere',
    pid: 4711,
    host: {
      platform: 'linux',
      arch: 'x64',
      nodeVersion: 'v20.19.0',
      cpuCount: 2,
      cpuModel: null,
      memoryBytes: 1e9,
    },
    user: { uid: 1000, name: 'somebody', tempFolder: options.tempFolder ?? '/nowhere' },
    interrupts: createInterrupts(),
    clock: systemClock,
    cpuTime: () => ({ userMs: 0, systemMs: 0 }),
    hostCpuTime: () => null,
    eventLoopUtilization: () => ({ idle: 0, active: 0, utilization: 0 }),
    memoryBytes: () => 50e6,
    startCopy: () => Promise.reject(new Error('a test starts copies by the built poolctl')),
    parent: null,
    foreground: () => Promise.reject(new Error('a test starts programs by the built poolctl')),
    endBy: () => {},
  };
}

function recordingOutput(options: TestIoOptions, error?: Error): Output & { text(): string } {
  const { isTty = false, columns = 80, unicode = true } = options;
  let text = '';
  const tell = (more: string) => {
    text += more;
  };
  return {
    columns,
    rows: 24,
    isTty,
    color: isTty,
    unicode,
    closed: false,
    async write(more) {
      if (error !== undefined) throw error;
      tell(more);
    },
    tell,
    onResize: () => () => {},
    text: () => text,
  };
}
