import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { bin, type Running, root, start } from './bin.js';

/** Agents of a test, and the commands that give them work. */
export interface AgentLab {
  readonly url: string;
  readonly agents: readonly Running[];
  /** Starts `poolctl loadtest --agents`. */
  load(argv: readonly string[], env?: Readonly<Record<string, string>>): Running;
  /** Ends all agents by Ctrl-C; gives their exit codes. */
  stop(): Promise<(number | null)[]>;
}

export interface AgentLabOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly argv?: readonly string[];
  /** Words in front of the command of agent `n`, from 0. */
  readonly wrap?: (n: number) => readonly string[];
}

/** Starts agents, and waits until all of them wait for work. */
export async function startAgents(
  url: string,
  count: number,
  { env = {}, argv = [], wrap = () => [] }: AgentLabOptions = {},
): Promise<AgentLab> {
  const agents = Array.from({ length: count }, (_, n) => startOne(['agent', url, ...argv], env, wrap(n)));
  await Promise.all(agents.map((agent) => agent.seen('waits at')));
  return {
    url,
    agents,
    load: (words, own = {}) =>
      start(bin, ['loadtest', ...words, `--queue=${url}`, '--format=json'], { env: own }),
    async stop() {
      for (const { child } of agents) child.kill('SIGINT');
      return Promise.all(agents.map(async ({ finished }) => (await finished).code));
    },
  };
}

function startOne(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  wrap: readonly string[],
): Running {
  if (wrap.length === 0) return start(bin, argv, { env });
  const [program = '', ...words] = [...wrap, process.execPath, bin, ...argv];
  const child = spawn(program, words, {
    cwd: root,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, LANG: 'C.UTF-8', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const closed = once(child, 'close');
  return {
    child,
    async seen(text) {
      while (!stderr.includes(text)) {
        if (child.exitCode !== null) throw new Error(`ended without showing '${text}':\n${stderr}`);
        await Promise.race([once(child.stderr, 'data'), closed]);
      }
    },
    finished: closed.then(() => ({ code: child.exitCode, signal: child.signalCode, stdout, stderr })),
  };
}
