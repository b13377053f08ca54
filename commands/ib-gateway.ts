import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { onAbort } from '../src/base/abort.js';
import { fileFault } from '../src/base/file-fault.js';
import { registerSecret } from '../src/base/secrets.js';
import { parseToken } from '../src/base/token.js';
import { ValueError } from '../src/base/units.js';
import { defineCommand } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { UnavailableError, UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { flag, list, value } from '../src/cli/options.js';
import { choice, count, duration, number, path, text, type ValueType } from '../src/cli/value-types.js';
import { isLoopback } from '../src/db/postgres-place.js';
import { startControl } from '../src/lab/ib-gateway/control.js';
import { fasterClock } from '../src/lab/ib-gateway/fast-clock.js';
import { type PlannedFault, toFaultPlan } from '../src/lab/ib-gateway/faults.js';
import { startGateway } from '../src/lab/ib-gateway/gateway.js';
import {
  DEFAULT_SERVER_VERSION,
  LEAST_SERVER_VERSION,
  MOST_SERVER_VERSION,
} from '../src/lab/ib-gateway/wire/versions.js';

const ADDRESS = 'Address';
const BEHAVIOUR = 'Behavior';
const FAULTS = 'Faults';

/** The value is a secret: it is not shown. */
const tokenType: ValueType<string> = {
  placeholder: 'TOKEN',
  parse(source) {
    const token = parseToken(source);
    registerSecret(token);
    return token;
  },
  show: () => '***',
};

const options = {
  port: value({
    summary: 'port for clients; 0: any free port',
    type: count({ most: 65_535 }),
    default: 7497,
    env: 'IBKR_PORT',
    group: ADDRESS,
  }),
  controlPort: value({
    summary: 'port for faults and counts, in lines of JSON; 0: any free port',
    type: count({ most: 65_535 }),
    default: 0,
    group: ADDRESS,
  }),
  controlToken: value({
    summary: 'what clients of the control port must say',
    type: tokenType,
    default: null,
    defaultText: 'random, printed once',
    env: 'POOLCTL_CONTROL_TOKEN',
    config: false,
    group: ADDRESS,
  }),
  host: value({
    summary: 'address to listen on',
    type: text('HOST'),
    default: '127.0.0.1',
    group: ADDRESS,
  }),
  allowRemote: flag({
    summary: 'allow an address that other machines can reach; needs no password',
    config: false,
    group: ADDRESS,
  }),
  serverVersion: value({
    summary: `newest protocol version, ${LEAST_SERVER_VERSION} to ${MOST_SERVER_VERSION}`,
    type: count({ least: LEAST_SERVER_VERSION, most: MOST_SERVER_VERSION }),
    default: DEFAULT_SERVER_VERSION,
    group: BEHAVIOUR,
  }),
  seed: value({
    summary: 'seed of prices, delays and faults',
    type: count({ most: 2 ** 32 - 1 }),
    default: 1,
    group: BEHAVIOUR,
  }),
  account: list({
    summary: 'account that clients see; DU1234567 if none is given',
    type: text('NAME'),
    group: BEHAVIOUR,
  }),
  masterClientId: value({
    summary: 'client that hears of the orders of all clients',
    type: count({ most: 2 ** 31 - 1 }),
    default: null,
    defaultText: 'none',
    group: BEHAVIOUR,
  }),
  clientCap: value({
    summary: 'maximum connections',
    type: count({ least: 1, most: 10_000 }),
    default: 32,
    group: BEHAVIOUR,
  }),
  overCap: value({
    summary: 'answer to one more: close, silence',
    type: choice(['close', 'silence'], 'WORD'),
    default: 'close',
    group: BEHAVIOUR,
  }),
  messageLimit: value({
    summary: 'messages per second of all clients before error 100; 0: no limit',
    type: count({ most: 1e6 }),
    default: 50,
    group: BEHAVIOUR,
  }),
  strikes: value({
    summary: 'errors 100 before a client is disconnected; 0: never',
    type: count({ most: 1e6 }),
    default: 3,
    group: BEHAVIOUR,
  }),
  historyPacing: flag({
    summary: 'refuse history requests that come too often (error 162)',
    default: true,
    negatable: true,
    group: BEHAVIOUR,
  }),
  marketDataLines: value({
    summary: 'market data subscriptions of all clients before error 101',
    type: count({ most: 1e6 }),
    default: 100,
    group: BEHAVIOUR,
  }),
  tickInterval: value({
    summary: 'time between price changes',
    type: duration({ leastMs: 1 }),
    default: 250,
    group: BEHAVIOUR,
  }),
  faults: value({
    summary: 'file of faults: a JSON array, [{"kind":"restart","atMs":5000}]',
    type: path('FILE'),
    default: null,
    config: false,
    group: FAULTS,
  }),
  speed: value({
    summary: 'speed of its clock: limits, faults and delays take less time',
    type: number({ least: 0.01, most: 1000 }),
    default: 1,
    group: FAULTS,
  }),
  format: formatOption(['text', 'json']),
};

/** Output of `--format json` once the gateway listens. */
export interface GatewayDocument {
  readonly schema: 1;
  readonly host: string;
  readonly port: number;
  readonly controlPort: number;
  /** The random token of the control socket; null where it was chosen. */
  readonly controlToken: string | null;
  readonly serverVersion: number;
}

export const command = defineCommand({
  name: 'ib gateway',
  summary: 'simulate a broker gateway (TWS) with faults',
  description:
    'Simulates TWS or IB Gateway on this machine for any client of its text protocol: contracts, history, market\n' +
    'data, account, positions and orders, all generated from the seed. It follows the known limits and resets of\n' +
    'the real gateway, injects faults, and counts what it sees. It prints its address, and ends with Ctrl-C.',
  arguments: {},
  options,
  endsByInterrupt: true,
  examples: [
    { command: 'poolctl ib gateway', meaning: 'a gateway at 127.0.0.1:7497, the default of clients' },
    {
      command: 'poolctl ib gateway --port 0 --control-port 0 --format json',
      meaning: 'for a test: free ports, printed as JSON',
    },
    {
      command: 'poolctl ib gateway --server-version 151 --faults bad-day.json --seed 7',
      meaning: 'an old gateway on a bad day, the same each time',
    },
  ],
  async run(context) {
    const { options: given, io } = context;
    const faults = given.faults === null ? [] : await readPlan(given.faults, io.cwd);
    if (!given.allowRemote) await refuseRemote(given.host);
    const clock = given.speed === 1 ? io.clock : fasterClock(io.clock, given.speed);
    await using gateway = await startGateway({
      host: given.host,
      port: given.port,
      serverVersion: given.serverVersion,
      seed: given.seed,
      clock,
      ...(given.account.length > 0 && { accounts: given.account }),
      masterClientId: given.masterClientId,
      clientCap: given.clientCap,
      overCap: given.overCap,
      messagesPerSecond: given.messageLimit === 0 ? null : given.messageLimit,
      strikes: given.strikes === 0 ? null : given.strikes,
      ...(!given.historyPacing && { historyLimits: null }),
      marketDataLines: given.marketDataLines,
      tickIntervalMs: given.tickInterval,
      faults,
      log: context.log,
    });
    await using control = await startControl(gateway, {
      host: given.host,
      port: given.controlPort,
      ...(given.controlToken !== null && { token: given.controlToken }),
    });
    const { host, port, serverVersion } = gateway;
    // A token from --token is known to the caller. A random one is printed once, since nobody else can know it.
    const controlToken = given.controlToken === null ? control.token : null;
    const document: GatewayDocument = {
      schema: 1,
      host,
      port,
      controlPort: control.port,
      controlToken,
      serverVersion,
    };
    const shownToken = controlToken === null ? '' : ` with token ${controlToken}`;
    await context.write(
      given.format === 'json'
        ? `${JSON.stringify(document)}\n`
        : `gateway at ${host}:${port}, control at ${host}:${control.port}${shownToken}, server version ${serverVersion}\n`,
    );
    await stopped(io.interrupts.stop);
    const { connections, messages } = gateway.counts();
    context.log(`${connections.accepted} connections, ${messages.received} messages`);
    const interruption = io.interrupts.interruption();
    // Ctrl-C is how it is ended; being ended from outside is something else.
    return interruption === null || interruption.signal === 'SIGINT' ? ExitCode.Ok : interruption.exitCode;
  },
});

async function readPlan(file: string, folder: string): Promise<readonly PlannedFault[]> {
  let content: string;
  try {
    content = await readFile(resolve(folder, file), 'utf8');
  } catch (cause) {
    throw new UnavailableError(`cannot read ${file}: ${fileFault(cause)}`, { cause });
  }
  try {
    return toFaultPlan(JSON.parse(content));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError([`--faults: ${file} is not JSON`]);
    if (error instanceof ValueError) throw new UsageError([`--faults: ${file}: ${error.message}`]);
    throw error;
  }
}

async function refuseRemote(host: string): Promise<void> {
  let local: boolean;
  try {
    local = await isLoopback(host);
  } catch (cause) {
    throw new UnavailableError(`cannot find the address of ${host}`, { cause });
  }
  if (local) return;
  const message = `--host: other machines reach ${host}, and the gateway asks nobody for a password`;
  throw new UsageError([{ message, hint: 'give --allow-remote if that is meant' }]);
}

function stopped(stop: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (stop.aborted) done();
    else onAbort(stop, done);
  });
}
