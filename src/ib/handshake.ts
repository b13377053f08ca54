import type { Clock, Timer } from '../base/clock.js';
import { withoutSystemWords } from '../base/file-fault.js';
import { IbError } from './errors.js';
import { placeOf, type Target } from './link.js';

/** The gateway's introduction, which makes the connection ready. */
export interface Session {
  /** 1 for the first, one more for each reconnect. */
  readonly epoch: number;
  readonly serverVersion: number;
  readonly accounts: readonly string[];
  readonly nextOrderId: number;
  /**
   * `load` is what it took to have the library, and the thread if there is one, ready. From dialling on: until the port
   * answered, until the version was there, until it was ready. null: not seen.
   */
  readonly phasesMs: {
    readonly load: number;
    readonly tcp: number | null;
    readonly version: number | null;
    readonly ready: number;
  };
}

/** The default ports of gateways, for the hint of an error. */
export const PORTS = 'TWS listens at 7496 (live) and 7497 (paper), IB Gateway at 4001 and 4002';

interface HandshakeOptions {
  readonly clock: Clock;
  readonly target: Target;
  readonly epoch: number;
  readonly loadMs: number;
  readonly timeoutMs: number;
  /** The version is there. */
  readonly versioned: () => void;
  readonly ready: (session: Session) => void;
  /** `isFinal`: another attempt would end the same. */
  readonly failed: (cause: IbError, isFinal: boolean) => void;
  /** A message that the library could not read. */
  readonly unreadable: () => void;
}

/** One attempt, from dialling until the gateway has said its version, the accounts, and the next order id. */
export class Handshake {
  readonly #options: HandshakeOptions;
  readonly #dialledAt: number;
  readonly #timer: Timer;
  #tcpMs: number | null = null;
  #versionMs: number | null = null;
  #serverVersion = 0;
  #accounts: readonly string[] | null = null;
  #nextOrderId: number | null = null;
  #socketError: string | null = null;

  constructor(options: HandshakeOptions) {
    this.#options = options;
    this.#dialledAt = options.clock.now();
    this.#timer = options.clock.setTimer(() => this.#expire(), options.timeoutMs);
  }

  end(): void {
    this.#timer.cancel();
  }

  hear(event: string, args: readonly unknown[]): void {
    switch (event) {
      case 'tcp':
        this.#tcpMs = this.#since();
        return;
      case 'server':
        this.#versionMs = this.#since();
        this.#serverVersion = Number(args[0]);
        if (Number.isSafeInteger(this.#serverVersion)) this.#options.versioned();
        // The library takes what is no number for a version that it knows.
        else this.#broken('its first message is not a version', true);
        return;
      case 'managedAccounts':
        this.#accounts = String(args[0]).split(',').filter(Boolean);
        break;
      case 'nextValidId':
        this.#nextOrderId = Number(args[0]);
        break;
      case 'info':
        // Everything that has the id -1 comes as info, this error included.
        if (Number(args[1]) === 326) this.#idInUse();
        return;
      case 'error':
        this.#hearError(Number(args[1]), String(args[0]));
        return;
      case 'broken':
        this.#broken(String(args[0]), args[1] === true);
        return;
      case 'disconnected':
        this.#hungUp();
        return;
      default:
        return;
    }
    // Either may come first. What is sent before both are there may be dropped by the gateway.
    if (this.#accounts === null || this.#nextOrderId === null) return;
    const { epoch, loadMs: load } = this.#options;
    this.end();
    this.#options.ready({
      epoch,
      serverVersion: this.#serverVersion,
      accounts: this.#accounts,
      nextOrderId: this.#nextOrderId,
      phasesMs: { load, tcp: this.#tcpMs, version: this.#versionMs, ready: this.#since() },
    });
  }

  #since(): number {
    return this.#options.clock.now() - this.#dialledAt;
  }

  #place(): string {
    return placeOf(this.#options.target);
  }

  #fail(cause: IbError, isFinal = false): void {
    this.end();
    this.#options.failed(cause, isFinal);
  }

  #expire(): void {
    const at = `${this.#place()} within ${Math.round(this.#options.timeoutMs)} ms`;
    const text =
      this.#tcpMs === null
        ? `nobody answered at ${at}`
        : this.#versionMs === null
          ? `the port answered, but no gateway said its version at ${at}`
          : `the gateway said its version, but was not ready at ${at}`;
    // While its login is not complete (2FA, restart), a gateway accepts connections and says nothing.
    const hint = 'look whether the gateway waits for a login or a confirmation on its screen';
    this.#fail(new IbError('ERR_IB_HANDSHAKE', text, { hint }));
  }

  #idInUse(): void {
    const text = `client id ${this.#options.target.clientId} is in use at ${this.#place()}`;
    const hint = 'each connection to a gateway needs a client id of its own: choose another base';
    this.#fail(new IbError('ERR_IB_CLIENT_ID_IN_USE', text, { ibCode: 326, hint }), true);
  }

  #hearError(ibCode: number, text: string): void {
    if (ibCode === 506 || ibCode === 503) {
      const version = /\d+/.exec(text)?.[0];
      const isNewer = version !== undefined && Number(version) > 193;
      const hint = isNewer
        ? '@stoqey/ib 1.6.10 speaks versions 100 to 193; from 201 on messages are protobuf'
        : 'update TWS or IB Gateway: @stoqey/ib 1.6.10 speaks versions 100 to 193, and this one is older';
      const error = `the gateway at ${this.#place()} speaks another version: ${text}`;
      this.#fail(new IbError('ERR_IB_VERSION', error, { ibCode, hint }), true);
    } else if (ibCode === 505) this.#options.unreadable();
    else this.#socketError = text;
  }

  #broken(text: string, isNotGateway: boolean): void {
    this.#fail(
      isNotGateway
        ? new IbError('ERR_IB_NOT_A_GATEWAY', `no gateway listens at ${this.#place()}: ${text}`, {
            hint: PORTS,
          })
        : new IbError('ERR_IB_CONNECT', `the connection to ${this.#place()} is of no use: ${text}`),
    );
  }

  #hungUp(): void {
    const error = this.#socketError;
    this.#fail(
      error === null
        ? new IbError('ERR_IB_CONNECT', `the gateway at ${this.#place()} hung up before it was ready`, {
            // A gateway that is full accepts and hangs up.
            hint: 'a gateway serves 32 clients at once',
          })
        : new IbError('ERR_IB_CONNECT', `cannot connect to ${this.#place()}: ${withoutSystemWords(error)}`, {
            hint: `start the gateway and enable its API; ${PORTS}`,
          }),
    );
  }
}
