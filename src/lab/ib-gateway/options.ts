import type { Clock } from '../../base/clock.js';
import { GatewayError } from './errors.js';
import type { PlannedFault } from './faults.js';
import type { GatewaySettings } from './house.js';
import { HISTORY_LIMITS, type HistoryLimits } from './pacing.js';
import { DEFAULT_SERVER_VERSION, LEAST_SERVER_VERSION, MOST_SERVER_VERSION } from './wire/versions.js';

export interface GatewayOptions {
  /** Default 127.0.0.1. The gateway asks for no password: anybody who reaches the address may talk to it. */
  readonly host?: string;
  /** Default 0: any that is free. */
  readonly port?: number;
  /** The newest version that it speaks, from 100 to 200; it takes an older one where the client asks. Default 193. */
  readonly serverVersion?: number;
  /** Decides on all that is random: prices, delays, who is picked. Default 1. */
  readonly seed?: number;
  readonly clock?: Clock;
  /** Default one, DU1234567. */
  readonly accounts?: readonly string[];
  /** Connections at once. Default 32. */
  readonly clientCap?: number;
  /** The treatment of one client more: it is closed (default), or never answered. */
  readonly overCap?: 'close' | 'silence';
  /** Messages per second of all clients together before error 100; null for no limit. Default 50. */
  readonly messagesPerSecond?: number | null;
  /** With so many errors 100 a client is disconnected; null never. Default 3. */
  readonly strikes?: number | null;
  /** null for no limits. Default HISTORY_LIMITS. */
  readonly historyLimits?: Partial<HistoryLimits> | null;
  /** Subscriptions to market data of all clients together before error 101. Default 100. */
  readonly marketDataLines?: number;
  /** How often prices change, in milliseconds. Default 250. */
  readonly tickIntervalMs?: number;
  /** Default 1. */
  readonly firstOrderId?: number;
  /** The client that hears of the orders of all clients, as set in TWS; null for none. Default null. */
  readonly masterClientId?: number | null;
  /** Faults that happen by themselves. */
  readonly faults?: readonly PlannedFault[];
  /** Told what happens, a line each. */
  readonly log?: (line: string) => void;
}

const DEFAULTS = {
  serverVersion: DEFAULT_SERVER_VERSION,
  accounts: ['DU1234567'],
  clientCap: 32,
  overCap: 'close',
  messagesPerSecond: 50,
  strikes: 3,
  marketDataLines: 100,
  tickIntervalMs: 250,
} as const satisfies Partial<GatewaySettings>;

/** The settings that options come to, with every default. Throws a GatewayError for options that make no sense. */
export function settingsOf(given: GatewayOptions): GatewaySettings {
  const { historyLimits, messagesPerSecond, strikes } = given;
  const settings: GatewaySettings = {
    serverVersion: given.serverVersion ?? DEFAULTS.serverVersion,
    accounts: given.accounts ?? DEFAULTS.accounts,
    clientCap: given.clientCap ?? DEFAULTS.clientCap,
    overCap: given.overCap ?? DEFAULTS.overCap,
    messagesPerSecond: messagesPerSecond === undefined ? DEFAULTS.messagesPerSecond : messagesPerSecond,
    strikes: strikes === undefined ? DEFAULTS.strikes : strikes,
    historyLimits: historyLimits === null ? null : { ...HISTORY_LIMITS, ...historyLimits },
    marketDataLines: given.marketDataLines ?? DEFAULTS.marketDataLines,
    tickIntervalMs: given.tickIntervalMs ?? DEFAULTS.tickIntervalMs,
    masterClientId: given.masterClientId ?? null,
  };
  checkOptions(settings);
  return settings;
}

function checkOptions(options: GatewaySettings): void {
  const { serverVersion, clientCap, tickIntervalMs } = options;
  const refuse = (message: string) => new GatewayError('ERR_IB_GATEWAY_OPTION', message);
  const isVersion = serverVersion >= LEAST_SERVER_VERSION && serverVersion <= MOST_SERVER_VERSION;
  if (!Number.isInteger(serverVersion) || !isVersion)
    throw refuse(`serverVersion is ${serverVersion}; the text protocol has ${LEAST_SERVER_VERSION} to 200`);
  if (!Number.isInteger(clientCap) || clientCap < 1)
    throw refuse(`clientCap is ${clientCap}; it is a whole number from 1`);
  if (!(tickIntervalMs >= 1)) throw refuse(`tickIntervalMs is ${tickIntervalMs}; it is 1 at least`);
}
