import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runEmitted } from '../helpers/emitted.js';
import { hasProgram } from '../helpers/programs.js';
import { loadtest, type Ran } from './loadtest-helpers.js';

/** A password with signs that shells, YAML and URLs treat in their own way. */
const PASSWORD = `s3cr3t'p"w$(x)`;
const URL_WITH_PASSWORD = `postgres://app:${encodeURIComponent(PASSWORD)}@db.example:5433/shop?sslmode=require`;
const SQL = `SELECT '$(id)', "it's" -- \${HOME} #`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-emit-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const emit = (scheduler: string, ...argv: readonly string[]): Promise<Ran> =>
  loadtest([...argv, '--segment=auto/2', `--emit=${scheduler}`], { cwd: folder });

const remote = (scheduler: string, ...more: readonly string[]) =>
  emit(scheduler, URL_WITH_PASSWORD, '--allow-remote', '--sql', SQL, '--duration=10s', ...more);

/** The words that a shell makes of a script, as poolctl receives them. */
async function wordsIn(script: string): Promise<string[][]> {
  const fake = await mkdtemp(join(folder, 'fake-'));
  const names = ['poolctl', 'sbatch', 'parallel', 'npm'];
  for (const name of names) {
    await writeFile(
      join(fake, name),
      `#!/bin/sh\nprintf '%s\\0' "$@" >> ${fake}/words; echo >> ${fake}/words\n`,
    );
    await chmod(join(fake, name), 0o755);
  }
  await writeFile(join(fake, 'script'), script);
  const options = { cwd: fake, env: { PATH: `${fake}:${process.env.PATH}` } };
  await promisify(execFile)('bash', ['script'], options);
  const calls = (await readFile(join(fake, 'words'), 'utf8')).split('\0\n').filter((call) => call !== '');
  return calls.map((call) => call.split('\0'));
}

interface Job {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly [key: string]: unknown;
    readonly template: {
      readonly spec: {
        readonly restartPolicy: string;
        readonly volumes?: unknown;
        readonly containers: readonly {
          readonly image: string;
          readonly args: readonly string[];
          readonly env?: readonly {
            readonly name: string;
            readonly valueFrom?: unknown;
            readonly value?: string;
          }[];
        }[];
      };
    };
  };
}

describe('loadtest --emit kubernetes', () => {
  it('is an Indexed Job that keeps the rules of segments and the published schema', async () => {
    const { Job: Model } = await import('kubernetes-models/batch/v1');
    const { code, out, err } = await remote('kubernetes');
    expect([code, err]).toEqual([0, '']);
    const job = parse(out) as Job;
    expect(() => new Model(job as never).validate()).not.toThrow();
    expect(() =>
      new Model({ ...job, spec: { ...job.spec, completions: 'two' } } as never).validate(),
    ).toThrow();
    expect(job.spec).toMatchObject({
      completionMode: 'Indexed',
      completions: 2,
      parallelism: 2,
      backoffLimit: 0,
      template: { spec: { restartPolicy: 'Never' } },
    });
    const [container] = job.spec.template.spec.containers;
    const args = container?.args ?? [];
    // Kubernetes reads $$ as $, and leaves alone everything else.
    expect(args[args.indexOf('--sql') + 1]?.replaceAll('$$(', () => '$(')).toBe(SQL);
    expect(args.filter((word) => /^\$\(|[^$]\$\(/.test(word))).toEqual([]);
    expect(args.slice(-10)).toEqual(
      expect.arrayContaining([
        '--segment',
        'auto/2',
        '--format',
        'json',
        '--quiet',
        '--run-id',
        job.metadata.name,
      ]),
    );
    expect(container?.env).toEqual([
      {
        name: 'PGPASSWORD',
        valueFrom: { secretKeyRef: { name: job.metadata.name, key: 'PGPASSWORD', optional: true } },
      },
    ]);
    expect(out).toContain(`poolctl merge ${job.metadata.name}/*.json`);
  });

  it('mounts the files that the load needs', async () => {
    const { code, out } = await emit(
      'kubernetes',
      '--sql-file=queries/a.sql@3',
      '--image=registry.example/p:1',
    );
    const { containers, volumes } = (parse(out) as Job).spec.template.spec;
    expect([code, containers[0]?.image]).toEqual([0, 'registry.example/p:1']);
    expect(containers[0]?.args).toContain('a.sql@3');
    expect(volumes).toEqual([
      { name: 'files', configMap: { name: expect.stringMatching(/^load-.*-files$/) } },
    ]);
    expect(out).toContain('--from-file=queries/a.sql');
    expect((await emit('kubernetes', '--sql-file=a/q.sql', '--sql-file=b/q.sql')).err).toContain(
      'two files have the name q.sql',
    );
  });
});

/** GitHub's parser of workflows. It imports JSON as its bundler does, which Node refuses. */
async function workflowParser(): Promise<typeof import('@actions/workflow-parser')> {
  const file = join(folder, 'parser.mjs');
  await build({
    stdin: { contents: "export * from '@actions/workflow-parser'", resolveDir: import.meta.dirname },
    ...{ bundle: true, format: 'esm', platform: 'node', outfile: file, logLevel: 'error' },
  });
  return import(file);
}

describe('loadtest --emit github', () => {
  it("is a workflow by GitHub's own parser, with the secret by its name", async () => {
    const { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } = await workflowParser();
    const problemsOf = async (content: string) => {
      const { context, value } = parseWorkflow({ name: 'load.yml', content }, new NoOperationTraceWriter());
      if (value !== undefined) await convertWorkflowTemplate(context, value);
      return context.errors.getErrors().map(({ message }) => message);
    };
    const { code, out } = await remote('github', '--strict');
    expect([code, await problemsOf(out)]).toEqual([0, []]);
    expect(await problemsOf(out.replace('fail-fast', 'fail-fats'))).not.toEqual([]);
    const { jobs } = parse(out) as {
      jobs: {
        segment: { strategy: unknown; steps: { run?: string; env?: Record<string, string> }[] };
        merge: { steps: { run?: string }[] };
      };
    };
    expect(jobs.segment.strategy).toEqual({
      'fail-fast': false,
      'max-parallel': 2,
      matrix: { part: [1, 2] },
    });
    const run = jobs.segment.steps.find((step) => step.env !== undefined);
    expect(run?.env?.PGPASSWORD).toBe(`\${{ secrets.PGPASSWORD }}`);
    const [words = []] = await wordsIn(run?.run ?? '');
    expect(words[words.indexOf('--sql') + 1]).toBe(SQL);
    expect(jobs.merge.steps.at(-1)?.run).toContain('poolctl merge --strict part-*.json');
    expect((await emit('github', `--sql=SELECT '\${{ secrets.X }}'`)).err).toContain('GitHub would evaluate');
    expect((await emit('github', '--sql-file=/etc/a.sql')).err).toContain('outside of the repository');
  });
});

describe('loadtest --emit', () => {
  it.each(['kubernetes', 'slurm', 'github', 'parallel'])('writes no secret: %s', async (scheduler) => {
    const { code, out } = await remote(scheduler);
    expect(code).toBe(0);
    expect(out).toContain('postgres://app@db.example:5433/shop?sslmode=require');
    expect(out).not.toMatch(/s3cr3t/);
    const inParameter = await emit(
      scheduler,
      'postgres://db.example/shop?password=s3cr3t-x',
      '--allow-remote',
    );
    expect([inParameter.code, inParameter.out]).toEqual([2, '']);
    expect(inParameter.err).toContain('holds a secret');
    const token = await emit(
      scheduler,
      'http://db.example/',
      '--allow-remote',
      '--header=Authorization: Bearer s3cr3t-x',
    );
    expect([token.code, token.out]).toEqual([2, '']);
    expect(token.err).toContain('--header holds a secret');
    expect(`${inParameter.err}${token.err}`).not.toContain('s3cr3t');
  });

  it('passes on what the environment and the config file say, as words', async () => {
    await writeFile(
      join(folder, 'poolctl.config.json'),
      '{ "loadtest": { "sqlFile": ["q.sql@2"], "prePing": false } }',
    );
    const argv = ['--segment=auto/2', '--emit=slurm', '--num-queries=40'];
    const { code, out } = await loadtest(argv, { cwd: folder, env: { DB_POOL_SIZE: '7' } });
    await rm(join(folder, 'poolctl.config.json'));
    expect(code).toBe(0);
    expect(out).toContain('--num-queries 40 --sql-file q.sql@2 --pool-size 7 --no-pre-ping');
  });

  it('refuses a load that no segment could run', async () => {
    expect((await loadtest(['--emit=slurm'])).err).toContain('--emit needs the number of segments');
    expect((await loadtest(['--emit=slurm', '--segment=1/2'])).err).toContain('--segment auto/8');
    expect((await emit('slurm', 'postgres://app@db.example/shop')).err).toContain('--allow-remote');
    expect((await emit('slurm', '--num-workers=1')).err).toContain('cannot be split over 2 segments');
    expect((await emit('slurm', '--run-id=A b')).err).toContain('is no name of an object');
    const own = await emit('slurm', 'postgres://app@localhost/shop');
    expect([own.code, own.err]).toEqual([
      0,
      expect.stringContaining('localhost is the machine of each segment'),
    ]);
  });
});

describe.skipIf(!hasProgram('parallel', 'a load in GNU parallel'))('loadtest --emit parallel', () => {
  it('runs all segments at once, and merges them', async () => {
    const report = await runEmitted('parallel', folder, { START_IN: '8 sec' });
    expect(report).toMatch(/^ +1 .*\n +2 /m);
    expect(report).not.toContain('is missing');
  }, 90_000);
});
