import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type Attached, type AttachOptions, attach } from './attach.js';
import { attachable, type Entered, type EnterOrder } from './enter.js';
import { AttachError, type AttachErrorCode } from './errors.js';
import type { HandNews } from './hand-news.js';
import type { ProcessFacts } from './linux-process.js';

export interface AskOptions extends Omit<AttachOptions, 'enter'> {
  /** The script of the process that opens the inspector. */
  readonly hand: string;
  /** Shows the plan, and gives whether the user wants it; null: the user has said so already. */
  readonly confirm: ((plan: string) => Promise<boolean>) | null;
}

/** Says what will be done, asks, and attaches. null: the user does not want it. Throws as `attach` does. */
export async function askAndAttach({ hand, confirm, ...options }: AskOptions): Promise<Attached | null> {
  const { pid, owner } = options;
  if (owner.platform !== 'linux') {
    throw new AttachError('ERR_ATTACH_PROCESS', `attaching needs Linux, and this is ${owner.platform}`, {
      hint: 'start the application under poolctl run',
    });
  }
  const facts = await attachable(pid, owner.uid);
  if (confirm !== null && !(await confirm(planText(facts)))) return null;
  return attach({ ...options, enter: (order) => byHand(hand, order) });
}

/** Tells the user what will be done. */
function planText({ pid, commandLine, flags, program }: ProcessFacts): string {
  const words = commandLine.length === 0 ? (program ?? '') : commandLine.join(' ');
  const port = flags.port === 0 ? 'a free port' : `port ${flags.port}`;
  return [
    `Process ${pid}: ${words.slice(0, 200)}`,
    `  1. poolctl sends SIGUSR1. Node opens its inspector on ${port} of ${flags.host} and says so on the stderr of the`,
    '     process. A program that handles SIGUSR1 itself does whatever it does then.',
    '  2. poolctl loads its watch through the inspector and closes it, within a second as a rule. Until then every user',
    '     of this machine can run code in the process.',
    '  3. The watch puts hooks on the pools of the process, and publishes them on a socket that only you can open.',
    '  4. When poolctl ends, however it ends, the watch removes itself.',
    '',
  ].join('\n');
}

/** In a process that outlives this one, in a session of its own. */
async function byHand(hand: string, order: EnterOrder): Promise<Entered> {
  const child = fork(hand, [], { detached: true, execArgv: [], stdio: 'ignore' });
  const ended = once(child, 'exit').then(() => null);
  child.on('error', () => {});
  child.send(order);
  const news = await Promise.race([once(child, 'message').then(([said]) => said as HandNews), ended]);
  if (news === null)
    throw new AttachError('ERR_ATTACH_FAILED', 'the process that attaches has ended without a word');
  if ('entered' in news) return news.entered;
  throw new AttachError((news.code ?? 'ERR_ATTACH_FAILED') as AttachErrorCode, news.message, {
    hint: news.hint,
  });
}
