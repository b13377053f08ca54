import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { serveAgent } from '../src/agents/agent.js';
import { type AllowRule, judgePlan, parseAllowRule, showAllowRule } from '../src/agents/allow-list.js';
import { openQueue, parseQueue, QUEUE_FORMS } from '../src/agents/open-queue.js';
import { withClockOffset } from '../src/agents/shift.js';
import { maskUrl } from '../src/base/secrets.js';
import { ValueError } from '../src/base/units.js';
import { defineCommand, optionalArgument } from '../src/cli/command.js';
import { UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { flag, list } from '../src/cli/options.js';
import type { ValueType } from '../src/cli/value-types.js';
import { printable } from '../src/report/text.js';
import { startSegment } from './agent-segment.js';

const queueType: ValueType<string> = { placeholder: 'QUEUE', parse: parseQueue, show: maskUrl };
const ruleType: ValueType<AllowRule> = { placeholder: 'TARGET', parse: parseAllowRule, show: showAllowRule };

const options = {
  allowTarget: list({
    summary:
      'target to accept: db.example.com, *.example.com:5432, postgres://db, sqlite:FILE (default: loopback)',
    type: ruleType,
    group: 'Trust',
  }),
  allowWrites: flag({ summary: 'accept loads that may write', group: 'Trust' }),
  once: flag({ summary: 'exit after one run', group: 'Options' }),
};

export const command = defineCommand({
  name: 'agent',
  summary: 'wait at a queue, and run parts of load tests',
  description:
    'Waits at a queue for load tests, and runs one segment of each. Start it on every machine that takes part, then run\n' +
    "'poolctl loadtest TARGET --agents N --queue QUEUE' anywhere. It accepts only targets of its own machine and those of\n" +
    '--allow-target. Passwords of targets come from its own environment, never from the queue.\n' +
    'The queue needs the packages bullmq and ioredis next to poolctl.',
  arguments: {
    queue: optionalArgument({ summary: `${QUEUE_FORMS} (default: POOLCTL_QUEUE)`, type: queueType }),
  },
  options,
  endsByInterrupt: true,
  examples: [
    {
      command: 'poolctl agent redis://queue.internal --allow-target db.internal',
      meaning: 'one target of yours',
    },
    { command: 'poolctl agent redis://127.0.0.1 --once', meaning: 'one run, for a job of a scheduler' },
  ],
  async run(context) {
    const { io, options: given, version } = context;
    const address = context.arguments.queue ?? addressIn(io.env);
    const name = `${hostname()}:${io.pid}`;
    const { stop, abort } = io.interrupts;
    const trust = { rules: given.allowTarget, allowWrites: given.allowWrites, version, env: io.env };
    const remote = new Map<string, boolean>();
    const queue = await openQueue(address);
    try {
      context.warn(`agent ${name} waits at ${queue.name}`);
      await serveAgent(
        {
          ...{ queue, id: randomUUID(), name, clock: io.clock, stop, abort, shift: withClockOffset },
          async refuse({ plan }) {
            const { isRemote, refusal } = await judgePlan(plan, trust);
            remote.set(plan.runId, isRemote);
            return refusal;
          },
          run(assignment, events) {
            const isRemote = remote.get(assignment.plan.runId) ?? false;
            remote.clear();
            return startSegment(io, assignment, { isRemote }, events);
          },
          onEvent: (text) => context.warn(printable(text)),
        },
        given,
      );
    } finally {
      await queue.close();
    }
    const interruption = io.interrupts.interruption();
    // Ctrl-C is how it is ended; being ended from outside is something else.
    return interruption === null || interruption.signal === 'SIGINT' ? ExitCode.Ok : interruption.exitCode;
  },
});

function addressIn({ POOLCTL_QUEUE }: Readonly<Record<string, string | undefined>>): string {
  if (!POOLCTL_QUEUE) throw new UsageError(['<queue> is missing: name it, or set POOLCTL_QUEUE']);
  try {
    return parseQueue(POOLCTL_QUEUE);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new UsageError([`POOLCTL_QUEUE: ${error.message}`]);
  }
}
