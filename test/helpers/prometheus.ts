import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { eventually } from './eventually.js';
import { freePort, startGuarded } from './guarded.js';

/** Whether Prometheus and its promtool are installed. */
export const hasPrometheus = find();

export const describeWithPrometheus = describe.skipIf(!hasPrometheus);

export interface Said {
  readonly code: number | null;
  readonly text: string;
}

/** `promtool ...`, with something on stdin, in a folder. */
export function promtool(argv: readonly string[], { input = '', cwd = tmpdir() } = {}): Said {
  const { status, stdout, stderr } = spawnSync('promtool', argv, { input, cwd, encoding: 'utf8' });
  return { code: status, text: stdout + stderr };
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Prometheus {
  /** The result of an instant query, now. */
  query(expr: string): Promise<readonly Series[]>;
  /** Health and state of each rule. */
  rules(): Promise<readonly { readonly name: string; readonly health: string; readonly state: string }[]>;
  stop(): Promise<void>;
}

/** A Prometheus of the test's own that scrapes one address every two seconds. */
export async function startPrometheus(target: string, rules: string): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), 'poolctl-prometheus-'));
  const port = await freePort();
  const config = {
    global: { scrape_interval: '2s', scrape_timeout: '2s', evaluation_interval: '1s' },
    rule_files: ['rules.yml'],
    scrape_configs: [{ job_name: 'poolctl', static_configs: [{ targets: [target] }] }],
  };
  await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config));
  await writeFile(join(folder, 'rules.yml'), rules);
  const server = await startGuarded(
    [
      ...['prometheus', `--config.file=${join(folder, 'prometheus.yml')}`],
      ...[`--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=127.0.0.1:${port}`],
    ],
    { user: {}, folder, stopSignal: 'TERM', ready: /Server is ready to receive web requests/ },
  );
  const ask = async <T>(path: string): Promise<T> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`);
    const { status, data, error } = (await response.json()) as { status: string; data: T; error?: string };
    if (status !== 'success') throw new Error(`${path}: ${error}`);
    return data;
  };
  await eventually(async () => (await fetch(`http://127.0.0.1:${port}/-/ready`)).ok);
  return {
    async query(expr) {
      const { result } = await ask<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(
        `query?query=${encodeURIComponent(expr)}`,
      );
      return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
    async rules() {
      const { groups } = await ask<{
        groups: { rules: { name: string; health: string; state: string }[] }[];
      }>('rules');
      return groups.flatMap((group) => group.rules);
    },
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function find(): boolean {
  const missing = ['prometheus', 'promtool'].filter(
    (name) => spawnSync(name, ['--version'], { encoding: 'utf8' }).status !== 0,
  );
  if (missing.length === 0) return true;
  if (process.env.POOLCTL_REQUIRE_SERVICES === '1')
    throw new Error(`${missing.join(' and ')}: not installed`);
  process.stderr.write(
    `not tested: metrics as Prometheus sees them; not installed: ${missing.join(' and ')}\n`,
  );
  return false;
}
