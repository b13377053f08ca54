import { formatMs } from '../src/base/units.js';
import { defineCommand } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { value } from '../src/cli/options.js';
import { count, duration, text } from '../src/cli/value-types.js';
import type { IbError } from '../src/ib/errors.js';
import { placeOf } from '../src/ib/link.js';
import { type Ping, pingGateway } from '../src/ib/ping.js';
import { printable } from '../src/report/text.js';

const GATEWAY = 'Gateway';

const options = {
  host: value({
    summary: 'host of the gateway',
    type: text('HOST'),
    default: '127.0.0.1',
    env: 'IBKR_HOST',
    group: GATEWAY,
  }),
  port: value({
    summary: 'its port: TWS 7496 or 7497 (paper), IB Gateway 4001 or 4002',
    type: count({ least: 1, most: 65_535 }),
    default: 7497,
    env: 'IBKR_PORT',
    group: GATEWAY,
  }),
  clientId: value({
    summary: 'client id that no other client uses',
    type: count({ most: 2 ** 31 - 1 }),
    default: 1,
    env: 'IBKR_CLIENT_ID',
    group: GATEWAY,
  }),
  timeout: value({
    summary: 'maximum time to connect and to answer',
    type: duration({ leastMs: 1 }),
    default: 10_000,
    group: GATEWAY,
  }),
  format: formatOption(['text', 'json']),
};

export const command = defineCommand({
  name: 'ib ping',
  summary: 'check whether a broker gateway (TWS) is usable',
  description:
    'Connects as a pool would, asks for the time, and disconnects. It places no orders and reads no data.\n' +
    'Exits with 0 if the gateway is usable, and with 1 if it answers but has no connection to IB. Any other\n' +
    'problem exits with 3: no answer, another protocol or version, or a client id that is in use.',
  arguments: {},
  options,
  examples: [
    { command: 'poolctl ib ping', meaning: 'TWS for paper trading on this machine' },
    {
      command: 'poolctl ib ping --port 4001 --client-id 99 -f json',
      meaning: 'IB Gateway, with a free client id, for a script',
    },
  ],
  async run(context) {
    const { host, port, clientId, timeout, format } = context.options;
    const { clock, interrupts } = context.io;
    const target = { host, port, clientId };
    const ping = await pingGateway(target, { timeoutMs: timeout, signal: interrupts.stop, clock });
    await context.write(format === 'json' ? jsonOf(target, ping) : `${lineOf(target, ping)}\n`);
    if (ping.kind === 'failed') {
      const hint = hintOf(ping.error);
      if (format === 'text' && hint !== null) context.warn(`hint: ${hint}`);
      return ExitCode.Unavailable;
    }
    return ping.upstream === 'up' ? ExitCode.Ok : ExitCode.Failed;
  },
});

type Target = Parameters<typeof pingGateway>[0];

function lineOf(target: Target, ping: Ping): string {
  if (ping.kind === 'failed') return printable(`not usable: ${ping.error.message} (${ping.error.code})`);
  const { upstream, serverVersion, accounts, phasesMs, roundTripMs } = ping;
  const verdict = upstream === 'up' ? 'usable' : 'not usable, it has lost its connection to IB';
  const facts = [
    `server version ${serverVersion}`,
    `${accounts.length === 1 ? 'account' : 'accounts'} ${accounts.join(' ') || 'none'}`,
    `ready in ${formatMs(phasesMs.ready)}`,
    `round trip ${formatMs(roundTripMs)}`,
    `client id ${target.clientId}`,
  ];
  return printable(`${verdict}: gateway at ${placeOf(target)}, ${facts.join(', ')}`);
}

type Answer = Omit<Extract<Ping, { kind: 'answered' }>, 'kind'>;

/** Output of `--format json`. */
export type PingDocument = { readonly schema: 1 } & Target &
  (
    | ({ readonly usable: boolean; readonly error: null } & Answer)
    | {
        readonly usable: false;
        readonly error: { readonly code: string; readonly message: string; readonly hint: string | null };
      }
  );

function jsonOf(target: Target, ping: Ping): string {
  return `${JSON.stringify(documentOf(target, ping))}\n`;
}

function documentOf(target: Target, ping: Ping): PingDocument {
  if (ping.kind === 'answered') {
    const { kind: _, ...answer } = ping;
    return { schema: 1, ...target, usable: ping.upstream === 'up', ...answer, error: null };
  }
  const { code, message } = ping.error;
  return { schema: 1, ...target, usable: false, error: { code, message, hint: hintOf(ping.error) } };
}

/** A ping has one id, and no base to choose. */
function hintOf({ code, hint }: IbError): string | null {
  return code === 'ERR_IB_CLIENT_ID_IN_USE'
    ? 'the gateway is alive; give --client-id another number to see more of it'
    : hint;
}
