import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { options as loadOptions } from '../../commands/loadtest-options.js';
import { audit } from '../../src/audit/audit.js';
import { parseBaseline, withoutBaseline } from '../../src/audit/baseline.js';
import { systemClock } from '../../src/base/clock.js';
import { maskReport, maskSecrets, maskUrl, registerSecretsIn } from '../../src/base/secrets.js';
import {
  parseCount,
  parseDuration,
  parseDurationOrNever,
  parseNumber,
  parseRate,
  parseShare,
  parseSize,
} from '../../src/base/units.js';
import { configSource } from '../../src/cli/config-file.js';
import { UsageError } from '../../src/cli/errors.js';
import { parseJsonc } from '../../src/cli/jsonc.js';
import { resolveOptions } from '../../src/cli/options.js';
import { hostsOf, locatePostgres } from '../../src/db/postgres-place.js';
import { parseTarget as parseDoctorTarget } from '../../src/doctor/targets.js';
import { HEALTH_LIMITS } from '../../src/health/health.js';
import { healthOfReading } from '../../src/health/of-reading.js';
import { toFault, toFaultPlan } from '../../src/lab/ib-gateway/faults.js';
import { encodeFrame, encodeHello, FrameReader } from '../../src/lab/ib-gateway/wire/frames.js';
import { decodeRequest } from '../../src/lab/ib-gateway/wire/requests.js';
import { decodeRecording } from '../../src/leases/decoder.js';
import { compareRuns } from '../../src/loadtest/compare.js';
import { parseResult } from '../../src/loadtest/result-file.js';
import { parseThreshold } from '../../src/loadtest/thresholds.js';
import { parseExpression } from '../../src/loadtest/workloads/expression.js';
import { parseTarget } from '../../src/loadtest/workloads/registry.js';
import { parseScript } from '../../src/loadtest/workloads/script.js';
import { parsePasswords } from '../../src/pgbouncer/secrets.js';
import { type PgBouncerRows, statsAt, toReading as toPooler } from '../../src/sources/pgbouncer-rows.js';
import { toReading as toMetrics } from '../../src/sources/prometheus-pools.js';
import { toApp, toReading } from '../../src/sources/published.js';
import { openSource } from '../../src/sources/registry.js';
import { parseRecording, recordingHeader, recordingLine, ticksOf } from '../../src/top/recording.js';
import { parsePublishPort } from '../../src/watch/publish-port.js';
import { jsonFeed } from '../../src/ws/json-feed.js';
import { leaseRecording } from '../helpers/lease-recordings.js';
import { comparable } from '../loadtest/comparable.js';
import { ANSWERS, eventsOf, readIn } from '../loadtest/wire/answers.js';
import { poolReading } from '../metrics/readings.js';
import { sampleOf, VERSIONS } from '../sources/pgbouncer-samples.js';
import { type Parser, SECRET } from './fuzz.js';

/** Bundled, this file lies elsewhere. */
const fixtures = join(process.cwd(), 'fixtures');

const HELLO = { schema: 1, app: { name: 'shop', pid: 4711, host: 'here', node: 'v20', startedAtMs: 5 } };
const reading = poolReading({});
const published = JSON.stringify({ takenAtMs: 1, pools: reading.pools, gaps: ['a bundled copy of pg'] });
const tick = {
  atMs: 1,
  sources: [{ label: 'pool:x', kind: 'pool', reading, stale: null, readMs: 1 }],
};
const good = comparable({ seed: 1 });
const none = { env: {}, clock: systemClock };

/** Every way in for bytes that somebody else wrote, by name. */
export const PARSERS: Readonly<Record<string, Parser>> = {
  'wire-answers': {
    corpus: ANSWERS.map((bytes) => Buffer.from(bytes).toString('latin1')),
    // Whole, byte by byte, and in two pieces: what was read must not depend on how it arrived.
    parse(text) {
      const bytes = Buffer.from(text, 'latin1');
      const whole = eventsOf(bytes, [bytes.length]);
      const pieces = [[1], [Math.ceil(bytes.length / 2)], [7, 64]];
      for (const sizes of pieces) {
        if (JSON.stringify(eventsOf(bytes, sizes)) !== JSON.stringify(whole))
          throw new Error(`read in pieces of ${sizes} it is something else`);
      }
      return readIn(bytes, [bytes.length]);
    },
  },
  leases: {
    corpus: [leaseRecording({ seconds: 1, perSecond: 40, leaks: 1 }).toString('latin1')],
    parse: (text) => void decodeRecording(Buffer.from(text, 'latin1'), 'a.rec'),
  },
  url: {
    corpus: [
      ...[`postgres://app:${SECRET}@db.example:5432/shop?sslmode=require&connect_timeout=5`],
      ...[`postgresql+asyncpg://app:${SECRET}@h1:5432,h2:5433/shop?target_session_attrs=read-write`],
      ...[
        `host=db user=app password='${SECRET}' dbname=shop`,
        `jdbc:postgresql://db/shop?user=a&password=${SECRET}`,
      ],
      ...[`pgbouncer://stats:${SECRET}@127.0.0.1:6432/`, `prometheus:http://me:${SECRET}@host:9090/metrics`],
      ...['pool:/run/user/1000/poolctl/1-0.sock', 'pool:127.0.0.1:9100', 'pool:[::1]:9100', 'pool:'],
      ...[
        'sqlite:./orders.db?mode=inline',
        'sqlite:///C:/data/x.db',
        'file:x.db',
        ':memory:',
        'sqlite::memory:',
      ],
      ...[`http://me:${SECRET}@127.0.0.1:8080/health?token=${SECRET}`, `wss://feed.example/?token=${SECRET}`],
      ...[
        'ws:built-in',
        'postgres://app@%2Fvar%2Frun%2Fpostgresql/shop',
        `postgres://app:${SECRET}@[::1]:5432/x`,
      ],
    ],
    parse(text) {
      // Each door refuses what it does not know, and none may hide what another does.
      each(
        () => parseTarget(text),
        () => parseDoctorTarget(text, none),
        () => void openSource(text, none),
        () => locatePostgres(text, { PGPASSWORD: SECRET, PGHOST: 'h' }),
        () => hostsOf(text),
        () => parsePublishPort(text),
      );
    },
  },
  secrets: {
    corpus: [
      `cannot connect to postgres://app:${SECRET}@db/shop: password=${SECRET}`,
      '{"password":"a\\"b","url":"redis://:x@h/0"}\nAuthorization: Bearer abc\nx-api-key: 12',
      "ALTER ROLE a PASSWORD 's''x'; identified by 'y' SCRAM-SHA-256$4096:a$b:c md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      '-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----',
    ],
    parse(text) {
      registerSecretsIn(text);
      return [maskSecrets(text), maskUrl(text), maskReport(text)];
    },
  },
  config: {
    corpus: [
      `{\n  // our pool\n  "loadtest": { "poolSize": 5, "duration": "10s", "header": ["x: ${SECRET}"], },\n}`,
      '{"loadtest":{"threshold":["p99<100ms"],"rate":"50/s","profile":"pgbouncer"},"doctor":{"only":["fleet-sum"]}}',
      '{"$schema":"x","health":{"every":"1s"},"audit-leaks":{"exclude":["dist"]}} /* end */',
    ],
    parse(text) {
      const document = parseJsonc(text);
      const { value } = document;
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
      const content = value as Readonly<Record<string, unknown>>;
      const config = { file: 'c.json', folder: null, content, placeOf: document.placeOf };
      const problems: { message: string; hint: string | null }[] = [];
      const section = { command: 'loadtest', commands: ['loadtest', 'doctor', 'health', 'audit-leaks'] };
      const source = configSource(config, section, loadOptions, problems);
      const resolved = resolveOptions(loadOptions, [source], () => null);
      problems.push(...resolved.problems);
      if (problems.length > 0) throw new UsageError(problems);
    },
  },
  thresholds: {
    corpus: [
      'p99<100ms',
      'success>=99.5%',
      'rate>50/s',
      'p95 wait <= 1.5s',
      'errors==0',
      'mean<never',
      'p99.9<1h',
    ],
    parse: (text) => parseThreshold(text),
  },
  units: {
    corpus: [
      '250ms',
      '1.5s',
      '10m',
      '2h30m',
      '50/s',
      '3 MB',
      '1GiB',
      '12%',
      '0.5',
      '1e3',
      'never',
      '1_000',
      '1,000',
    ],
    parse(text) {
      each(
        () => parseDuration(text),
        () => parseDurationOrNever(text),
        () => parseCount(text),
        () => parseNumber(text),
        () => parseRate(text),
        () => parseSize(text),
        () => parseShare(text),
      );
    },
  },
  scripts: {
    corpus: [
      '\\set id random(1, 100)\nSELECT * FROM orders WHERE id = :id;\n\\sleep 10ms\nUPDATE a SET b = ? WHERE c = $1;',
      "INSERT INTO a VALUES ('x''y', \"z\", $$ body $$); -- comment\n/* block */ SELECT 1;",
      '\\set a (:b + 3) * abs(-2) / 4 % 7\nSELECT :a;',
    ],
    parse(text) {
      each(
        () => parseScript(text, { name: 'x.sql' }),
        () => parseExpression(text),
      );
    },
  },
  'pool-socket': {
    corpus: [
      JSON.stringify(HELLO),
      published,
      JSON.stringify({ schema: 1, challenge: 'abc' }),
      '{"pools":[null,{}]}',
    ],
    parse(text) {
      each(
        () => toApp(text),
        () => {
          const read = toReading(text, HELLO.app as never, 'pool:x', 1);
          healthOfReading(read, HEALTH_LIMITS);
        },
      );
    },
  },
  'pgbouncer-rows': {
    corpus: VERSIONS.map((version) =>
      JSON.stringify(
        sampleOf(version, { pools: [{}], databases: [{}], stats: [{}], clients: [{}], servers: [{}] }),
      ),
    ),
    parse(text) {
      const rows = json(text) as PgBouncerRows;
      if (!isRows(rows)) return;
      const now = statsAt(rows, 1);
      toPooler(rows, 'pgbouncer:x', 1, { before: now, now });
    },
  },
  prometheus: {
    corpus: [
      '# HELP poolctl_pool_size x\n# TYPE poolctl_pool_size gauge\npoolctl_pool_size{pool="a",app="b"} 5 1700000000000\n',
      'hikaricp_connections_active{pool="HikariPool-1"} 3\nhikaricp_connections_max{pool="HikariPool-1"} 10\n',
      'pgbouncer_pools_client_active_connections{database="a",user="b"} 1e3\npgbouncer_up 1\n',
      'poolctl_pool_wait_seconds_bucket{pool="a",le="0.1"} 1\npoolctl_pool_wait_seconds_bucket{pool="a",le="+Inf"} 2\n',
      'db_client_connections_usage{pool_name="x\\"y\\\\z\\n",state="used"} NaN # {trace_id="a"} 1\n# EOF\n',
    ],
    parse: (text) => toMetrics(text, 'prometheus:x', 1, { before: null, atMs: 1 }),
  },
  tws: {
    corpus: [
      latin(encodeHello('v100..193 +PACEAPI')),
      latin(encodeHello('v100..193')) + latin(encodeFrame([71, 2, 5, ''])) + latin(encodeFrame([9, 8, 9001])),
      latin(encodeHello('v151..151')) +
        latin(
          encodeFrame([
            20,
            7,
            0,
            'AAPL',
            'STK',
            '',
            0,
            '',
            '',
            'SMART',
            '',
            'USD',
            '',
            '',
            0,
            '',
            '1 D',
            '1 min',
            1,
          ]),
        ),
      latin(encodeHello('v176..176')) +
        latin(encodeFrame([3, 1, 0, 'ES', 'FUT', '20261218', 0, '', 50, 'CME', '', 'USD'])),
    ],
    parse(text) {
      const bytes = Buffer.from(text, 'latin1');
      for (const size of [bytes.length || 1, 7]) {
        const reader = new FrameReader();
        for (let at = 0; at < bytes.length && at < 3000 * size; at += size)
          for (const one of reader.take(bytes.subarray(at, at + size)))
            if (one.kind === 'message')
              for (const version of [100, 151, 193]) decodeRequest(one.fields, version);
      }
    },
  },
  'gateway-faults': {
    corpus: [
      '{"kind":"drop","clientIds":[5]}',
      '[{"kind":"restart","atMs":5000},{"kind":"refuse","everyMs":1000,"jitterMs":10,"forMs":5}]',
      '{"kind":"move-port","port":0}',
    ],
    parse(text) {
      const value = json(text);
      each(
        () => toFault(value),
        () => toFaultPlan(value),
      );
    },
  },
  feed: {
    corpus: [
      '{"id":1,"ok":true,"refused":[{"symbol":"B","reason":"unknown"}]}',
      '{"ticks":[{"symbol":"A","seq":1,"price":1.5},{"symbol":"B"}]}',
      '{"id":1,"busy":true,"retryAfterMs":500}',
      '{"symbol":"A","seq":9007199254740993}',
    ],
    // Whoever reads a feed counts what is no message, whatever the protocol throws.
    expects: [SyntaxError],
    parse: (text) => jsonFeed().parse(text),
  },
  recordings: {
    corpus: [recordingHeader() + recordingLine(tick as never) + recordingLine(tick as never)],
    parse: (text) => [...ticksOf(parseRecording(text))],
  },
  baselines: {
    corpus: [
      '{"schema":1,"leaks":[{"fingerprint":"0123456789abcdef","count":2,"file":"a.ts","message":"m"}]}',
    ],
    parse(text) {
      const baseline = parseBaseline(text);
      const summary = { files: 0, parsed: 0, acquireCalls: 0, suppressed: 0, undecided: 0, baselined: 0 };
      if (baseline !== null) withoutBaseline({ schema: 1, findings: [], warnings: [], summary }, baseline);
    },
  },
  results: {
    corpus: [JSON.stringify(trimmed(good))],
    parse: (text) => compareRuns(parseResult(text, 'result.json'), good),
  },
  passwords: {
    corpus: [`app:${SECRET}\nother:x y\n`, `"a:b":${SECRET}\r\n`],
    parse: (text) => parsePasswords(text),
  },
  dotenv: {
    corpus: [`PGPASSWORD=${SECRET}\nexport A="b\\nc" # x\nD='e'\nDATABASE_URL=postgres://a:${SECRET}@h/d\n`],
    parse(text) {
      for (const [name, value] of Object.entries(parseEnv(text))) registerSecretsIn(`${name}=${value}`);
    },
  },
  sources: {
    corpus: sourceCorpus(),
    parse: (text) => auditTexts([text]),
    parseAll: (texts) => auditTexts(texts),
  },
};

/** Does all, and throws what one of them threw: first what is no error of ours. */
function each(...all: readonly (() => unknown)[]): void {
  const errors = all.flatMap((one) => {
    try {
      one();
      return [];
    } catch (error) {
      return [error];
    }
  });
  const worst = errors.find((error) => !(error instanceof Error && 'kind' in error)) ?? errors[0];
  if (worst !== undefined) throw worst;
}

/** What is no JSON is the caller's to refuse. */
function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** As the driver gives them: lists of rows, with anything in them. */
function isRows(value: unknown): value is PgBouncerRows {
  if (typeof value !== 'object' || value === null) return false;
  const { version, ...lists } = value as Record<string, unknown>;
  const isList = (one: unknown) =>
    one === null || (Array.isArray(one) && one.every((row) => typeof row === 'object' && row !== null));
  const names = ['pools', 'databases', 'stats', 'clients', 'servers', 'lists', 'config', 'state'];
  return typeof version === 'string' && names.every((name) => isList(lists[name]));
}

function latin(bytes: Buffer): string {
  return bytes.toString('latin1');
}

/** Without most of its rows: a mutation is to hit its fields. */
function trimmed<T>(value: T): T {
  return JSON.parse(
    JSON.stringify(value, (_, one: unknown) => (Array.isArray(one) ? one.slice(0, 3) : one)),
  ) as T;
}

/** Real code of the fixtures, cut into small files. */
function sourceCorpus(): string[] {
  const folder = join(fixtures, 'audit');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(?:ts|js|vue|svelte|astro)$/.test(name),
  );
  return files
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .flatMap((text) =>
      text.split(/\n(?=export )/).map((part) => `import pg from 'pg';\nconst pool = new pg.Pool();\n${part}`),
    )
    .filter((text) => text.length < 1500);
}

const NAMES = ['a.ts', 'a.js', 'a.vue', 'a.svelte', 'a.astro', 'a.tsx'];

function auditTexts(texts: readonly string[]): void {
  const folder = mkdtempSync(join(tmpdir(), 'poolctl-fuzz-'));
  try {
    for (const [at, text] of texts.entries()) {
      const name = NAMES[(at + text.length) % NAMES.length] ?? '';
      const inTag = /vue|svelte/.test(name) ? `<script lang="ts">\n${text}\n</script>\n` : text;
      writeFileSync(join(folder, `${at}${name}`), name.endsWith('astro') ? `---\n${text}\n---\n<p/>` : inTag);
    }
    audit([folder], { cwd: folder });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
