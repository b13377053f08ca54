import { readFileSync } from 'node:fs';
import { join } from 'node:path/posix';
import { describe, expect, it } from 'vitest';
import {
  cycleIn,
  type Graph,
  graphOf,
  type Import,
  importsOf,
  root,
  targetOf,
  texts,
  wayTo,
  withoutComments,
  withoutStrings,
  withoutTemplates,
} from './helpers/imports.js';

/** What each room of src may import. A room not listed here does not exist. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  snapshot: ['base'],
  pool: ['snapshot', 'base'],
  db: ['pool', 'snapshot', 'base'],
  loadtest: ['lab', 'pool', 'db', 'http', 'ws', 'snapshot', 'base'],
  audit: ['base'],
  watch: ['leases', 'pool', 'snapshot', 'base'],
  attach: ['watch', 'snapshot', 'base'],
  sources: ['watch', 'pool', 'db', 'snapshot', 'base'],
  pgbouncer: ['base'],
  diagnosis: ['sources', 'report', 'snapshot', 'base'],
  doctor: [
    'sizing',
    'leases',
    'diagnosis',
    'sources',
    'pgbouncer',
    'watch',
    'pool',
    'db',
    'snapshot',
    'base',
  ],
  ib: ['pool', 'snapshot', 'base'],
  ws: ['pool', 'snapshot', 'base'],
  http: ['pool', 'snapshot', 'base'],
  lab: ['ib', 'ws', 'snapshot', 'base'],
  top: ['sizing', 'leases', 'diagnosis', 'sources', 'watch', 'pool', 'report', 'snapshot', 'base'],
  health: ['diagnosis', 'sources', 'watch', 'pool', 'snapshot', 'base'],
  metrics: ['diagnosis', 'sources', 'watch', 'pool', 'snapshot', 'base'],
  report: ['base'],
  cli: ['report', 'base'],
  config: [],
  setup: ['audit', 'base'],
  settings: ['audit', 'cli', 'base'],
  eslint: ['settings', 'audit', 'base'],
  explain: ['base'],
  testing: ['pool', 'db', 'snapshot', 'base'],
  leases: ['base'],
  sizing: ['leases', 'pool', 'base'],
  schedulers: ['base'],
  agents: ['loadtest', 'db', 'base'],
  'index.ts': ['config', 'pool', 'db', 'snapshot', 'base'],
};
/** Rooms that may name any room's types, since they draw its results. */
const READS_ALL_TYPES = ['report'];
/** Rooms that are loaded into applications: they take only types from the snapshot room, whose code loads valibot. */
const WRITES_SNAPSHOTS = [
  'pool',
  'db',
  'http',
  'ws',
  'ib',
  'watch',
  'lab',
  'loadtest',
  'testing',
  'index.ts',
];
/** Where each npm package may be imported, so that nothing is loaded that a run does not use. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@stoqey/ib': ['src/ib/'],
  autocannon: ['src/loadtest/http/'],
  bullmq: ['src/agents/'],
  'better-sqlite3': ['src/db/drivers/'],
  chalk: ['src/report/'],
  commander: ['src/cli/'],
  'hdr-histogram-js': ['src/report/loadtest/'],
  ink: ['src/top/components/'],
  ioredis: ['src/agents/'],
  mysql2: ['src/db/drivers/'],
  pg: ['src/db/drivers/'],
  'prom-client': ['src/metrics/'],
  react: ['src/top/components/'],
  'ts-blank-space': ['src/cli/'],
  'ts-morph': ['src/audit/', 'src/cli/type-stripping.ts'],
  '@lezer/python': ['src/audit/languages/python/'],
  diff: ['src/audit/'],
  undici: ['src/http/'],
  valibot: ['src/snapshot/schema.ts'],
  ws: ['src/ws/', 'src/lab/feed-server/', 'src/attach/'],
  yaml: ['src/setup/'],
};
/** Rules below the rooms: a file of a place imports only its own kind, by resolved path. Packages have their own table. */
const PLACES: readonly (readonly [place: RegExp, may: RegExp, reason: string])[] = [
  [
    /^src\/lab\/ib-gateway\/wire\//,
    /^src\/(base|lab\/ib-gateway\/wire)\//,
    'the wire format is pure: it knows no session and no socket',
  ],
  [
    /^src\/lab\/ib-gateway\//,
    /^node:|^src\/(base|lab\/ib-gateway)\//,
    'a simulator shares no code with the pool that it judges',
  ],
  [
    /^src\/lab\/feed-server\/feed\.ts$/,
    /^src\/(base\/|ws\/|lab\/feed-server\/sliding-window\.ts)/,
    'the logic of a feed knows no socket',
  ],
  [
    /^src\/lab\//,
    /^(?!src\/base\/(?:backoff|rolling-counter|sliding-log|token-bucket|turnstile)\.ts$)/,
    'the lab counts what a pool sends with a limiter of its own',
  ],
  [/^src\/ws\/placement\.ts$/, /^src\/base\//, 'placement is pure'],
  [
    /^src\/loadtest\/workloads\//,
    /^node:|^src\/(base|pool|db|loadtest\/workloads)\/|^src\/loadtest\/(api|result|failures|[a-z]+-(figures|limits))\.ts$/,
    'a workload does not know how it is run and judged',
  ],
  [
    /^src\/audit\/resources\/(?!index\.ts)/,
    /^src\/audit\/types\.ts$/,
    'a resource is data: the analyzer reads it',
  ],
  [/^src\/doctor\/checks\//, /^(?!src\/doctor\/checks\/)/, 'checks do not import each other'],
];
/** Packages that a file must not load, directly or through what it imports. */
const UNREACHED: readonly (readonly [place: RegExp, packages: readonly string[], reason: string])[] = [
  [
    /^src\/top\/(?!components\/|session\.ts)/,
    ['ink', 'react'],
    'the state of the screen is pure, and tested without Ink',
  ],
];
/** Groups of files that are one recursive algorithm. Everywhere else imports form no cycle, types included. */
const RECURSIVE: readonly RegExp[] = [
  // Expressions contain calls, promises and conditions, which contain expressions.
  /^src\/audit\/flow\/lower\//,
  // A translation has the recursion of the grammar, too.
  /^src\/audit\/languages\/python\/(expressions|calls|strings|statements|functions)\.ts$/,
  // Following a lease enters functions, and inside them follows it on.
  /^src\/audit\/flow\/(walk\.ts|calls\/)/,
];
/** Words that must not stand in the code of a place, strings and comments aside. */
const FORBIDDEN: readonly (readonly [place: RegExp, word: RegExp, reason: string])[] = [
  [
    // The second is loaded into programs of the user's, which hand nothing in; the third silences a warning of Node's.
    /^src\/(?!(?:cli\/io|watch\/process|ws\/environment|http\/proxy)\.ts$|db\/drivers\/sqlite-node\.js$)/,
    /(?<![.\w])(?:globalThis\.)?process\s*(?:[.[]|\?\.)/,
    'only src/cli/io.ts, src/watch/process.ts, src/ws/environment.ts and src/http/proxy.ts read process',
  ],
  [/^(src|commands)\//, /(?<![.\w])console\s*\./, 'nothing prints but through the Io'],
  [/^(src|commands|bin)\//, /process\.exit\s*\(/, 'process.exit loses output and hides leaks'],
  [
    /^src\/pool\//,
    /Date\.now|performance\.now|\bset(Timeout|Interval|Immediate)\b/,
    'the pool has only the injected clock',
  ],
  [
    /^src\/report\//,
    /Date\.now|new Date\(\)|Math\.random|performance\.now/,
    'a report is a function of its data',
  ],
];

/** All that is wrong with a file, as sentences. */
function violations(path: string, text: string): string[] {
  const code = withoutComments(text);
  const words = withoutStrings(code);
  return [
    ...importsOf(withoutTemplates(code)).flatMap((one) => importProblem(path, one) ?? []),
    ...FORBIDDEN.filter(([place, word]) => place.test(path) && word.test(words)).map(
      ([, , reason]) => `${path}: ${reason}`,
    ),
  ];
}

function importProblem(path: string, { specifier, typeOnly }: Import): string | null {
  const from = `${path} imports ${specifier}`;
  const rule = PLACES.find(([place]) => place.test(path));
  const isPackage = !specifier.startsWith('.') && !specifier.startsWith('node:');
  if (rule !== undefined && !isPackage && !rule[1].test(targetOf(path, specifier)))
    return `${from}: ${rule[2]}`;
  if (specifier.startsWith('.')) {
    const target = targetOf(path, specifier);
    if (path.startsWith('commands/')) {
      const ownPart = target.startsWith(`${path.replace(/(-\w+)?\.ts$/, '')}-`);
      if (path === 'commands/index.ts' || ownPart || target.startsWith('src/')) return null;
      return `${from}: commands never import each other`;
    }
    if (path.startsWith('bin/')) return null;
    const [own, other] = [roomOf(path), roomOf(target)];
    if (ROOMS[own] === undefined) return `${path}: the room ${own} is not in the table`;
    if (other === 'snapshot' && WRITES_SNAPSHOTS.includes(own) && !typeOnly)
      return `${from}: ${own} takes only types from there`;
    if (own === other || ROOMS[own].includes(other)) return null;
    if (typeOnly && READS_ALL_TYPES.includes(own) && ROOMS[other] !== undefined) return null;
    return `${from}: ${own} may import ${ROOMS[own].join(', ') || 'nothing'}`;
  }
  if (specifier === 'node:process' || specifier === 'process') return `${from}: process is handed in`;
  if (specifier.startsWith('node:')) {
    const pure = !path.startsWith('src/report/') || ['node:util', 'node:path'].includes(specifier);
    return pure ? null : `${from}: a report is a function of its data`;
  }
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  return PACKAGES[name]?.some((place) => path.startsWith(place))
    ? null
    : `${from}: ${name} is not for this place`;
}

function roomOf(path: string): string {
  return path.startsWith('src/') ? (path.split('/')[1] ?? '') : path;
}

/** The ways to a package that a file must not load, as sentences. */
function reaching(graph: Graph): string[] {
  return [...graph.keys()].flatMap((file) =>
    UNREACHED.filter(([place]) => place.test(file)).flatMap(([, packages, reason]) => {
      const way = wayTo(packages, file, graph);
      return way === null ? [] : [`${way.join(' -> ')}: ${reason}`];
    }),
  );
}

describe('the architecture', () => {
  it('is kept by every file', () => {
    expect(texts.size).toBeGreaterThan(20);
    expect([...texts].flatMap(([path, text]) => violations(path, text))).toEqual([]);
  });

  it('has no cycle of imports', () => {
    expect(cycleIn(graphOf(texts, 'types too'), RECURSIVE)).toEqual([]);
  });

  it('keeps packages away from files that must not load them', () => {
    expect(reaching(graphOf(texts, 'values'))).toEqual([]);
  });

  it('has a file for every place that a rule names', () => {
    const places = [...PLACES, ...UNREACHED].map(([place]) => place);
    const unused = [...places, ...RECURSIVE].filter(
      (place) => ![...texts.keys()].some((path) => place.test(path)),
    );
    expect(unused).toEqual([]);
  });

  it('is what the code map in CONTRIBUTING.md says', () => {
    const map = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
    const rows = [...map.matchAll(/^\| `src\/([\w.]+)` \|.*\| ([^|]*) \|$/gm)];
    const said = Object.fromEntries(rows.map(([, room = '', may = '']) => [room, may]));
    const words = (room: string) =>
      [
        ROOMS[room]?.join(', ') || 'nothing',
        ...(READS_ALL_TYPES.includes(room) ? ['types of any room'] : []),
      ].join('; ');
    expect(said).toEqual(Object.fromEntries(Object.keys(ROOMS).map((room) => [room, words(room)])));
  });

  it.each([
    ['src/pool/x.ts', "import { a } from '../db/session.js';", 'pool may import snapshot, base'],
    ['src/base/x.ts', "export * from '../pool/lease.js';", 'base may import nothing'],
    ['src/db/x.ts', "const a = await import('../cli/io.js');", 'db may import pool, snapshot, base'],
    ['src/db/x.ts', "import {\n  type A,\n  b,\n} from '../loadtest/result.js';", 'db may import'],
    [
      'src/ib/x.ts',
      "import { a } from '../lab/ib-gateway/gateway.js';",
      'ib may import pool, snapshot, base',
    ],
    ['src/report/x.ts', "import { a } from '../loadtest/result.js';", 'report may import base'],
    ['src/report/x.ts', "import { readFileSync } from 'node:fs';", 'a function of its data'],
    ['src/report/x.ts', 'const at = Date.now();', 'a function of its data'],
    [
      'src/index.ts',
      "export { a } from './loadtest/index.js';",
      'index.ts may import config, pool, db, snapshot, base',
    ],
    ['src/new/x.ts', "import { a } from '../base/clock.js';", 'the room new is not in the table'],
    ['src/pool/x.ts', "import '../../commands/index.js';", 'pool may import snapshot, base'],
    ['src/watch/x.ts', "import { app } from '../snapshot/reading.js';", 'watch takes only types from there'],
    ['src/snapshot/x.ts', "import { a } from '../pool/lease.js';", 'snapshot may import base'],
    ['commands/a.ts', "import { b } from './b.js';", 'commands never import each other'],
    ['src/db/database.ts', "import Sqlite from 'better-sqlite3';", 'better-sqlite3 is not for this place'],
    ['src/loadtest/x.ts', "import a from '@scope/new/deep';", '@scope/new is not for this place'],
    ['src/db/x.ts', "import process from 'node:process';", 'process is handed in'],
    ['src/db/x.ts', 'const { pid } = globalThis.process?.env;', 'src/http/proxy.ts read process'],
    ['src/db/x.ts', 'const a = `$' + '{process.pid}`;', 'src/http/proxy.ts read process'],
    ['src/watch/x.ts', 'const a = process.env;', 'src/http/proxy.ts read process'],
    ['src/db/x.ts', "console.log('a');", 'nothing prints'],
    ['bin/x.ts', 'process.exit(1);', 'process.exit loses output'],
    ['src/pool/x.ts', 'setTimeout(done, 5);', 'the pool has only the injected clock'],
    ['src/lab/ib-gateway/wire/x.ts', "import { a } from '../session.js';", 'the wire format is pure'],
    ['src/lab/ib-gateway/wire/x.ts', "import net from 'node:net';", 'the wire format is pure'],
    ['src/lab/ib-gateway/x.ts', "import { a } from '../../ib/pacing.js';", 'with the pool that it judges'],
    ['src/lab/feed-server/feed.ts', "import { a } from 'node:net';", 'a feed knows no socket'],
    ['src/lab/feed-server/x.ts', "import { a } from '../../base/sliding-log.js';", 'a limiter of its own'],
    ['src/loadtest/workloads/x.ts', "import { a } from '../verdict.js';", 'how it is run and judged'],
    ['src/audit/resources/x.ts', "import { pg } from './pg.js';", 'a resource is data'],
    ['src/doctor/checks/x.ts', "import type { A } from './y.js';", 'checks do not import each other'],
  ])('would be seen broken in %s by %s', (path, text, message) => {
    expect(violations(path, text)).toEqual([expect.stringContaining(message)]);
  });

  it.each([
    ['src/report/x.ts', "import type { A } from '../loadtest/result.js';"],
    ['src/report/x.ts', "import { type A, type B } from '../loadtest/result.js';"],
    ['src/pool/x.ts', "// console.log(process.pid)\n/* import '../db/x.js' */ const a = 'process.env';"],
    ['src/pool/x.ts', 'clock.setTimer(a, 5); const b = this.process.pid;'],
    ['src/cli/io.ts', 'const a = process.env;'],
    ['src/watch/process.ts', 'const a = process.env;'],
    ['src/audit/x.ts', "const example = `import a from 'pg';\nimport b from 'knex';`;"],
    ['commands/loadtest.ts', "import { work } from './loadtest-work.js';"],
    ['commands/loadtest-work.ts', "import { options } from './loadtest-options.js';"],
    ['commands/index.ts', "const load = () => import('./loadtest.js');"],
    ['src/lab/ib-gateway/wire/x.ts', "import { a } from './frames.js';"],
    ['src/loadtest/workloads/x.ts', "import type { Workload } from '../api.js';"],
    ['src/doctor/checks/x.ts', "import type { Check } from '../types.js';"],
  ])('is not seen broken in %s by %s', (path, text) => {
    expect(violations(path, text)).toEqual([]);
  });

  const made = (files: Record<string, string>) => new Map(Object.entries(files));

  it('would be seen broken by a cycle, also one of types', () => {
    const files = made({
      'src/new/a.ts': "import type { B } from './b.js';",
      'src/new/b.ts': "export * from './c.js';",
      'src/new/c.ts': "const load = () => import('./a.js');",
    });
    const [a, b, c] = ['src/new/a.ts', 'src/new/b.ts', 'src/new/c.ts'];
    expect(cycleIn(graphOf(files, 'types too'), RECURSIVE)).toEqual([a, b, c, a]);
    expect(cycleIn(graphOf(files, 'values'), RECURSIVE)).toEqual([]);
  });

  it('would be seen broken by a package that a file reaches through another', () => {
    const files = made({
      'src/top/reduce.ts': "import { a } from './components/pen.js';",
      'src/top/components/pen.ts': "import { Box } from 'ink';",
      'src/top/keys.ts': "import type { a } from './components/pen.js';",
    });
    expect(reaching(graphOf(files, 'values'))).toEqual([
      expect.stringContaining(
        'src/top/reduce.ts -> src/top/components/pen.ts -> ink: the state of the screen',
      ),
    ]);
  });
});
