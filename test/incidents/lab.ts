import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
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
  /** Runs a script of `apps` under `poolctl run`, until the incident is over. */
  app(script: string, args: readonly string[], options?: AppOptions): Running;
  /** The sources beside the applications: `postgres://`, `pgbouncer://`, `mysql://`. */
  sources: readonly string[];
  /** Variables of the commands, such as DB_POOL_SIZE. */
  env: Readonly<Record<string, string>>;
  /** Runs between an application and its repaired form, as for sessions that the first one has left. */
  betweenRuns: () => Promise<unknown>;
  /** The address at which a printed statement runs, by that of the source. Default: the same. */
  asAdmin: (source: string) => string;
  /** Looks until top names this cause; null: until it names none. Then asks health and doctor, and notes all. */
  expect(cause: string | null, options?: Expected): Promise<Said>;
  look(): Promise<Said>;
  /** Runs the printed statements and console commands as they stand; then nothing may be named any more. */
  repairSql(said: Said, options?: Expected): Promise<void>;
  /** Starts the applications anew with the code that a printed step asks for; then nothing may be named any more. */
  repairCode(said: Said, printed: RegExp, options?: Expected): Promise<void>;
  /** Notes that a step which the test applied itself, such as a line of pgbouncer.ini, has ended the incident. */
  repaired(said: Said, printed: RegExp, options?: Expected): Promise<void>;
  /** To be called when the incident is over, the last first. */
  defer(end: () => unknown): void;
  readonly folder: string;
}

export interface Expected {
  readonly limitMs?: number;
  readonly says?: RegExp;
  /** Further causes that the doctor lists. */
  readonly also?: readonly string[];
  /** The line that top names: the first with the second text, behind the first text. */
  readonly line?: readonly [script: string, behind: string, text: string];
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
  readonly isRightLine: boolean;
}

const rows: Row[] = [];
/** The incidents that a printed repair has ended. */
const repairs: string[] = [];

/** Recreates one incident on real servers. */
export function incident(
  id: string,
  recreate: (lab: Lab) => Promise<void>,
  { timeoutMs = 120_000 }: { readonly timeoutMs?: number } = {},
): void {
  it(
    id,
    async () => {
      const ends: (() => unknown)[] = [];
      const apps: { readonly running: Running; readonly again: () => Running }[] = [];
      const folder = await mkdtemp(join(tmpdir(), 'poolctl-incident-'));
      const io = (): Place => ({ folder, env: lab.env, sources: lab.sources });
      /** The incident has ended: nothing is named any more. */
      const isOver = async (said: Said, options?: Expected): Promise<void> => {
        await lab.expect(null, options);
        repairs.push(`${said.top.cause} (${id})`);
      };
      const lab: Lab = {
        folder,
        sources: [],
        env: {},
        asAdmin: (source) => source,
        betweenRuns: () => Promise.resolve(),
        defer: (end) => void ends.unshift(end),
        app(script, args, options = {}) {
          const { name = 'shop', env = {}, shell } = options;
          const node = [process.execPath, join(root, 'test/incidents/apps', script), ...args];
          const program = shell === undefined ? node : ['sh', '-c', `${shell}; exec "$@"`, 'sh', ...node];
          const running = start(bin, ['run', '--name', name, '--leak-after', '1s', '--', ...program], {
            env: { XDG_RUNTIME_DIR: folder, ...env },
          });
          ends.unshift(() => {
            running.child.kill('SIGTERM');
            return running.finished;
          });
          apps.push({ running, again: () => lab.app(script, [...args, 'repaired'], options) });
          return running;
        },
        look: () => look(io()),
        async repairSql(said, options) {
          const applied = said.steps.filter(({ kind }) => kind === 'sql' || kind === 'console');
          expect(applied.length).toBeGreaterThan(0);
          for (const { text, at } of applied) await applyStep(text, at, lab);
          await isOver(said, options);
        },
        async repairCode(said, printed, options) {
          expect(said.steps.map(({ text }) => text).join('\n')).toMatch(printed);
          const ended = apps.splice(0);
          for (const { running } of ended) {
            running.child.kill('SIGTERM');
            await running.finished;
          }
          await lab.betweenRuns();
          for (const { again } of ended) again();
          await isOver(said, options);
        },
        async repaired(said, printed, options) {
          expect(said.steps.map(({ text }) => text).join('\n')).toMatch(printed);
          await isOver(said, options);
        },
        async expect(cause, { limitMs = 30_000, says, also = [], line } = {}) {
          const deadline = Date.now() + limitMs;
          // Before the application publishes, the server alone is judged.
          while (cause === null && !(await publishes(io())) && Date.now() < deadline);
          const site = line === undefined ? '' : siteOf(...line);
          const isSaid = ({ cause: named, words }: Said['top']): boolean =>
            named === cause && says?.test(words) !== false && words.includes(site);
          let seen = await top(io());
          while (!isSaid(seen) && Date.now() < deadline) seen = await top(io());
          const checks = cause === null ? 'cause-now,pool-room' : 'cause-now';
          let said = await look(io(), checks);
          // Rates need two looks, and what has just ended may still be told at the first.
          while (!isSaid(said.top) && Date.now() < deadline) said = await look(io(), checks);
          rows.push({ id, expected: cause, said, isRightLine: said.top.words.includes(site) });
          expect({ id, ...said.top, steps: undefined }).toMatchObject({ id, cause });
          if (says !== undefined) expect(said.top.words).toMatch(says);
          expect(said.top.words).toContain(site);
          expect(said.doctor).toEqual(expect.arrayContaining([...also]));
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
    },
    timeoutMs,
  );
}

/** `apps/pg.mjs:31`: where an application acquires. */
function siteOf(script: string, behind: string, text: string): string {
  const lines = readFileSync(join(root, 'test/incidents/apps', script), 'utf8').split('\n');
  const from = lines.findIndex((one) => one.includes(behind));
  const at = lines.findIndex((one, i) => i >= from && one.includes(text));
  if (from < 0 || at < 0) throw new Error(`${script} has no '${text}' behind '${behind}'`);
  return `${basename(script)}:${at + 1}`;
}

/** A printed statement, in the client of the server; a command of the console, in psql. */
async function applyStep(text: string, at: string | null, { sources, asAdmin }: Lab): Promise<void> {
  const [, port] = /:(\d+)(?:\/|$)/.exec(at ?? '') ?? [];
  const source = sources.find((one) => new URL(one).port === port);
  if (source === undefined) throw new Error(`no source of this incident is ${at}`);
  const url = new URL(asAdmin(source));
  if (url.protocol === 'mysql:') {
    const { port: of, username, password } = url;
    const account = ['-h127.0.0.1', `-P${of}`, `-u${username}`, `-p${decodeURIComponent(password)}`];
    await promisify(execFile)('mariadb', [...account, '-e', text]);
    return;
  }
  const address =
    url.protocol === 'pgbouncer:' ? `${url.href.replace('pgbouncer:', 'postgres:')}pgbouncer` : url.href;
  await promisify(execFile)('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', address, '-c', text]);
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
    const right = (of: (row: Row) => boolean): string => `${rows.filter(of).length} of ${rows.length}`;
    const names = ({ expected }: Row, found: readonly string[]): boolean =>
      expected === null ? found.length === 0 : found.includes(expected);
    const counts = [
      `top ${right((row) => row.said.top.cause === row.expected)}`,
      `health ${right((row) => names(row, row.said.health))}`,
      `doctor ${right((row) => names(row, row.said.doctor))}`,
      `line ${right(({ isRightLine }) => isRightLine)}`,
    ].join(', ');
    process.stdout.write(
      `\n${lines.join('\n')}\nright: ${counts}\nended by the printed repair: ${repairs.length}: ${repairs.join(', ')}\n`,
    );
  });
}

/** What the commands read: the folder of the sockets, their environment, and the sources. */
interface Place {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly sources: readonly string[];
}

async function look(place: Place, checks = 'cause-now'): Promise<Said> {
  const seen = await top(place);
  const health = await json<HealthReport>(place, ['health', '--format', 'json']);
  const doctor = await json<DoctorResult>(place, ['doctor', '--only', checks, '--format', 'json']);
  const found = (doctor?.results ?? []).filter(({ status }) => status === 'fail' || status === 'warn');
  const causeOf = (summary: string): string => summary.slice(0, summary.indexOf(':'));
  return {
    top: seen,
    health: [...new Set((health?.pools ?? []).flatMap(({ cause }) => cause ?? []))],
    doctor: found.map(({ summary }) => causeOf(summary)),
    steps: found.find(({ summary }) => causeOf(summary) === seen.cause)?.fix?.steps ?? [],
  };
}

async function top(place: Place): Promise<Said['top']> {
  const argv = ['top', '--once', '--json', '--interval', '250ms'];
  const said = await json<{ diagnosis: Said['top'] }>(place, argv);
  return said?.diagnosis ?? { cause: null, words: 'top printed nothing' };
}

async function publishes(place: Place): Promise<boolean> {
  const health = await json<HealthReport>({ ...place, sources: [] }, ['health', '--format', 'json']);
  return health?.pools.some(({ application }) => application !== null) === true;
}

/** What a command prints as JSON; null where it prints nothing. */
async function json<T>({ folder, env, sources }: Place, argv: readonly string[]): Promise<T | null> {
  const io = testIo({ cwd: root, env: { XDG_RUNTIME_DIR: folder, ...env } });
  const user = { ...io.user, uid: process.getuid?.() ?? null };
  await runMain({ commands, version: () => '1' }, [...argv, 'pool:', ...sources], { ...io, user });
  return io.out() === '' ? null : (JSON.parse(io.out()) as T);
}
