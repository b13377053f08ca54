import type { ControlClient } from '../ib-gateway/control-client.js';
import type { GatewayOptions } from '../ib-gateway/options.js';

/** The options of a simulated gateway that a scenario may choose. */
export interface GatewayWish
  extends Omit<GatewayOptions, 'host' | 'port' | 'clock' | 'log' | 'accounts' | 'faults'> {
  /** How many times faster than the machine's its clock runs. Default 1. */
  readonly speed?: number;
}

/** A gateway to put under stress. */
export interface StressGateway extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** null for a real one, which takes no orders of this kind and says nothing of what it has seen. */
  readonly control: ControlClient | null;
  /** The longest that its process stood still, in milliseconds; null where nobody can tell. */
  stalledMs(): Promise<number | null>;
}

/** The source of gateways: a new one for each run, or always the same real one. */
export interface Gateways extends AsyncDisposable {
  /** HOST:PORT of a real one; null where they are simulated. */
  readonly place: string | null;
  start(wish: GatewayWish): Promise<StressGateway>;
  /** Ends simulated ones at once, whatever they do. A gateway that was there already stays as it is. */
  kill(): void;
}

/** The one that is there already. */
export function liveGateway(host: string, port: number): Gateways {
  const close = async (): Promise<void> => {};
  return {
    place: `${host}:${port}`,
    start: async () => ({
      host,
      port,
      control: null,
      stalledMs: async () => null,
      [Symbol.asyncDispose]: close,
    }),
    kill() {},
    [Symbol.asyncDispose]: close,
  };
}

/** The place of runs that have no gateway. */
export const nowhere: StressGateway = {
  host: '127.0.0.1',
  port: 1,
  control: null,
  stalledMs: async () => null,
  async [Symbol.asyncDispose]() {},
};
