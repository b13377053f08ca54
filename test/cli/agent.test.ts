import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { runMain } from '../../src/cli/main.js';
import type { LoadResult } from '../../src/loadtest/result.js';
import { type AgentLab, startAgents } from '../helpers/agents.js';
import { root } from '../helpers/bin.js';
import { testIo } from '../helpers/io.js';
import { newDatabase, postgres } from '../helpers/postgres.js';
import { startRedis } from '../helpers/redis.js';

const server = await startRedis();
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const LOAD = ['--test-type=rate', '--rate=50/s', '--warmup=none', '--duration=1s'];

/** In this process, which is quicker. Agents take work of their own version only. */
async function poolctl(...argv: readonly string[]) {
  const io = testIo();
  const code = await runMain({ commands, version: () => version }, argv, io);
  return { code, out: io.out(), err: io.err() };
}

describe.skipIf(server === null)('loadtest --agents', () => {
  let redis: Redis;
  let lab: AgentLab;
  beforeAll(async () => {
    redis = new Redis({ port: server?.port ?? 0 });
    lab = await startAgents(`redis://127.0.0.1:${server?.port}`, 3, {
      env: { PGPASSWORD: postgres?.password ?? '' },
    });
  });
  afterAll(async () => {
    await lab.stop();
    redis.disconnect();
    await server?.stop();
  });

  it('runs a part on each agent, judges the whole, and leaves nothing in Redis', async () => {
    const database = await newDatabase();
    const monitor = await redis.monitor();
    const seen: string[] = [];
    monitor.on('monitor', (_: string, words: string[]) => seen.push(words.join(' ')));
    const run = lab.load([
      '--agents=3',
      ...LOAD,
      '--pool-size=2',
      '--threshold=iterations>=50',
      database.url(),
    ]);
    const { code, stdout, stderr } = await run.finished;
    monitor.disconnect();
    // A busy machine may be too slow for a good verdict.
    expect([0, 1], stderr).toContain(code);
    const { segments, measurements, thresholds } = JSON.parse(stdout) as LoadResult;
    expect([segments?.count, segments?.missing]).toEqual([3, []]);
    expect(segments?.rows.map(({ started }) => started)).toEqual([17, 17, 16]);
    expect([measurements.started, thresholds.map(({ passed }) => passed)]).toEqual([50, [true]]);
    expect(segments?.rows.every(({ clockOffsetMs }) => Math.abs(clockOffsetMs ?? 1e9) < 1000)).toBe(true);
    expect(seen.length).toBeGreaterThan(20);
    expect(seen.join('\n')).toContain('--pool-size=2');
    for (const form of [
      postgres?.password ?? '',
      encodeURIComponent(postgres?.password ?? ''),
      'p:w',
      'p%3Aw',
    ])
      expect(seen.join('\n')).not.toContain(form);
    expect(await redis.keys('*')).toEqual([]);
  });

  it('does not start a load that an agent refuses', async () => {
    const load = (count: number, ...argv: readonly string[]) =>
      poolctl('loadtest', `--agents=${count}`, `--queue=${lab.url}`, ...LOAD, ...argv);
    const remote = await load(2, '--allow-remote', 'postgres://app@192.0.2.1/shop');
    expect([remote.code, remote.out]).toEqual([2, '']);
    expect(remote.err).toContain(
      'postgres://app@192.0.2.1/shop is not on the list of the agent (--allow-target)',
    );
    const writes = await load(2, '--allow-writes', '--sql=DELETE FROM x');
    expect([writes.code, writes.err]).toEqual([
      2,
      expect.stringContaining('not started with --allow-writes'),
    ]);
    const mistake = await load(2, '--sql=SELECT nosuch');
    expect([mistake.code, mistake.err]).toEqual([2, expect.stringContaining('no such column: nosuch')]);
    const few = await load(4, '--agents-timeout=1s');
    expect([few.code, few.err]).toEqual([3, expect.stringContaining('3 of 4 agents came')]);
    expect(await redis.keys('*')).toEqual([]);
  });

  it('reports an agent that is killed as missing, with its part', async () => {
    const run = lab.load(['--agents=3', ...LOAD, '--duration=6s']);
    await run.seen('are ready');
    lab.agents[2]?.child.kill('SIGKILL');
    const { code, stdout, stderr } = await run.finished;
    expect(code).toBe(1);
    expect(stderr).toMatch(/segment \d of 3 is missing: agent .*: it has not been seen for \d\.\d s/);
    const { verdict, segments } = JSON.parse(stdout) as LoadResult;
    expect([verdict.band, segments?.rows.length, segments?.missing.length]).toEqual(['bad', 2, 1]);
    expect(verdict.reason).toContain('2 of 3 segments: 33.3 % of the load is missing.');
    expect(await redis.keys('*')).toEqual([]);
  });
});

describe('loadtest --agents and agent', () => {
  it('say what is missing or wrong', async () => {
    const cases: readonly (readonly [readonly string[], number, string])[] = [
      [['agent'], 2, '<queue> is missing'],
      [['agent', 'http://x'], 2, "'http://x' is no queue; supported are redis://HOST"],
      [['agent', 'redis://u:s3cr3t@127.0.0.1:1'], 3, 'cannot connect to redis://u:***@127.0.0.1:1'],
      [['agent', 'redis://x', '--allow-target', 'a b'], 2, "'a b' is no target"],
      [['loadtest', '--agents=2'], 2, '--agents needs --queue'],
      [['loadtest', '--agents=2', '--queue=redis://127.0.0.1:1'], 3, 'cannot connect to redis://127.0.0.1:1'],
      [
        ['loadtest', '--agents=9', '--queue=redis://x', '--num-workers=4'],
        2,
        'cannot be split over 9 agents',
      ],
      [['loadtest', '--queue=redis://x'], 2, '--queue needs --agents'],
      [
        ['loadtest', '--agents=2', '--queue=redis://x', '--segment=1/2'],
        2,
        '--segment and --agents exclude each other',
      ],
    ];
    for (const [argv, code, text] of cases) {
      const ran = await poolctl(...argv);
      expect([ran.code, ran.err]).toEqual([code, expect.stringContaining(text)]);
      expect(ran.err).not.toContain('s3cr3t');
    }
  });
});
