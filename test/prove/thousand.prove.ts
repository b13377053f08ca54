import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { runOnAgents } from '../../src/agents/coordinator.js';
import { PROTOCOL, type RunPlan, type RunView, type SegmentView } from '../../src/agents/protocol.js';
import type { AgentQueue } from '../../src/agents/queue.js';
import { runLoadTest } from '../../src/loadtest/load-test.js';
import { mergeSegments, type NamedResult } from '../../src/loadtest/merge.js';
import { parseResult } from '../../src/loadtest/result-file.js';
import { Simulation } from '../agents/simulation.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { serviceOn } from '../loadtest/helpers.js';

const COUNT = 1000;
/** A load of 40 s. */
const LOOKS = 100;

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

/** CPU time and memory that the work needs, by the median of three. */
async function costOf(work: () => unknown): Promise<{ readonly ms: number; readonly mb: number }> {
  const costs: { ms: number; mb: number }[] = [];
  for (let round = 0; round < 3; round++) {
    collect();
    const [cpu, heap] = [process.cpuUsage(), process.memoryUsage()];
    const kept = await work();
    const { user, system } = process.cpuUsage(cpu);
    collect();
    const mb = (process.memoryUsage().heapUsed - heap.heapUsed) / 1e6;
    costs.push({ ms: (user + system) / 1000, mb });
    if (kept === undefined) throw new Error('the work has no result');
  }
  const middle = (of: 'ms' | 'mb') => costs.map((one) => one[of]).sort((a, b) => a - b)[1] ?? 0;
  return { ms: middle('ms'), mb: middle('mb') };
}

function report(what: string, { ms, mb }: { readonly ms: number; readonly mb: number }, each: number): void {
  process.stdout.write(
    `${what}: ${ms.toFixed(1)} ms, ${mb.toFixed(2)} MB; ${(ms / each).toFixed(3)} ms each\n`,
  );
}

it('1,000 agents have a segment each, and start at one instant', async () => {
  const lab = new Simulation();
  lab.addAgents(COUNT, { latencyMs: 20, clockMs: 3000 });
  const outcome = await lab.finish(lab.coordinate(lab.plan(COUNT)));
  expect([outcome.results.size, outcome.lost]).toEqual([COUNT, []]);
  const starts = lab.agents.map(({ loads: [load] }) => load?.startedAt ?? 0);
  expect(Math.max(...starts) - Math.min(...starts)).toBeLessThan(1);
  expect(new Set(lab.agents.map(({ loads: [load] }) => load?.index)).size).toBe(COUNT);
}, 300_000);

it('1,000 agents cost the coordinator little', async () => {
  const plan: RunPlan = {
    ...{ protocol: PROTOCOL, runId: 'run', version: '1', count: COUNT, target: null, words: [], files: [] },
    allowWrites: false,
  };
  const looks = await costOf(async () => {
    const clock = new VirtualClock();
    const outcome = runOnAgents({
      ...{ queue: scripted(plan, clock), plan, name: 'coordinator', clock, agentsTimeoutMs: 60_000 },
      ...{ stop: new AbortController().signal, abort: new AbortController().signal },
    });
    return clock.run(outcome);
  });
  report(`the coordinator of ${COUNT} agents over ${LOOKS} looks`, looks, LOOKS);
}, 300_000);

it('1,000 results cost the merge little', async () => {
  const texts = await resultsOf(COUNT);
  const bytes = texts.reduce((sum, text) => sum + text.length, 0);
  process.stdout.write(`results: ${(bytes / COUNT / 1000).toFixed(1)} kB each\n`);
  const reading = await costOf(() =>
    texts.map((text, n) => ({ name: `${n}`, result: parseResult(text, `${n}`) })),
  );
  report(`reading ${COUNT} results`, reading, COUNT);
  const named: NamedResult[] = texts.map((text, n) => ({ name: `${n}`, result: parseResult(text, `${n}`) }));
  const merging = await costOf(() => mergeSegments(named, { startedTogether: true }));
  report(`merging ${COUNT} results`, merging, COUNT);
  expect(mergeSegments(named, { startedTogether: true }).segments?.rows.length).toBe(COUNT);
}, 300_000);

/** A server that answers at once, so that all time is that of the coordinator. */
function scripted(plan: RunPlan, clock: VirtualClock): AgentQueue {
  let [looks, startAtMs] = [0, null as number | null];
  const viewOf = (state: 'ready' | 'running', hasResult: boolean): SegmentView[] =>
    Array.from({ length: COUNT }, (_, at) => ({
      ...{ index: at + 1, owner: `agent ${at}`, seenAtMs: 0, hasResult, isLost: false },
      report: {
        ...{ state, agent: `m${at}:1`, clockOffsetMs: 1, roundTripMs: 2, reason: null, isUsage: false },
        options: { poolctl: '1', '--rate': '10000/s' },
        progress: { phase: 'load', elapsedMs: 1, fraction: 0.5, ended: 10, failed: 0, waiting: 0 },
      },
    }));
  // Made once: reading them is the work of the queue.
  const views = {
    ready: viewOf('ready', false),
    running: viewOf('running', false),
    over: viewOf('running', true),
  };
  return {
    name: 'scripted',
    time: async () => clock.wallTime(),
    open: async () => 'created',
    restore: async () => {},
    async look(): Promise<RunView> {
      looks++;
      const segments = startAtMs === null ? views.ready : looks >= LOOKS ? views.over : views.running;
      return { plan, nowMs: 0, startAtMs, stop: null, segments };
    },
    async order(_, orders) {
      startAtMs = orders.startAtMs ?? startAtMs;
    },
    result: async (_, index) => `result ${index}`,
    forget: async () => {},
    next: async () => null,
    claim: async () => null,
    beat: async () => null,
    deliver: async () => 'refused',
    close: async () => {},
  };
}

/** Results of segments of 10,000 arrivals a second over 10 s, on a virtual clock. */
async function resultsOf(count: number): Promise<string[]> {
  const clock = new VirtualClock();
  const run = serviceOn(clock, { places: 10, serviceMs: (seq) => 0.3 + ((seq * 7919) % 97) * 1.1 });
  const result = await clock.run(
    runLoadTest({
      ...{ workload: { name: 'service', open: async () => run }, clock, client: null, durationMs: 10_000 },
      model: { kind: 'rate', perSecond: 10_000, maxInFlight: 10_000 },
      segment: { index: 1, count, runId: 'run', optionsHash: 'x', options: {}, host: 'm' },
    }),
  );
  return Array.from({ length: count }, (_, at) =>
    JSON.stringify({ ...result, segment: { ...result.segment, index: at + 1 } }),
  );
}
