import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { runMain } from '../../src/cli/main.js';
import type { Diagnosis } from '../../src/diagnosis/diagnose.js';
import type { DoctorResult, FixStep } from '../../src/doctor/types.js';
import type { HealthReport } from '../../src/health/check.js';
import { bin, type Running, root, start } from '../helpers/bin.js';
import { testIo } from '../helpers/io.js';

/** What the three commands say at one moment. */
export interface Said {
  readonly top: Pick<Diagnosis, 'cause' | 'words'>;
  readonly health: readonly string[];
  readonly doctor: readonly string[];
  /** The steps that the doctor prints for the cause that top names. */
  readonly steps: readonly FixStep[];
}

export interface Lab {
  /** Runs a script of this folder under `poolctl run`, until the incident is over. */
  app(script: string, args: readonly string[], options?: AppOptions): Running;
  /** The sources beside the applications: `postgres://`, `pgbouncer://`, `mysql://`. */
  sources: readonly string[];
  /** Looks until top names this cause; null: until it names none. Then asks health and doctor, and notes all. */
  expect(
    cause: string | null,
    options?: { readonly limitMs?: number; readonly says?: RegExp },
  ): Promise<Said>;
  look(): Promise<Said>;
  /** To be called when the incident is over, the last first. */
  defer(end: () => unknown): void;
  readonly folder: string;
}

export interface AppOptions {
  readonly name?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What stands before `node`, as `sh -c 'ulimit -n 40; exec "$@"' sh`. */
  readonly shell?: string;
}

interface Row {
  readonly id: string;
  readonly expected: string | null;
  readonly said: Said;
}

const rows: Row[] = [];

/** Recreates one incident on real servers. */
export function incident(id: string, recreate: (lab: Lab) => Promise<void>): void {
  it(id, async () => {
    const ends: (() => unknown)[] = [];
    const folder = await mkdtemp(join(tmpdir(), 'poolctl-incident-'));
    const lab: Lab = {
      folder,
      sources: [],
      defer: (end) => void ends.unshift(end),
      app(script, args, { name = 'shop', env = {}, shell } = {}) {
        const node = [process.execPath, join(root, 'test/incidents', script), ...args];
        const program = shell === undefined ? node : ['sh', '-c', `${shell}; exec "$@"`, 'sh', ...node];
        const running = start(bin, ['run', '--name', name, '--leak-after', '1s', '--', ...program], {
          env: { XDG_RUNTIME_DIR: folder, ...env },
        });
        ends.unshift(() => {
          running.child.kill('SIGTERM');
          return running.finished;
        });
        return running;
      },
      look: () => look(folder, lab.sources),
      async expect(cause, { limitMs = 15_000, says } = {}) {
        const deadline = Date.now() + limitMs;
        // Before the application publishes, the server alone is judged.
        while (cause === null && !(await publishes(folder)) && Date.now() < deadline);
        let seen = await top(folder, lab.sources);
        while ((seen.cause !== cause || says?.test(seen.words) === false) && Date.now() < deadline)
          seen = await top(folder, lab.sources);
        const said = await look(folder, lab.sources);
        rows.push({ id, expected: cause, said });
        expect({ id, ...said.top, steps: undefined }).toMatchObject({ id, cause });
        if (says !== undefined) expect(said.top.words).toMatch(says);
        if (cause === null)
          expect({ health: said.health, doctor: said.doctor }).toEqual({ health: [], doctor: [] });
        else
          expect(said).toMatchObject({
            health: expect.arrayContaining([cause]),
            doctor: expect.arrayContaining([cause]),
          });
        return said;
      },
    };
    try {
      await recreate(lab);
    } finally {
      for (const end of ends) await end();
      await rm(folder, { recursive: true, force: true });
    }
  }, 90_000);
}

/** Prints what each command said, when all incidents of a file are over. */
export function printTable(): void {
  afterAll(() => {
    const lines = rows.map(({ id, expected, said }) =>
      [
        said.top.cause === expected ? 'right' : 'WRONG',
        id,
        `top: ${said.top.cause ?? '-'} (${said.top.words})`,
        `health: ${said.health.join(' ') || '-'}`,
        `doctor: ${said.doctor.join(' ') || '-'}`,
        ...said.steps.map(({ kind, text }) => `step (${kind}): ${text}`),
      ].join('\n      '),
    );
    process.stdout.write(`\n${lines.join('\n')}\n`);
  });
}

async function look(folder: string, sources: readonly string[]): Promise<Said> {
  const seen = await top(folder, sources);
  const health = await json<HealthReport>(folder, ['health', '--format', 'json'], sources);
  const doctor = await json<DoctorResult>(
    folder,
    ['doctor', '--only', 'cause-now', '--format', 'json'],
    sources,
  );
  const found = (doctor?.results ?? []).filter(({ status }) => status === 'fail' || status === 'warn');
  const causeOf = (summary: string): string => summary.slice(0, summary.indexOf(':'));
  return {
    top: seen,
    health: [...new Set((health?.pools ?? []).flatMap(({ cause }) => cause ?? []))],
    doctor: found.map(({ summary }) => causeOf(summary)),
    steps: found.find(({ summary }) => causeOf(summary) === seen.cause)?.fix?.steps ?? [],
  };
}

async function top(folder: string, sources: readonly string[]): Promise<Said['top']> {
  const said = await json<{ diagnosis: Said['top'] }>(
    folder,
    ['top', '--once', '--json', '--interval', '250ms'],
    sources,
  );
  return said?.diagnosis ?? { cause: null, words: 'top printed nothing' };
}

async function publishes(folder: string): Promise<boolean> {
  const health = await json<HealthReport>(folder, ['health', '--format', 'json'], []);
  return health?.pools.some(({ application }) => application !== null) === true;
}

/** What a command prints as JSON; null where it prints nothing. */
async function json<T>(
  folder: string,
  argv: readonly string[],
  sources: readonly string[],
): Promise<T | null> {
  const io = testIo({ cwd: root, env: { XDG_RUNTIME_DIR: folder } });
  const user = { ...io.user, uid: process.getuid?.() ?? null };
  await runMain({ commands, version: () => '1' }, [...argv, 'pool:', ...sources], { ...io, user });
  return io.out() === '' ? null : (JSON.parse(io.out()) as T);
}
