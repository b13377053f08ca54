import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { type LoadTestOptions, resultOf } from '../../src/loadtest/load-test.js';
import { createModel, iterationsOf } from '../../src/loadtest/models.js';
import type { ClientFigures, LoadResult } from '../../src/loadtest/result.js';
import { runLoad } from '../../src/loadtest/runner.js';
import { parseThreshold } from '../../src/loadtest/thresholds.js';
import type { RenderOptions } from '../../src/report/render-options.js';
import { widthOf } from '../../src/report/text.js';
import { renderersOf } from '../helpers/reports.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { type Service, serviceOn } from '../loadtest/helpers.js';
import { POOL } from '../loadtest/results.js';

const loadReports = await renderersOf('loadtest');

const PLAIN: RenderOptions = { color: false, unicode: true, width: 80, cwd: '/' };

const CLIENT: ClientFigures = {
  loopBusy: 0.34,
  loopRan: 0.31,
  loopQueued: 0.03,
  loopDelayMeanMs: 0.2,
  loopDelayP99Ms: 2.4,
  loopDelayMaxMs: 11.9,
  cpuCores: 0.8,
  machineBusy: 0.5,
  otherCores: 0.1,
  cores: 2,
};

const ENVIRONMENT = { poolctl: '0.0.0', node: 'v20.19.0', platform: 'linux x64', cores: 2 };

interface Run {
  readonly service: Service;
  readonly options: Partial<LoadTestOptions> & Pick<LoadTestOptions, 'model'>;
  readonly client?: ClientFigures;
  readonly description?: Partial<LoadResult['workload']>;
  /** When Ctrl-C is pressed, and pressed again. */
  readonly stopAtMs?: number;
  readonly abortAtMs?: number;
}

/** A result measured on a virtual clock, so that it is the same every time. */
async function measure({
  service,
  options,
  client = CLIENT,
  description = {},
  ...at
}: Run): Promise<LoadResult> {
  const clock = new VirtualClock();
  const run = serviceOn(clock, service);
  const [stop, abort] = [new AbortController(), new AbortController()];
  if (at.stopAtMs !== undefined) clock.setTimer(() => stop.abort(), at.stopAtMs);
  if (at.abortAtMs !== undefined) clock.setTimer(() => abort.abort(), at.abortAtMs);
  const { model, durationMs = null, iterations = iterationsOf(model), warmup = null } = options;
  const plan = { model: createModel(model), durationMs, iterations, warmup };
  const outcome = await clock.run(runLoad(run, plan, { clock, stop: stop.signal, abort: abort.signal }));
  const { name = 'simple', ...differently } = description;
  return resultOf(
    {
      workload: { name, open: async () => run },
      environment: ENVIRONMENT,
      ...options,
    },
    {
      description: { ...run.description, ...differently },
      pool: {
        ...POOL,
        size: service.places,
        maxOverflow: service.maxOverflow ?? 0,
        timeoutMs: service.timeoutMs ?? null,
      },
    },
    outcome,
    client,
  );
}

/** Mostly quick, now and then slow. */
function serviceTimes(baseMs: number): (seq: number) => number {
  const random = seededRandom(3);
  return () => baseMs * (0.6 + random() * 0.8 + (random() < 0.01 ? 8 * random() : 0));
}

const RUNS: Readonly<Record<string, Run>> = {
  good: {
    service: { places: 10, maxOverflow: 20, connectMs: () => 30, serviceMs: serviceTimes(4) },
    options: {
      model: { kind: 'closed', workers: 50 },
      durationMs: 5000,
      warmup: { workers: 50, iterations: 50, durationMs: null, settleMs: null },
      thresholds: [parseThreshold('p99<250ms'), parseThreshold('throughput>5000/s')],
    },
  },
  bursts: {
    service: { places: 10, maxOverflow: 20, connectMs: () => 30, serviceMs: serviceTimes(20) },
    options: { model: { kind: 'burst', size: 500, count: 5, intervalMs: 300 } },
    description: { name: 'complex', simple: false, work: '2,500 candles of one symbol as 15-minute bars' },
    client: { ...CLIENT, cpuCores: 1.96, loopDelayMaxMs: 48, machineBusy: 1 },
  },
  'many-bursts': {
    service: { places: 5, serviceMs: serviceTimes(2) },
    options: { model: { kind: 'burst', size: 10, count: 40, intervalMs: 100 } },
  },
  bad: {
    service: {
      places: 3,
      serviceMs: (seq) => 80 + seq / 5,
      timeoutMs: 1000,
      fails: (seq) =>
        seq % 25 === 24 ? Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' }) : null,
    },
    options: {
      model: { kind: 'closed', workers: 30 },
      iterations: 400,
      thresholds: [parseThreshold('p99<250ms'), parseThreshold('errors<1%'), parseThreshold('mean<2s')],
    },
    description: {
      name: 'sql',
      simple: false,
      target: 'the SQLite file orders.db, read-only',
      work: '2 statements of your own (--sql)',
      statements: [
        "SELECT o.id, o.total, c.name FROM orders AS o JOIN customers AS c ON c.id = o.customer WHERE o.state = 'open'",
        'SELECT count(*)\n  FROM orders',
      ],
    },
  },
  client: {
    service: { places: 20, serviceMs: serviceTimes(1) },
    options: { model: { kind: 'closed', workers: 100 }, durationMs: 1000 },
    client: { ...CLIENT, loopBusy: 0.98, loopRan: 0.93, cpuCores: 1.1 },
  },
  partial: {
    service: { places: 5, serviceMs: serviceTimes(30) },
    options: { model: { kind: 'closed', workers: 5 }, durationMs: 60_000 },
    stopAtMs: 2345,
  },
  nothing: {
    service: { places: 1, serviceMs: () => 60_000 },
    options: {
      model: { kind: 'closed', workers: 2 },
      durationMs: 60_000,
      thresholds: [parseThreshold('p99<250ms')],
    },
    client: { ...CLIENT, loopBusy: null },
    stopAtMs: 100,
    abortAtMs: 200,
  },
};

const results: Record<string, LoadResult> = {};

beforeAll(async () => {
  for (const [name, run] of Object.entries(RUNS)) results[name] = await measure(run);
});

function golden(file: string): string {
  return join(import.meta.dirname, '../../fixtures/report/loadtest', file);
}

function resultNamed(name: string): LoadResult {
  const result = results[name];
  if (result === undefined) throw new Error(`no run is named ${name}`);
  return result;
}

describe('the text report', () => {
  it.each(Object.keys(RUNS))('of a run that is %s', async (name) => {
    const text = loadReports.text(resultNamed(name), PLAIN);
    await expect(text).toMatchFileSnapshot(golden(`${name}.txt`));
  });

  it('fits 60 columns, and does with ASCII', async () => {
    const text = loadReports.text(resultNamed('bursts'), { ...PLAIN, unicode: false, width: 60 });
    expect(text).toMatch(/^[\x20-\x7e\n]*$/);
    expect(text.split('\n').filter((line) => line.length > 60)).toEqual([]);
    await expect(text).toMatchFileSnapshot(golden('bursts-ascii.txt'));
  });

  it.each(Object.keys(RUNS))('of a run that is %s is never wider than 80 columns', (name) => {
    const lines = loadReports.text(resultNamed(name), PLAIN).split('\n');
    expect(lines.filter((line) => widthOf(line) > 80)).toEqual([]);
  });

  it('is the same with colour, but for the colour', () => {
    const result = resultNamed('bad');
    const colored = loadReports.text(result, { ...PLAIN, color: true });
    expect(colored).toContain('\u001b[31m');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colours are
    expect(colored.replace(/\u001b\[\d+m/g, '')).toBe(loadReports.text(result, PLAIN));
  });

  it('shows nothing that could move the cursor, whatever a database says', () => {
    const result = resultNamed('bad');
    const errors = [{ code: 'E\u001b[2J', count: 3, example: 'a\u001b]0;x\u0007b\nc' }];
    const nasty = { ...result, measurements: { ...result.measurements, errors } };
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of these may be in it
    expect(loadReports.text(nasty, PLAIN)).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  });
});

describe('the json report', () => {
  it('is the result, with a schema number', async () => {
    const text = loadReports.json(resultNamed('bursts'), PLAIN);
    await expect(text).toMatchFileSnapshot(golden('bursts.json'));
    const parsed: unknown = JSON.parse(text);
    expect(parsed).toMatchObject({ schema: 1, kind: 'loadtest', verdict: { band: expect.any(String) } });
  });

  it('has null for what was not measured, and no other figure in its place', () => {
    const parsed = JSON.parse(loadReports.json(resultNamed('nothing'), PLAIN)) as LoadResult;
    expect(parsed.measurements.successRate).toBeNull();
    // Two iterations were abandoned: what is known is that they took at least so long.
    expect(parsed.measurements.response).toMatchObject({ count: 2, atLeast: { count: 2 } });
    expect(parsed.client.bottleneck).toBeNull();
    expect(parsed.thresholds).toMatchObject([{ actual: 200, atLeast: true, passed: false }]);
  });
});
