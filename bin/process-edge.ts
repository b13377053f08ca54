import { readFileSync } from 'node:fs';
import type { CommandTable } from '../src/cli/command.js';
import { defectText } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { createInterrupts } from '../src/cli/interrupts.js';
import { processIo } from '../src/cli/io.js';
import { runMain } from '../src/cli/main.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** How long an orderly end may take after a defect, before the process is ended the hard way. */
const GIVE_UP_MS = 2000;

/**
 * Runs this process as poolctl: signals, defects, and the exit code, which nothing else sets. It never calls
 * process.exit, so that output is flushed and a handle left open is noticed.
 */
export async function runProcess(commands: CommandTable): Promise<void> {
  const argv = process.argv.slice(2);
  // Also wipes the arguments from what `ps` shows: a URL among them may hold a password.
  process.title = 'poolctl';

  const interrupts = createInterrupts();
  const io = processIo(interrupts);
  const onSignal = (signal: (typeof SIGNALS)[number]) => {
    // From the second one on the system's own handling is back: a third ends even a process that hangs.
    if (interrupts.interruption() !== null) for (const name of SIGNALS) process.off(name, onSignal);
    interrupts.receive(signal);
  };
  for (const name of SIGNALS) process.on(name, onSignal);

  let defects = 0;
  const onDefect = (error: unknown) => {
    process.exitCode = ExitCode.Defect;
    defects++;
    // First of all: a screen gives the terminal back, else the text below would go with it.
    if (defects === 1) interrupts.giveUp(error);
    io.stderr.tell(`poolctl: ${defectText(error, process.version)}\n`);
    if (defects > 1) return;
    setTimeout(endTheHardWay, GIVE_UP_MS, onDefect).unref();
  };
  // Unhandled rejections come here too.
  process.on('uncaughtException', onDefect);

  const { parent } = io;
  parent?.onMessage((message) => {
    if ((message as { kind?: unknown }).kind === 'interrupt') interrupts.receive('SIGINT');
  });
  // Nobody waits for its result any more.
  parent?.onGone(() => interrupts.giveUp(new Error('the poolctl that started this process has ended')));

  const exitCode = await runMain({ commands, version }, argv, io);
  parent?.close();
  if (defects === 0) process.exitCode = exitCode;
}

/** Something still holds the process open. An exception that nobody handles ends it, with our code. */
function endTheHardWay(onDefect: (error: unknown) => void): void {
  process.off('uncaughtException', onDefect);
  process.on('exit', () => {
    process.exitCode = ExitCode.Defect;
  });
  throw new Error('poolctl did not end by itself after the defect above');
}

function version(): string {
  // From dist/bin, where the build puts this file.
  const content: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof content === 'object' && content !== null && 'version' in content
    ? String(content.version)
    : 'unknown';
}
