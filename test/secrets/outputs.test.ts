import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditResult } from '../../src/audit/types.js';
import { maskReport, maskSecrets, registerSecretsIn } from '../../src/base/secrets.js';
import { reportOf, UnavailableError, UsageError } from '../../src/cli/errors.js';
import type { DoctorResult } from '../../src/doctor/types.js';
import { unreadable } from '../../src/health/of-reading.js';
import { compareRuns } from '../../src/loadtest/compare.js';
import type { ShowResult } from '../../src/report/pgbouncer/show.js';
import { type Format, formatsOf, type Report, rendererOf } from '../../src/report/registry.js';
import type { Reading } from '../../src/snapshot/reading.js';
import { masking } from '../../src/sources/masking.js';
import { bin, start } from '../helpers/bin.js';
import { comparable } from '../loadtest/comparable.js';
import { poolReading } from '../metrics/readings.js';
import { fullResult } from '../report/full-result.js';
import { formsOf, GIVEN, type Given, QUOTES } from './carriers.js';

const SEED = 20_261_130;
const RENDER = { color: false, unicode: true, width: 80, cwd: '/', version: '1.2.3' };
const MARK = 'a message of a server';

const audit: AuditResult = {
  schema: 1,
  findings: [
    {
      ...{ rule: 'leak', resource: 'pg-pool', kind: 'never-released', severity: 'error', confidence: 'high' },
      ...{ file: 'src/a.ts', line: 4, column: 1, endLine: 4, endColumn: 9, message: MARK },
      trail: [{ role: 'acquire', file: 'src/a.ts', line: 4, column: 1, message: MARK, source: MARK }],
      fingerprint: '0123456789abcdef',
    },
  ],
  warnings: [{ file: 'src/b.ts', line: null, reason: MARK }],
  summary: { files: 1, parsed: 1, acquireCalls: 1, suppressed: 0, undecided: 0, baselined: 0 },
};
const doctor: DoctorResult = {
  ...{ schema: 1, kind: 'doctor', passed: false, counts: { pass: 0, warn: 0, fail: 1, skipped: 0 } },
  targets: [
    {
      kind: 'postgres',
      label: 'postgres://b/x',
      what: MARK,
      problem: { message: MARK, hint: MARK, code: null },
    },
  ],
  results: [
    {
      ...{ check: 'pg-monitor', status: 'fail', title: 't', why: MARK, subjects: ['postgres://b/x'] },
      ...{ summary: MARK, evidence: [MARK] },
      fix: { steps: [{ kind: 'sql', at: null, text: MARK }], risk: MARK },
    },
  ],
};
const shown: ShowResult = { schema: 1, what: 'config', columns: ['key', 'value'], rows: [['a', MARK]] };
const load = fullResult();
const withMessage = {
  ...load,
  measurements: {
    ...load.measurements,
    errors: [{ ...(load.measurements.errors[0] as object), message: MARK }],
  },
};
const health = { schema: 1, taken_at_ms: 1, status: 'error', pools: [unreadable(MARK, MARK)] };
const SAMPLES: readonly (readonly [report: Report, sample: unknown])[] = [
  ['audit', audit],
  ['doctor', doctor],
  ['loadtest', withMessage],
  ['compare', compareRuns(comparable({ seed: 1 }), comparable({ seed: 2 }))],
  ['pgbouncerShow', shown],
  ['health', health],
];

/** The same data with the mark replaced by what a server says. */
function saying<T>(sample: T, words: string): T {
  return JSON.parse(JSON.stringify(sample), (_, value: unknown) => (value === MARK ? words : value)) as T;
}

/** What a text shows of a secret; null if nothing. */
function leakIn(text: string, { secret, inText }: Given): string | null {
  const folded = text.replace(/\s+/g, ' ');
  if (secret.length < 4) return text.includes(inText) ? inText : null;
  return formsOf(secret).find((form) => text.includes(form) || folded.includes(form)) ?? null;
}

type Render = (words: string) => string;

async function renderers(): Promise<readonly (readonly [name: string, render: Render])[]> {
  const all: [string, Render][] = [];
  for (const [report, sample] of SAMPLES) {
    for (const format of formatsOf(report)) {
      const render = (await rendererOf(report, format as Format<typeof report>)) as (
        ...input: unknown[]
      ) => string;
      all.push([`${report} as ${format}`, (words) => maskReport(render(saying(sample, words), RENDER))]);
    }
  }
  const where = { command: 'top', interruption: null, nodeVersion: 'v20' };
  const error = (words: string) => new UnavailableError(words, { hint: words, cause: new Error(words) });
  all.push(
    ['an error', (words) => reportOf(error(words), where).text],
    [
      'a usage error',
      (words) => reportOf(new UsageError([words, { message: 'x', hint: words }]), where).text,
    ],
    ['a defect', (words) => reportOf(new TypeError(words), where).text],
    ['a log', (words) => maskSecrets(words)],
  );
  return all;
}

describe('outputs', () => {
  let all: Awaited<ReturnType<typeof renderers>>;
  beforeAll(async () => {
    all = await renderers();
  });

  it('show no secret that was parsed, in 10,000 URLs, configurations and messages of servers', () => {
    fc.assert(
      fc.property(GIVEN, fc.constantFrom(...QUOTES), fc.nat(), (given, quote, at) => {
        registerSecretsIn(given.text);
        const [name, render] = all[at % all.length] as (typeof all)[number];
        // A short one is known by the structure around it alone.
        if (given.secret.length < 4 && /^(?:audit|doctor) /.test(name)) return;
        const words = given.secret.length < 4 ? given.text : `cannot log in: ${quote(given.secret)} (28P01)`;
        const text = render(words);
        const leak = leakIn(text, given);
        if (leak !== null) throw new Error(`${name} shows ${leak} of ${given.text}`);
      }),
      { numRuns: 10_000, seed: SEED },
    );
  }, 600_000);

  it('show no secret of the text itself, in 10,000 URLs and configurations that were never parsed', () => {
    fc.assert(
      fc.property(GIVEN, (given) => {
        const leak = leakIn(maskSecrets(given.text), given);
        if (leak !== null) throw new Error(`${leak} of ${given.text}`);
      }),
      { numRuns: 10_000, seed: SEED + 1 },
    );
  }, 600_000);

  it('made of readings (screens, metrics, recordings) show none either, in 2,000 readings', async () => {
    const sample = poolReading({});
    await fc.assert(
      fc.asyncProperty(GIVEN, fc.constantFrom(...QUOTES), async (given, quote) => {
        registerSecretsIn(given.text);
        const words = given.secret.length < 4 ? given.text : `said ${quote(given.secret)}!`;
        const reading: Reading = {
          ...sample,
          pools: sample.pools.map((pool) => ({
            ...pool,
            ...{ name: words, createError: words },
            holders: pool.holders.map((holder) => ({ ...holder, lastSql: words })),
          })),
          gaps: [{ what: words, why: words }],
        };
        const source = { label: 'x', kind: 'pool' as const, read: async () => reading };
        const masked = masking({ ...source, async [Symbol.asyncDispose]() {} });
        const text = JSON.stringify(await masked.read(new AbortController().signal));
        const leak = leakIn(text, given);
        if (leak !== null) throw new Error(`${leak} of ${given.text}`);
      }),
      { numRuns: 2000, seed: SEED + 2 },
    );
  }, 600_000);

  it('are seen to leak where one is not masked', () => {
    const given = { secret: 'Zq"planted 7xK', text: '', inText: '' };
    const [, render] = all.find(([name]) => name === 'doctor as junit') as (typeof all)[number];
    expect(leakIn(render(`said ${given.secret}`), given)).not.toBeNull();
    registerSecretsIn(`password='${given.secret}'`);
    expect(leakIn(render(`said ${given.secret}`), given)).toBeNull();
  });
});

describe('poolctl as a process', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolctl-secrets-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const SECRET = `Zq'7/ä "x&K`;
  const url = `postgres://app:${encodeURIComponent(SECRET)}@127.0.0.1:1/shop`;

  it.each<[string, readonly string[]]>([
    ['a load test of nobody', ['loadtest', url, '--duration', '1s']],
    ['its configuration', ['loadtest', url, '--print-config']],
    ['its configuration as JSON', ['loadtest', url, '--print-config', '--format', 'json']],
    ['a misspelled scheme', ['loadtest', url.replace('postgres:', 'postgress:')]],
    ['an unexpected argument', ['loadtest', 'sqlite:x', url]],
    ['an option that is not known', ['loadtest', `--urll=${url}`]],
    ['a value that is not one', ['loadtest', '--pool-size', url]],
    ['the doctor', ['doctor', url]],
    ['the doctor as JUnit', ['doctor', url, '--format', 'junit']],
    ['health', ['health', url, '--format', 'json']],
    ['top', ['top', url, '--once', '--json']],
    [
      'a pooler that is not there',
      ['pgbouncer', 'show', 'pools', '--at', url.replace('postgres', 'pgbouncer')],
    ],
    ['a config file', ['loadtest', '--config', 'secret.json', '--print-config']],
    ['the environment', ['loadtest', 'postgres://app@127.0.0.1:1/shop', '--duration', '1s', '--verbose']],
  ])('shows no secret: %s', async (_, argv) => {
    await writeFile(
      join(folder, 'secret.json'),
      JSON.stringify({ loadtest: { target: url, header: [`Authorization: Bearer ${SECRET}`] } }),
    );
    const { finished } = start(bin, argv, { cwd: folder, env: { PGPASSWORD: SECRET } });
    const { stdout, stderr } = await finished;
    const text = stdout + stderr;
    expect(text).not.toBe('');
    expect(leakIn(text, { secret: SECRET, text: url, inText: url })).toBeNull();
  });

  // The shell's PWD is the folder, and no password.
  it.each(['PWD', 'OLDPWD'])('shows a path, though it is in %s', async (name) => {
    const path = join(folder, 'not-there');
    const env = { [name]: name.endsWith('PWD') ? folder : path };
    const { finished } = start(bin, ['audit-leaks', path], { cwd: folder, env });
    expect((await finished).stderr).toContain(path);
  });
});
