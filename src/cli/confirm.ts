import { UsageError } from './errors.js';
import type { Io } from './io.js';

/** Refuses where nobody can answer: a question needs a terminal on both sides, and a stdin that holds no password. */
export function requireTerminal({ keyboard, stderr }: Io, isStdinTaken = false): void {
  if (keyboard.isTty && stderr.isTty && !isStdinTaken) return;
  throw new UsageError([
    {
      message: 'confirmation needed, but stdin is not a terminal',
      hint: 'pass --yes to go on without a question',
    },
  ]);
}

/** Asks on the terminal, and gives whether the answer is yes. An interruption is a no. */
export async function confirm(io: Io, question: string): Promise<boolean> {
  requireTerminal(io);
  io.stderr.tell(`${question} [y/N] `);
  const answer = await new Promise<string>((done) => {
    const ignoreKeys = io.keyboard.listen((typed) => answered(typed));
    const onStop = (): void => answered('n');
    const answered = (typed: string): void => {
      ignoreKeys();
      io.interrupts.stop.removeEventListener('abort', onStop);
      done(typed);
    };
    io.interrupts.stop.addEventListener('abort', onStop);
  });
  const isYes = /^y/i.test(answer);
  io.stderr.tell(isYes ? 'yes\n' : 'no\n');
  return isYes;
}
