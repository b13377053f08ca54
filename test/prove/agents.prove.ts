import { execFileSync } from 'node:child_process';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LoadResult } from '../../src/loadtest/result.js';
import { type AgentLab, type AgentLabOptions, startAgents } from '../helpers/agents.js';
import type { Finished } from '../helpers/bin.js';
import { hasProgram } from '../helpers/programs.js';
import { startRedis } from '../helpers/redis.js';

const EIGHT = [1, 2, 3, 4, 5, 6, 7, 8];
const LOAD = ['--test-type=rate', '--rate=80/s', '--warmup=none'];

/** Long enough for a fault in the middle, and for its discovery. */
const LONG = [...LOAD, '--duration=10s'];

type RedisServer = NonNullable<Awaited<ReturnType<typeof startRedis>>>;
let redis: RedisServer;
let labs: AgentLab[] = [];

beforeEach(async () => {
  const started = await startRedis();
  if (started === null) throw new Error('redis-server is missing');
  redis = started;
});
afterEach(async () => {
  await Promise.all(labs.map((lab) => lab.stop()));
  labs = [];
  await redis.stop();
});

async function agents(count = 8, options: AgentLabOptions = {}, port = redis.port): Promise<AgentLab> {
  const lab = await startAgents(`redis://127.0.0.1:${port}`, count, options);
  labs.push(lab);
  return lab;
}

async function keys(): Promise<string[]> {
  const client = new Redis({ port: redis.port });
  const found = await client.keys('*');
  client.disconnect();
  return found;
}

/** The result of a whole load. A busy machine may be too slow for a good verdict. */
function complete({ code, stdout, stderr }: Finished): LoadResult {
  expect([0, 1], stderr).toContain(code);
  const result = JSON.parse(stdout) as LoadResult;
  expect(result.segments?.missing, stderr).toEqual([]);
  return result;
}

/** The result of a load that lacks one segment. */
function incomplete({ code, stdout, stderr }: Finished): LoadResult {
  expect(code, stderr).toBe(1);
  const result = JSON.parse(stdout) as LoadResult;
  expect([result.segments?.missing.length, result.segments?.rows.length]).toEqual([1, 7]);
  expect(result.verdict.band).toBe('bad');
  expect(result.verdict.reason).toContain('7 of 8 segments: 12.5 % of the load is missing.');
  return result;
}

/** The agent with this segment, by what the agents say. */
async function agentOf(lab: AgentLab, index: number): Promise<number> {
  return Promise.any(
    lab.agents.map(async (agent, n) => {
      await agent.seen(`segment ${index} of 8`);
      return n;
    }),
  );
}

describe('8 agents', () => {
  it('run a load together, and leave nothing behind', async () => {
    const lab = await agents();
    const result = complete(await lab.load(['--agents=8', ...LOAD, '--duration=2s']).finished);
    expect(result.segments?.rows.map(({ started }) => started)).toEqual(EIGHT.map(() => 20));
    expect(result.measurements.started).toBe(160);
    expect(await keys()).toEqual([]);
  });

  it('do not start if one is killed before the start', async () => {
    const lab = await agents(7);
    const run = lab.load(['--agents=8', ...LONG, '--agents-timeout=60s']);
    const victim = await agentOf(lab, 3);
    lab.agents[victim]?.child.kill('SIGKILL');
    const { code, stdout, stderr } = await run.finished;
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr).toMatch(/cannot run segment 3 of 8: it has not been seen for 3\.\d s/);
    expect(await keys()).toEqual([]);
  });

  it.each([
    ['at the start', 0],
    ['after the start', 3500],
  ])('report one that is killed %s as missing within 5 s', async (_, afterMs) => {
    const lab = await agents();
    const run = lab.load(['--agents=8', ...LONG]);
    await run.seen('are ready, and start in');
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    lab.agents[5]?.child.kill('SIGKILL');
    const killedAt = performance.now();
    await run.seen('is missing: agent');
    const noticedMs = performance.now() - killedAt;
    process.stdout.write(`noticed after ${Math.round(noticedMs)} ms\n`);
    expect(noticedMs).toBeLessThan(5000);
    incomplete(await run.finished);
    expect(await keys()).toEqual([]);
  });

  it('go on if the coordinator is killed, and the same command collects the results', async () => {
    const lab = await agents();
    const argv = ['--agents=8', ...LONG, '--run-id=kept'];
    const first = lab.load(argv);
    await first.seen('are ready, and start in');
    await new Promise((resolve) => setTimeout(resolve, 3000));
    first.child.kill('SIGKILL');
    await first.finished;
    const second = await lab.load(argv).finished;
    expect(second.stderr).toContain('run kept goes on');
    expect(complete(second).measurements.started).toBe(800);
    expect(await keys()).toEqual([]);
  });

  it('drop a run whose coordinator is killed before the start, and take the next', async () => {
    const lab = await agents(7);
    const first = lab.load(['--agents=8', ...LOAD]);
    await agentOf(lab, 7);
    first.child.kill('SIGKILL');
    await first.finished;
    const next = await lab.load(['--agents=7', ...LOAD, '--duration=1s', '--agents-timeout=60s']).finished;
    expect(complete(next).measurements.started).toBe(80);
  });

  it('go on if Redis restarts without its data', async () => {
    const lab = await agents();
    const run = lab.load(['--agents=8', ...LONG]);
    await run.seen('are ready, and start in');
    await new Promise((resolve) => setTimeout(resolve, 3500));
    const { port } = redis;
    await redis.stop();
    redis = (await startRedis({ port })) as RedisServer;
    const finished = await run.finished;
    expect(finished.stderr).toContain('has lost its data; the run goes on');
    expect(complete(finished).measurements.started).toBe(800);
    expect(await keys()).toEqual([]);
  });

  it('stop by themselves if Redis stays away, and none keeps running', async () => {
    const lab = await agents();
    const run = lab.load(['--agents=8', ...LOAD, '--duration=5m']);
    await run.seen('are ready, and start in');
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await redis.stop();
    const { code, stderr } = await run.finished;
    expect([code, stderr]).toEqual([3, expect.stringContaining('ERR_AGENT_QUEUE')]);
    await Promise.all(lab.agents.map((agent) => agent.seen('the queue cannot be reached')));
    await Promise.all(lab.agents.map((agent) => agent.seen('nobody took the result')));
  });

  it('run two loads of two coordinators at once, four agents each', async () => {
    const lab = await agents();
    const runs = ['one', 'two'].map((id) =>
      lab.load(['--agents=4', ...LOAD, '--duration=3s', `--run-id=${id}`]),
    );
    const results = (await Promise.all(runs.map(({ finished }) => finished))).map(complete);
    expect(results.map(({ segments }) => segments?.runId)).toEqual(['one', 'two']);
    expect(results.map(({ measurements }) => measurements.started)).toEqual([240, 240]);
    expect(await keys()).toEqual([]);
  });

  it('stop on Ctrl-C, with what they have done until then', async () => {
    const lab = await agents();
    const run = lab.load(['--agents=8', ...LOAD, '--duration=5m']);
    await run.seen('are ready, and start in');
    await new Promise((resolve) => setTimeout(resolve, 4000));
    run.child.kill('SIGINT');
    const { code, stdout, stderr } = await run.finished;
    expect(code, stderr).toBe(130);
    const { partial, segments, measurements } = JSON.parse(stdout) as LoadResult;
    expect([partial, segments?.missing, segments?.rows.length]).toEqual(['interrupted', [], 8]);
    expect(measurements.started).toBeGreaterThan(0);
    expect(await keys()).toEqual([]);
  });

  it.skipIf(!hasProgram('faketime', 'a machine with a wrong clock'))(
    'start at once with clocks off by 3 s',
    async () => {
      const wrap = (n: number) =>
        n % 4 === 0 ? ['faketime', '-f', '+3s'] : n % 4 === 1 ? ['faketime', '-f', '-3s'] : [];
      const lab = await agents(8, {
        wrap,
        env: { FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_NO_CACHE: '1' },
      });
      const { segments } = complete(await lab.load(['--agents=8', ...LOAD, '--duration=3s']).finished);
      const offsets =
        segments?.rows.map(({ clockOffsetMs }) => Math.round((clockOffsetMs ?? 1e9) / 1000) + 0) ?? [];
      expect(offsets.sort((a, b) => a - b)).toEqual([-3, -3, 0, 0, 0, 0, 3, 3]);
      const shifts = segments?.rows.map(({ shiftMs }) => shiftMs) ?? [];
      process.stdout.write(`began within ${Math.max(...shifts).toFixed(1)} ms\n`);
      expect(Math.max(...shifts)).toBeLessThan(500);
    },
  );

  it.skipIf(!canNamespace())('start at once from a network namespace that is 50 ms away', async () => {
    await using network = await farNetwork(redis.port);
    const near = await agents(4);
    const far = await startAgents(`redis://${network.address}`, 4, { wrap: () => network.wrap });
    labs.push(far);
    const { segments } = complete(await near.load(['--agents=8', ...LOAD, '--duration=3s']).finished);
    const shifts = segments?.rows.map(({ shiftMs }) => shiftMs) ?? [];
    process.stdout.write(`began within ${Math.max(...shifts).toFixed(1)} ms\n`);
    expect(Math.max(...shifts)).toBeLessThan(500);
    expect(await keys()).toEqual([]);
  });
});

function canNamespace(): boolean {
  try {
    execFileSync('ip', ['netns', 'add', 'poolctl-try'], { stdio: 'ignore' });
    execFileSync('ip', ['netns', 'del', 'poolctl-try'], { stdio: 'ignore' });
    return true;
  } catch {
    process.stderr.write('no network namespaces here; not tested: agents that are 50 ms away\n');
    return false;
  }
}

interface FarNetwork extends AsyncDisposable {
  readonly address: string;
  readonly wrap: readonly string[];
}

/** A network namespace whose only way to Redis takes 50 ms in each direction. Not every kernel has netem, so a proxy waits. */
async function farNetwork(port: number): Promise<FarNetwork> {
  const ip = (words: string) => execFileSync('ip', words.split(' '));
  const name = `poolctl-${process.pid}`;
  const [near, far] = [`pa${process.pid}`, `pb${process.pid}`];
  const [host, guest] = ['10.231.77.1', '10.231.77.2'];
  ip(`netns add ${name}`);
  ip(`link add ${near} type veth peer name ${far}`);
  ip(`link set ${far} netns ${name}`);
  ip(`addr add ${host}/24 dev ${near}`);
  ip(`link set ${near} up`);
  ip(`netns exec ${name} ip addr add ${guest}/24 dev ${far}`);
  ip(`netns exec ${name} ip link set ${far} up`);
  ip(`netns exec ${name} ip link set lo up`);
  const proxy = await slowProxy(host, port);
  return {
    address: `${host}:${(proxy.address() as AddressInfo).port}`,
    wrap: ['ip', 'netns', 'exec', name],
    async [Symbol.asyncDispose]() {
      proxy.close();
      ip(`netns del ${name}`);
    },
  };
}

async function slowProxy(host: string, port: number): Promise<Server> {
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port, host: '127.0.0.1', noDelay: true });
    const pass = (from: Socket, to: Socket) => {
      from.on('data', (data) => setTimeout(() => to.writable && to.write(data), 50));
      from.on('error', () => {}).on('close', () => setTimeout(() => to.destroy(), 50));
    };
    pass(client, upstream);
    pass(upstream, client);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return server;
}
