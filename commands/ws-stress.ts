import { defineCommand } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { list, value } from '../src/cli/options.js';
import { choice, count, duration, rate } from '../src/cli/value-types.js';
import { spawnFeed } from '../src/lab/feed-server/spawn-feed.js';
import { STRESS_PROTOCOLS, STRESS_VENUES } from '../src/lab/ws-stress/protocols.js';
import { runStress } from '../src/lab/ws-stress/stress.js';
import { STRESS_FAULTS } from '../src/lab/ws-stress/types.js';
import { formatsOf, renderReport } from '../src/report/registry.js';

const POOL = 'Pool';
const FEED = 'Feed';

const options = {
  maxSymbolsPerWebsocket: value({
    summary: 'maximum symbols per connection',
    type: count({ least: 1, most: 100_000 }),
    default: 1000,
    env: 'MAX_SYMBOLS_PER_WEBSOCKET',
    group: POOL,
  }),
  maxWebsocketConnections: value({
    summary: 'maximum connections',
    type: count({ least: 1, most: 100 }),
    default: 3,
    env: 'MAX_WEBSOCKET_CONNECTIONS',
    group: POOL,
  }),
  placement: value({
    summary: 'placement of symbols: first-fit, least-loaded',
    type: choice(['first-fit', 'least-loaded'], 'WORD'),
    default: 'first-fit',
    group: POOL,
  }),
  batchRate: value({
    summary: 'subscribe messages per connection, of 200 symbols each',
    type: rate({ least: 1, most: 1000 }),
    default: 4,
    group: POOL,
  }),
  symbols: value({
    summary: 'number of symbols to keep subscribed',
    type: count({ least: 200, most: 1_000_000 }),
    default: null,
    defaultText: 'as many as fit',
    group: FEED,
  }),
  tickRate: value({
    summary: 'ticks sent by the feed, over all symbols',
    type: rate({ least: 0, most: 1e6 }),
    default: 5000,
    group: FEED,
  }),
  protocol: value({
    summary: `protocol of the feed: ${STRESS_PROTOCOLS.join(', ')}`,
    type: choice(STRESS_PROTOCOLS, 'NAME'),
    default: 'json',
    group: FEED,
  }),
  fault: list({
    summary: `fault to apply: ${STRESS_FAULTS.join(', ')}; all if none is given`,
    type: choice(STRESS_FAULTS, 'FAULT'),
    group: FEED,
  }),
  seed: value({
    summary: 'seed of what comes and goes',
    type: count({ most: 2 ** 32 - 1 }),
    default: 1,
    group: FEED,
  }),
  settleTimeout: value({
    summary: 'maximum time for a round to settle',
    type: duration({ leastMs: 1000 }),
    default: 30_000,
    group: 'Verdict',
  }),
  format: formatOption(formatsOf('wsStress')),
};

export const command = defineCommand({
  name: 'ws stress',
  summary: 'break a WebSocket feed and check that no subscription is lost',
  description:
    'Starts a feed on loopback and keeps symbols subscribed through dropped, half-open, slow, mute and rate-limited\n' +
    'connections while symbols come and go, and replaces every connection. After each fault the feed must have exactly\n' +
    'the wanted symbols, none of them twice, and no connection above its limit. With --protocol, the feed plays a venue\n' +
    'and enforces its limits. Exits with 1 if a check fails.',
  arguments: {},
  options,
  rules: [
    {
      of: ['symbols', 'maxSymbolsPerWebsocket', 'maxWebsocketConnections'],
      check: ({ options: { symbols, maxSymbolsPerWebsocket, maxWebsocketConnections } }) =>
        symbols !== null && symbols > maxSymbolsPerWebsocket * maxWebsocketConnections
          ? `--symbols ${symbols} do not fit on ${maxWebsocketConnections} connections of ${maxSymbolsPerWebsocket}`
          : null,
    },
  ],
  examples: [
    { command: 'poolctl ws stress', meaning: '3,000 symbols on three connections, and all faults' },
    {
      command: 'poolctl ws stress --protocol binance',
      meaning: "the adapter of Binance, against a simulated venue with Binance's limits",
    },
    {
      command: 'poolctl ws stress --fault drop --fault half-open -f json',
      meaning: 'two faults, with a JSON result',
    },
  ],
  async run(context) {
    const { options, io, progress } = context;
    const { maxSymbolsPerWebsocket, maxWebsocketConnections, fault, protocol } = options;
    const venue = protocol === 'json' ? null : STRESS_VENUES[protocol];
    await using feed = await spawnFeed(
      venue === null
        ? {
            ticksPerSecond: options.tickRate,
            // One more than the pool sends, for pings. Too many symbols would be taken: they are to show as a failed check.
            messagesPerSecond: Math.ceil(options.batchRate) + 3,
            maxSymbols: Number.MAX_SAFE_INTEGER,
          }
        : {
            venue: venue.name,
            eventsPerSecond: options.tickRate,
            // One more than the pool uses, so that a connection can be replaced without a gap.
            rules: { ...venue.rules, connections: maxWebsocketConnections + 1 },
          },
    );
    const result = await runStress(feed, {
      venue,
      symbols: options.symbols ?? maxSymbolsPerWebsocket * maxWebsocketConnections,
      maxSymbolsPerConnection: maxSymbolsPerWebsocket,
      maxConnections: maxWebsocketConnections,
      placement: options.placement,
      batchesPerSecond: Math.floor(options.batchRate),
      faults: fault.length === 0 ? STRESS_FAULTS : STRESS_FAULTS.filter((each) => fault.includes(each)),
      seed: options.seed,
      settleMs: options.settleTimeout,
      clock: io.clock,
      stop: io.interrupts.stop,
      onRound: (name, done, all) => {
        progress.update({ label: 'ws stress', share: done / all, note: name });
        context.log(`round: ${name}`);
      },
    });
    progress.clear();
    await context.write(await renderReport('wsStress', options.format, result, context.render));
    return result.passed ? ExitCode.Ok : ExitCode.Failed;
  },
});
