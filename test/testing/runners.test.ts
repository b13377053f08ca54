import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root, start } from '../helpers/bin.js';
import { installPackage } from '../helpers/installed.js';

/** What every test file begins with; the runner's own names come before it. */
const PRELUDE = `
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createDatabase } from 'poolctl';
import { expectNoLeaks, failOnLeak } from 'poolctl/testing';

setFlagsFromString('--expose_gc');
const gc = runInNewContext('gc');
const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
const kept = [];
`;

/** A pool for the whole file, whose tests are all checked. \`HERE\` marks the line that a failure must name. */
const OF_A_FILE = `${PRELUDE}
const db = createDatabase('sqlite:' + FOLDER + '/file.db?mode=inline');
const full = createDatabase('sqlite::memory:?mode=inline');
failOnLeak([db, full], { beforeEach, afterEach }, { settleMs: 100 });
kept.push(await full.getDb());
after(async () => {
  for (const session of kept) await session.close();
  await db.close({ graceMs: 0 });
  await full.close({ graceMs: 0 });
});

test('closes what it takes', async () => {
  await db.withSession((session) => session.query('select 1'));
});
test('leaves a session out', async () => {
  kept.push(await db.getDb()); // HERE: leaves a session out
});
test('answers for nothing that was out before', async () => {
  await kept[1].query('select 1');
});
test('closes what was out before', async () => {
  await kept[1].close();
});
test('takes a session in a helper', async () => {
  const open = async () => {
    const session = await db.getDb(); // HERE: takes a session in a helper
    return session;
  };
  kept.push(await open());
});
test('drops a session, and the garbage collector finds it', async () => {
  const before = db.pool.snapshot().counters.collected;
  const drop = async () => {
    await (await db.getDb()).query('select 1'); // HERE: drops a session, and the garbage collector finds it
  };
  await drop();
  for (let i = 0; i < 50 && db.pool.snapshot().counters.collected === before; i++) {
    gc();
    await turn();
  }
  if (db.pool.snapshot().counters.collected === before) throw new Error('nothing was collected');
});
test('answers for nothing that was collected before', async () => {
  gc();
});
test('closes a moment after its end', async () => {
  const session = await db.getDb();
  setTimeout(() => void session.close(), 5);
});
test('leaves an acquire waiting', async () => {
  full.getDb().then((session) => kept.push(session));
});
test('throws by itself, and closes what it took', async () => {
  await db.withSession(() => {
    throw new Error('of the test');
  });
});
`;

/** Checked in single tests only. */
const OF_A_TEST = `${PRELUDE}
const db = createDatabase('sqlite:' + FOLDER + '/test.db?mode=inline');
after(() => db.close({ graceMs: 0 }));

test('is not checked', async () => {
  kept.push(await db.getDb());
});
test('is checked, and clean', async (t) => {
  failOnLeak(db, t);
  await db.withSession((session) => session.query('select 1'));
});
test('is checked, and leaves a session out', async (t) => {
  failOnLeak(db, t, { settleMs: 0 });
  kept.push(await db.getDb()); // HERE: is checked, and leaves a session out
});
test('looks by itself, where all is back', async () => {
  for (const session of kept) await session.close();
  expectNoLeaks(db);
});
test('looks by itself, where a session is out', async () => {
  kept.push(await db.getDb()); // HERE: looks by itself, where a session is out
  expectNoLeaks(db);
});
`;

const EXPECTED: Readonly<Record<string, Readonly<Record<string, string | null>>>> = {
  'file.test.mjs': {
    'closes what it takes': null,
    'leaves a session out': '1 lease was not released',
    'answers for nothing that was out before': null,
    'closes what was out before': null,
    'takes a session in a helper': '1 lease was not released',
    'drops a session, and the garbage collector finds it': 'dropped and garbage-collected',
    'answers for nothing that was collected before': null,
    'closes a moment after its end': null,
    'leaves an acquire waiting': '1 acquire still waits',
    'throws by itself, and closes what it took': 'of the test',
  },
  'test.test.mjs': {
    'is not checked': null,
    'is checked, and clean': null,
    'is checked, and leaves a session out': '1 lease was not released',
    'looks by itself, where all is back': null,
    'looks by itself, where a session is out': '1 lease was not released',
  },
};

interface Outcome {
  readonly name: string;
  /** All that the runner says of the failure; null where it passed. */
  readonly failure: string | null;
}

interface Runner {
  readonly name: string;
  readonly imports: string;
  run(file: string): Promise<Outcome[]>;
}

let app: string;
beforeAll(async () => {
  app = await realpath(await mkdtemp(join(tmpdir(), 'poolctl-testing-')));
  await installPackage(app);
  await symlink(join(root, 'node_modules/vitest'), join(app, 'node_modules/vitest'), 'junction');
  await mkdir(join(app, 'data'));
});
afterAll(() => rm(app, { recursive: true }));

const runners: readonly Runner[] = [
  {
    name: 'vitest',
    imports: "import { afterAll as after, afterEach, beforeEach, test } from 'vitest';",
    async run(file) {
      const report = join(app, 'report.json');
      const argv = ['run', '--root', app, '--reporter=json', `--outputFile=${report}`, file];
      await start(join(root, 'node_modules/vitest/vitest.mjs'), argv, { cwd: app }).finished;
      const { testResults } = JSON.parse(await readFile(report, 'utf8')) as VitestReport;
      return testResults
        .flatMap(({ assertionResults }) => assertionResults)
        .map(({ title, failureMessages }) => ({
          name: title,
          failure: failureMessages.length === 0 ? null : failureMessages.join('\n'),
        }));
    },
  },
  {
    name: 'node:test',
    imports: "import { after, afterEach, beforeEach, test } from 'node:test';",
    async run(file) {
      const nodeArgs = ['--test', '--test-reporter=tap'];
      const { stdout } = await start(join(app, file), [], { cwd: app, nodeArgs }).finished;
      return stdout
        .split(/^(?= *(?:not )?ok \d+ - )/m)
        .flatMap((part) => {
          const [, not, name] = /^ *(not )?ok \d+ - (.*)$/m.exec(part) ?? [];
          return name === undefined ? [] : [{ name, failure: not === undefined ? null : part }];
        })
        .filter(({ name }) => !name.endsWith('.mjs'));
    },
  },
];

interface VitestReport {
  readonly testResults: { readonly assertionResults: { title: string; failureMessages: string[] }[] }[];
}

describe.each(runners)('with $name', ({ name: runner, imports, run }) => {
  it.each([
    { what: 'every test of a file', name: 'file.test.mjs', body: OF_A_FILE },
    { what: 'a single test', name: 'test.test.mjs', body: OF_A_TEST },
  ])('$what is failed for its own leaks, by the line that acquired', async ({ name, body }) => {
    const file = `${runner === 'vitest' ? 'v' : 'n'}-${name}`;
    const source = `${imports}\nconst FOLDER = ${JSON.stringify(join(app, 'data'))};${body}`;
    await writeFile(join(app, file), source);
    const expected = Object.entries(EXPECTED[name] ?? {});
    const outcomes = await run(file);
    expect(outcomes.map((outcome) => outcome.name)).toEqual(expected.map(([test]) => test));
    for (const [i, [test, failure]] of expected.entries()) {
      const told = outcomes[i]?.failure ?? null;
      if (failure === null) expect(told, test).toBeNull();
      else expect(told, test).toContain(failure);
      const line = source.split('\n').findIndex((text) => text.endsWith(`// HERE: ${test}`)) + 1;
      if (line > 0) expect(told).toContain(`acquired at ${join(app, file)}:${line}:`);
    }
  });
});

it('with the fake timers of vitest left on, the check still ends', async () => {
  const [vitest] = runners;
  await writeFile(
    join(app, 'fake.test.mjs'),
    `import { afterEach, beforeEach, test, vi } from 'vitest';
    import { createDatabase } from 'poolctl';
    import { failOnLeak } from 'poolctl/testing';
    const db = createDatabase('sqlite::memory:?mode=inline');
    failOnLeak(db, { beforeEach, afterEach }, { settleMs: 20 });
    let kept;
    test('leaks while time stands still', async () => {
      kept = await db.getDb();
      vi.useFakeTimers();
    });`,
  );
  expect(await vitest?.run('fake.test.mjs')).toEqual([
    { name: 'leaks while time stands still', failure: expect.stringContaining('1 lease was not released') },
  ]);
});
