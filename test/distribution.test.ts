import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { validate } from 'dockerfile-utils';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { bin, root } from './helpers/bin.js';

const read = (name: string) => readFileSync(join(root, name), 'utf8');
const { version } = JSON.parse(read('package.json')) as { version: string };

/** What a Dockerfile does that an image should not. */
function dockerfileProblems(text: string): string[] {
  const lines = text
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const bases = lines.filter((line) => line.startsWith('FROM '));
  return [
    ...validate(text).map(({ message }) => String(message)),
    ...bases.filter((line) => !/:\d+\.\d+/.test(line)).map((line) => `no exact version: ${line}`),
    ...lines.filter((line) => /^(ADD|RUN sudo|RUN cd) /.test(line)).map((line) => `not this way: ${line}`),
    ...lines.filter((line) => /^(CMD|ENTRYPOINT) [^[]/.test(line)).map((line) => `a shell between: ${line}`),
    ...(lines.slice(lines.lastIndexOf(bases.at(-1) ?? '')).some((line) => /^USER (?!root)/.test(line))
      ? []
      : ['runs as root']),
  ];
}

describe('the Dockerfile', () => {
  it('has no fault', () => {
    expect(dockerfileProblems(read('Dockerfile'))).toEqual([]);
  });

  it('copies what the build and the package need', () => {
    const copied = [...read('Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) =>
      names.split(' '),
    );
    expect(copied.filter((name) => !existsSync(join(root, name)))).toEqual([]);
    const { files } = JSON.parse(read('package.json')) as { files: readonly string[] };
    const missing = files.filter((name) => name !== 'dist' && !copied.includes(name.split('/')[0] ?? ''));
    expect(missing).toEqual([]);
  });

  it.each([
    ['FROM node:latest\nUSER node', 'no exact version'],
    ['FROM node:22.1\nENTRYPOINT poolctl\nUSER node', 'a shell between'],
    ['FROM node:22.1\nRUN true', 'runs as root'],
    ['FROM node:22.1\nUSER node\nCOYP a b', 'Unknown instruction'],
  ])('would be seen with the fault of %j', (text, problem) => {
    expect(dockerfileProblems(text)).toEqual([expect.stringContaining(problem)]);
  });
});

interface Action {
  readonly inputs: Readonly<Record<string, { readonly default: string }>>;
  readonly runs: { readonly steps: readonly { readonly id?: string; readonly run?: string }[] };
}

describe('the GitHub action', () => {
  const action = parse(read('action.yml')) as Action;

  it('installs this version', () => {
    expect(action.inputs.version?.default).toBe(version);
  });

  it.each([
    ['audit-leaks examples/express-pgbouncer --no-cache', 1],
    ['explain fleet-sum', 0],
    ['explain $(touch /tmp/poolctl-action)', 2],
  ])('runs %j and exits with %i', (words, code) => {
    const folder = mkdtempSync(join(tmpdir(), 'poolctl-action-'));
    try {
      const poolctl = join(folder, 'poolctl');
      writeFileSync(poolctl, `#!/bin/sh\nexec "${process.execPath}" "${bin}" "$@"\n`);
      chmodSync(poolctl, 0o755);
      const script = action.runs.steps.find(({ id }) => id === 'run')?.run ?? '';
      const env = {
        ...process.env,
        PATH: `${folder}${delimiter}${process.env.PATH ?? ''}`,
        ARGUMENTS: words,
        GITHUB_OUTPUT: join(folder, 'output'),
      };
      const { status } = spawnSync('bash', ['-eo', 'pipefail', '-c', script], { cwd: root, env });
      expect(status).toBe(code);
      expect(readFileSync(env.GITHUB_OUTPUT, 'utf8')).toBe(`exit-code=${code}\n`);
      expect(existsSync('/tmp/poolctl-action')).toBe(false);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the hook for pre-commit', () => {
  it('runs a command of the package', () => {
    const [hook] = parse(read('.pre-commit-hooks.yaml')) as { id: string; entry: string; language: string }[];
    expect(hook).toMatchObject({ id: 'poolctl-audit-leaks', entry: 'poolctl audit-leaks', language: 'node' });
  });
});

describe('the issue forms', () => {
  const folder = '.github/ISSUE_TEMPLATE';
  const forms = readdirSync(join(root, folder)).filter((name) => name !== 'config.yml');

  it.each(forms)('%s has a name, a description and fields with ids', (name) => {
    const form = parse(read(`${folder}/${name}`)) as { body: { type: string; id: string }[] };
    expect(form).toMatchObject({ name: expect.any(String), description: expect.any(String) });
    for (const field of form.body)
      expect(field).toMatchObject({ type: expect.any(String), id: expect.any(String) });
  });
});
