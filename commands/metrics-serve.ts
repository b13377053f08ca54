import { onAbort } from '../src/base/abort.js';
import { type CommandContext, defineCommand } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { list, value } from '../src/cli/options.js';
import { choice, count, duration, text } from '../src/cli/value-types.js';
import { settingsIn } from '../src/diagnosis/moment.js';
import { type Discovery, Exporter } from '../src/metrics/exporter.js';
import { COMPATS } from '../src/metrics/metric.js';
import { serveMetrics } from '../src/metrics/server.js';
import { printable } from '../src/report/text.js';
import { findSockets } from '../src/sources/discovery.js';
import { openSource, SOURCE_FORMS } from '../src/sources/registry.js';
import type { StatsSource } from '../src/sources/types.js';

const ADDRESS = 'Address';
const METRICS = 'Metrics';

const options = {
  source: list({
    summary: `source to read at each scrape: ${SOURCE_FORMS}; pool: alone means all published applications`,
    type: text('SOURCE'),
    group: METRICS,
  }),
  compat: list({
    summary: `also use other names: ${COMPATS.join(', ')}`,
    type: choice(COMPATS, 'NAMES'),
    group: METRICS,
  }),
  maxPools: value({
    summary: 'pools per source with series of their own; the rest is summed',
    type: count({ least: 1, most: 100_000 }),
    default: 2000,
    group: METRICS,
  }),
  timeout: value({
    summary: 'maximum time to read a source; a shorter scrape timeout wins',
    type: duration({ leastMs: 10 }),
    default: 5000,
    group: METRICS,
  }),
  host: value({
    summary: 'address to listen on; anyone who reaches it can read the metrics',
    type: text('HOST'),
    default: '127.0.0.1',
    group: ADDRESS,
  }),
  port: value({
    summary: 'port to listen on; 0: any free port',
    type: count({ most: 65_535 }),
    default: 9127,
    group: ADDRESS,
  }),
  format: formatOption(['text', 'json']),
};

/** Stands for whatever is published at this moment. */
const LIVE = 'pool:';

type Context = CommandContext<typeof options, Record<never, never>>;

/** The document of `--format json`, printed when metrics can be read. */
export interface ServingDocument {
  readonly schema: 1;
  readonly host: string;
  readonly port: number;
  readonly url: string;
}

export const command = defineCommand({
  name: 'metrics serve',
  summary: 'export metrics of pools, PgBouncer and PostgreSQL',
  description:
    'Exports what poolctl top shows to Prometheus. /metrics reads all sources. A source that fails is reported as\n' +
    'down (poolctl_source_up), with the reason on stderr, and the others continue. /healthz reports that the exporter\n' +
    'is alive. It prints its address, and ends with Ctrl-C.',
  arguments: {},
  options,
  endsByInterrupt: true,
  rules: [
    {
      of: ['source'],
      check: ({ options: { source } }) =>
        source.length === 0 ? '--source is missing: name at least one source' : null,
    },
  ],
  examples: [
    {
      command: 'poolctl metrics serve --source pgbouncer://stats@127.0.0.1:6432/',
      meaning: 'PgBouncer, at http://127.0.0.1:9127/metrics',
    },
    {
      command: 'poolctl metrics serve --source pool: --source postgres://monitor@127.0.0.1/shop',
      meaning: 'all published applications and their database',
    },
    {
      command: 'poolctl metrics serve --source pool: --compat sqlalchemy',
      meaning: 'for a dashboard made for SQLAlchemy',
    },
  ],
  async run(context) {
    const { options: given, io } = context;
    const { sources, discovery } = sourcesOf(context);
    await using exporter = new Exporter(sources, {
      ...{ clock: io.clock, compat: given.compat, maxPools: given.maxPools, limitMs: given.timeout },
      ...{ discovery, settings: settingsIn(io.env) },
      log: (message) => context.warn(printable(message)),
    });
    await using server = await serveMetrics({
      ...{ host: given.host, port: given.port, contentType: exporter.contentType },
      scrape: (mostMs) => exporter.scrape(mostMs),
    });
    const { host, port, url } = server;
    const document: ServingDocument = { schema: 1, host, port, url };
    await context.write(given.format === 'json' ? `${JSON.stringify(document)}\n` : `metrics at ${url}\n`);
    await stopped(io.interrupts.stop);
    const interruption = io.interrupts.interruption();
    // Ctrl-C is how it is ended; being ended from outside is something else.
    return interruption === null || interruption.signal === 'SIGINT' ? ExitCode.Ok : interruption.exitCode;
  },
});

function sourcesOf({ options: given, io }: Context): {
  readonly sources: readonly StatsSource[];
  readonly discovery: Discovery | null;
} {
  const { clock, env, host, user, interrupts } = io;
  const { uid, name: userName, tempFolder } = user;
  const owner = { platform: host.platform, env, uid, userName, tempFolder };
  const open = (address: string) => openSource(address, { env, clock, owner });
  const sources: StatsSource[] = [];
  const problems: string[] = [];
  for (const address of given.source.filter((one) => one !== LIVE)) {
    try {
      sources.push(open(address));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ERR_SOURCE_ADDRESS')) throw error;
      problems.push(`--source: ${error.message}`);
    }
  }
  if (problems.length > 0) throw new UsageError(problems);
  const discovery: Discovery = {
    find: async () => (await findSockets(owner, interrupts.abort)).map(({ address }) => address),
    open,
  };
  return { sources, discovery: given.source.includes(LIVE) ? discovery : null };
}

function stopped(stop: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (stop.aborted) done();
    else onAbort(stop, done);
  });
}
