import { describe, expect, it } from 'vitest';
import { tooManyErrors } from '../../src/agents/abort-errors.js';
import type { AgentsOutcome } from '../../src/agents/coordinator.js';
import type { RunView } from '../../src/agents/protocol.js';
import { AgentQueueError } from '../../src/agents/queue.js';
import { LOAD_MS, Simulation } from './simulation.js';

const EIGHT = [1, 2, 3, 4, 5, 6, 7, 8];

/** A run of 8 agents that has been running for two seconds. */
async function underLoad(): Promise<{ readonly lab: Simulation; readonly outcome: Promise<AgentsOutcome> }> {
  const lab = new Simulation();
  lab.addAgents(8);
  const outcome = lab.coordinate(lab.plan(8));
  await lab.clock.advance(4500);
  expect(lab.agents.map(({ loads }) => loads.length)).toEqual(EIGHT.map(() => 1));
  return { lab, outcome };
}

const indexesOf = ({ results }: AgentsOutcome) => [...results.keys()].sort((a, b) => a - b);

describe('a load on agents', () => {
  it('gives each agent one segment, starts all at one instant, and leaves nothing in the queue', async () => {
    const lab = new Simulation();
    lab.addAgents(4, { latencyMs: 25, clockMs: 3000 });
    lab.addAgents(3, { latencyMs: 1, clockMs: -3000, warmUpMs: 5000 });
    lab.addAgents(3);
    const outcome = await lab.finish(lab.coordinate(lab.plan(8)));
    expect(indexesOf(outcome)).toEqual(EIGHT);
    expect(outcome.lost).toEqual([]);
    const loads = lab.agents.flatMap((agent) => agent.loads);
    expect(loads.map(({ index }) => index).sort()).toEqual(EIGHT);
    expect(Math.max(...lab.agents.map((agent) => agent.loads.length))).toBe(1);
    const starts = loads.map(({ startedAt }) => startedAt);
    expect(Math.max(...starts) - Math.min(...starts)).toBeLessThan(1);
    expect([lab.server.runs.size, lab.server.invitations]).toEqual([0, []]);
  });

  it('runs two loads at once, each on agents of its own, and a third one afterwards', async () => {
    const lab = new Simulation();
    lab.addAgents(8);
    const [a, b, c] = ['a', 'b', 'c'].map((runId) => lab.coordinate(lab.plan(4, { runId })));
    const outcomes = await lab.finish(Promise.all([a, b, c] as Promise<AgentsOutcome>[]));
    expect(outcomes.map(indexesOf)).toEqual([
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ]);
    const runs = lab.agents.flatMap(({ loads }) => loads.map(({ runId, index }) => `${runId}${index}`));
    expect(runs.sort()).toEqual(
      ['a', 'b', 'c'].flatMap((run) => [1, 2, 3, 4].map((index) => `${run}${index}`)),
    );
    expect(lab.server.runs.size).toBe(0);
  });

  it('does not start if an agent dies before the start, refuses, or does not come', async () => {
    const cases: readonly (readonly [(lab: Simulation) => Promise<void>, RegExp])[] = [
      [
        async (lab) => {
          lab.addAgents(8, { warmUpMs: 2000 });
          await lab.clock.advance(0);
        },
        /agent m3 cannot run segment 3 of 8: it has not been seen for/,
      ],
      [
        async (lab) => {
          lab.addAgents(7);
          lab.addAgents(1, { refusal: 'it is another poolctl' });
        },
        /agent m8 cannot run segment 8 of 8: it is another poolctl/,
      ],
      [async (lab) => lab.addAgents(6), /6 of 8 agents came/],
      [
        async (lab) => {
          lab.addAgents(7, { options: { '--pool-size': '10' } });
          lab.addAgents(1, { options: { '--pool-size': '5' } });
        },
        /agents differ in --pool-size: agent m1 has 10, agent m8 5/,
      ],
    ];
    for (const [prepare, message] of cases) {
      const lab = new Simulation();
      const outcome = lab.coordinate(lab.plan(8));
      await prepare(lab);
      await lab.clock.advance(1000);
      if (/seen/.test(message.source)) lab.agents[2]?.kill();
      await expect(lab.finish(outcome)).rejects.toThrow(message);
      expect(lab.agents.flatMap(({ loads }) => loads)).toEqual([]);
      expect([lab.server.runs.size, lab.server.invitations]).toEqual([0, []]);
    }
  });

  it.each([
    ['is killed', 0],
    ['is killed at the start', 2400],
  ])('reports an agent that %s as missing within 5 s, and never runs its segment again', async (_, atMs) => {
    const lab = new Simulation();
    lab.addAgents(8);
    const events: [number, string][] = [];
    const outcome = lab.coordinate(lab.plan(8), { onEvent: (text) => events.push([lab.clock.now(), text]) });
    await lab.clock.advance(atMs === 0 ? 5000 : atMs);
    lab.agents[4]?.kill();
    const killedAt = lab.clock.now();
    // A spare agent would take the segment, if it were given away again.
    lab.addAgents(2);
    const { results, lost } = await lab.finish(outcome);
    expect([results.size, lost.map(({ index, agent }) => [index, agent])]).toEqual([7, [[5, 'agent m5']]]);
    const [noticedAt] = events.find(([, text]) => text.includes('segment 5 of 8 is missing')) ?? [];
    expect((noticedAt ?? Number.POSITIVE_INFINITY) - killedAt).toBeLessThan(5000);
    expect(lab.agents.flatMap(({ loads }) => loads).filter(({ index }) => index === 5).length).toBeLessThan(
      2,
    );
  });

  it('has a frozen agent stop itself when it wakes, and refuses its result', async () => {
    const { lab, outcome } = await underLoad();
    const [agent] = lab.agents;
    agent?.freeze();
    await lab.clock.advance(6000);
    agent?.thaw();
    const wokeAt = lab.clock.now();
    const { results, lost } = await lab.finish(outcome);
    await lab.clock.advance(20_000);
    expect([results.size, lost.map(({ index }) => index)]).toEqual([7, [1]]);
    expect((agent?.loads[0]?.endedAt ?? Number.POSITIVE_INFINITY) - wokeAt).toBeLessThan(100);
  });

  it('has an agent that is cut off stop itself before it is reported, and take work again later', async () => {
    const { lab, outcome } = await underLoad();
    const agent = lab.agents[6];
    agent?.cutOff(true);
    const cutAt = lab.clock.now();
    const { lost } = await lab.finish(outcome);
    expect(lost.map(({ index }) => index)).toEqual([7]);
    expect((agent?.loads[0]?.endedAt ?? Number.POSITIVE_INFINITY) - cutAt).toBeLessThan(6000);
    agent?.cutOff(false);
    await lab.clock.advance(30_000);
    const again = await lab.finish(lab.coordinate(lab.plan(8, { runId: 'again' })));
    expect(indexesOf(again)).toEqual(EIGHT);
  });

  it('goes on if the queue restarts without its data', async () => {
    const { lab, outcome } = await underLoad();
    lab.server.isAway = true;
    await lab.clock.advance(1500);
    lab.server.wipe();
    lab.server.isAway = false;
    const { results, lost } = await lab.finish(outcome);
    expect([results.size, lost]).toEqual([8, []]);
    expect(lab.agents.map(({ loads }) => loads.length)).toEqual(EIGHT.map(() => 1));
    const lengths = lab.agents.map(({ loads: [load] }) => (load?.endedAt ?? 0) - (load?.startedAt ?? 0));
    expect(lengths).toEqual(EIGHT.map(() => LOAD_MS));
  });

  it('ends with an error, and without a load that nobody can stop, if the queue stays away', async () => {
    const { lab, outcome } = await underLoad();
    lab.server.isAway = true;
    const awayAt = lab.clock.now();
    await expect(lab.finish(outcome)).rejects.toThrow(AgentQueueError);
    await lab.clock.advance(30_000);
    for (const { loads } of lab.agents) expect((loads[0]?.endedAt ?? 0) - awayAt).toBeLessThan(6000);
  });

  it('gives the results of agents that stopped themselves, if the queue comes back', async () => {
    const { lab, outcome } = await underLoad();
    lab.server.isAway = true;
    await lab.clock.advance(8000);
    lab.server.isAway = false;
    const { results, lost } = await lab.finish(outcome);
    expect([results.size, lost]).toEqual([8, []]);
  });

  it('is adopted by the same command after its coordinator was killed, and by no other one', async () => {
    const lab = new Simulation();
    lab.addAgents(8);
    let isDead = false;
    const first = lab.coordinate(lab.plan(8), { queue: lab.server.client(1, () => isDead), name: 'first' });
    await lab.clock.advance(5000);
    const rival = lab.coordinate(lab.plan(8), { name: 'rival' });
    await expect(lab.finish(rival)).rejects.toThrow(/has a coordinator, which is alive/);
    await expect(lab.finish(lab.coordinate(lab.plan(7)))).rejects.toThrow(/is another load/);
    isDead = true;
    const second = await lab.finish(lab.coordinate(lab.plan(8), { name: 'second' }));
    expect([indexesOf(second), second.lost]).toEqual([EIGHT, []]);
    expect(lab.agents.map(({ loads }) => loads.length)).toEqual(EIGHT.map(() => 1));
    await expect(lab.finish(first)).rejects.toThrow(AgentQueueError);
  });

  it('is dropped by agents whose coordinator was killed before the start', async () => {
    const lab = new Simulation();
    lab.addAgents(7);
    let isDead = false;
    void lab.coordinate(lab.plan(8), { queue: lab.server.client(1, () => isDead), name: 'first' });
    await lab.clock.advance(5000);
    isDead = true;
    await lab.clock.advance(20_000);
    const outcome = await lab.finish(lab.coordinate(lab.plan(7, { runId: 'next' })));
    expect(indexesOf(outcome)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('stops on Ctrl-C, with what all have done until then', async () => {
    const lab = new Simulation();
    lab.addAgents(8);
    const stop = new AbortController();
    const outcome = lab.coordinate(lab.plan(8), { stop: stop.signal });
    await lab.clock.advance(5000);
    stop.abort();
    const stoppedAt = lab.clock.now();
    expect((await lab.finish(outcome)).results.size).toBe(8);
    for (const { loads } of lab.agents) expect((loads[0]?.endedAt ?? 0) - stoppedAt).toBeLessThan(1500);
  });

  it('stops when too many iterations of all agents fail', async () => {
    const lab = new Simulation();
    lab.addAgents(8, { failed: 10 });
    let share: number | null = null;
    const outcome = lab.coordinate(lab.plan(8), {
      isOver(view) {
        share ??= tooManyErrors(view, 0.05);
        return share !== null;
      },
    });
    expect((await lab.finish(outcome)).results.size).toBe(8);
    expect(share).toBe(0.1);
    for (const { loads } of lab.agents)
      expect((loads[0]?.endedAt ?? 0) - (loads[0]?.startedAt ?? 0)).toBeLessThan(LOAD_MS / 2);
  });

  it('judges failures by all agents that are there', () => {
    const view = (
      ...agents: readonly (readonly [ended: number, failed: number, state?: 'ready' | 'running'])[]
    ) =>
      ({
        startAtMs: 1,
        segments: agents.map(([ended, failed, state = 'running']) => ({
          ...{ isLost: false, hasResult: false },
          report: { state, progress: { phase: 'load', ended, failed } },
        })),
      }) as unknown as RunView;
    expect(tooManyErrors(view([1000, 60], [1000, 0]), 0.05)).toBeNull();
    expect(tooManyErrors(view([1000, 60], [1000, 41]), 0.05)).toBe(0.0505);
    expect(tooManyErrors(view([1000, 900], [0, 0, 'ready']), 0.05)).toBeNull();
    expect(tooManyErrors(view([50, 49]), 0.05)).toBeNull();
    expect(tooManyErrors({ ...view([1000, 900]), startAtMs: null }, 0.05)).toBeNull();
  });

  it('stops before the start too, and on an agent that is stopped', async () => {
    const lab = new Simulation();
    lab.addAgents(3);
    const stop = new AbortController();
    const outcome = lab.coordinate(lab.plan(8), { stop: stop.signal });
    await lab.clock.advance(2000);
    stop.abort(new Error('by hand'));
    await expect(lab.finish(outcome)).rejects.toThrow('by hand');
    expect(lab.server.runs.size).toBe(0);
    lab.addAgents(5);
    const next = lab.coordinate(lab.plan(8, { runId: 'next' }));
    await lab.clock.advance(5000);
    lab.agents[0]?.stop.abort();
    await lab.finish(next);
    expect((await next).results.size).toBe(8);
    await lab.finish(lab.agents[0]?.ended ?? Promise.resolve());
  });
});
