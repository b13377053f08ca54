import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Attached, attach } from '../src/attach/attach.js';
import { attachable, type Entered, type EnterOrder } from '../src/attach/enter.js';
import { AttachError, type AttachErrorCode } from '../src/attach/errors.js';
import type { HandNews } from '../src/attach/hand-news.js';
import type { ProcessFacts } from '../src/attach/linux-process.js';
import { ValueError } from '../src/base/units.js';
import { confirm, requireTerminal } from '../src/cli/confirm.js';
import type { Io } from '../src/cli/io.js';
import type { ValueType } from '../src/cli/value-types.js';
import type { SocketOwner } from '../src/watch/directory.js';

/** Beside this file in the build. */
const HAND = fileURLToPath(new URL('../bin/attach-hand.js', import.meta.url));
const WATCH = fileURLToPath(new URL('../src/watch/attach/attached.cjs', import.meta.url));

export const pidType: ValueType<number> = {
  placeholder: 'PID',
  parse(source) {
    if (!/^[1-9]\d{0,9}$/.test(source.trim())) throw new ValueError(`'${source}' is not a process id`);
    return Number(source);
  },
  show: String,
};

export interface AttachWishes {
  readonly pid: number;
  readonly yes: boolean;
  readonly name: string | null;
  readonly leakAfterMs: number;
}

/** Says what will happen, asks, and attaches. null: the answer was no. Throws where the process cannot be attached. */
export async function attachAsking(
  { pid, yes, name, leakAfterMs }: AttachWishes,
  io: Io,
): Promise<Attached | null> {
  if (io.host.platform !== 'linux') {
    throw new AttachError('ERR_ATTACH_PROCESS', `attaching needs Linux, and this is ${io.host.platform}`, {
      hint: 'start the application under poolctl run',
    });
  }
  if (!yes) requireTerminal(io);
  const owner = ownerIn(io);
  const facts = await attachable(pid, owner.uid);
  if (!yes) {
    io.stderr.tell(planText(facts));
    if (!(await confirm(io, 'Attach?'))) return null;
  }
  return attach({
    ...{ pid, owner, ownPid: io.pid, script: WATCH, name, leakAfterMs },
    enter: byHand,
    abort: io.interrupts.abort,
  });
}

function ownerIn({ env, host, user: { uid, name: userName, tempFolder } }: Io): SocketOwner {
  return { platform: host.platform, env, uid, userName, tempFolder };
}

/** What will happen, in words. */
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
async function byHand(order: EnterOrder): Promise<Entered> {
  const child = fork(HAND, [], { detached: true, execArgv: [], stdio: 'ignore' });
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
