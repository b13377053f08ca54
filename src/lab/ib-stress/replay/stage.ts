import { seededRandom } from '../../../base/random.js';
import type { ConnectionOptions } from '../../../ib/connection.js';
import { IbConnection } from '../../../ib/connection.js';
import { IbError } from '../../../ib/errors.js';
import { formatIbLog, type IbLog } from '../../../ib/log.js';
import type { OrderHandle } from '../../../ib/orders/handle.js';
import { OrderError, type OrderEvent } from '../../../ib/orders/types.js';
import { createPacer, type Pacer, type PacingOptions } from '../../../ib/pacing.js';
import { createIbPool, type IbPool, type IbPoolOptions } from '../../../ib/pool.js';
import type { ConnectionState } from '../../../ib/supervisor.js';
import { VirtualClock } from '../../virtual-clock.js';
import type { Breakage } from '../breakages.js';
import { type LinkManners, ScriptedLine, type ScriptedLink } from './scripted-line.js';

/** One script: what the program and the gateway do, on a clock that only the script moves. */
export interface Act {
  readonly name: string;
  /** It is made of random steps, and too long to be read. */
  readonly isStorm?: true;
  play(stage: Stage): Promise<void>;
}

/** The options of a connection, beside its place. */
export interface Wanted extends Omit<ConnectionOptions, 'line'> {
  readonly clientId?: number;
  readonly pacing?: PacingOptions;
}

const WALL_START_MS = Date.UTC(2026, 0, 5, 14, 30);

/** Plays an act, and writes down all that the pool sends and reports, with the time of each. */
export class Stage {
  readonly clock = new VirtualClock({ wallStartMs: WALL_START_MS });
  readonly transcript: string[] = [];
  readonly random = seededRandom(1);
  readonly lines: ScriptedLine[] = [];
  readonly manners: LinkManners = {
    onPrepare: () => Promise.resolve(),
    onEnd: () => Promise.resolve(),
    onCall: () => undefined,
    onArrived: (callback) => callback(),
  };
  readonly #breakage: Breakage | null;
  readonly #connections: IbConnection[] = [];
  readonly #closing: (() => Promise<void>)[] = [];
  #lastTimer: string | null = null;

  constructor(breakage: Breakage | null = null) {
    this.#breakage = breakage;
  }

  note(text: string): void {
    this.transcript.push(`${Math.round(this.clock.now() * 1000) / 1000} ${text}`);
  }

  /** Notes the timers that are set: one that is left behind keeps a process alive, or wakes it for nothing. */
  timers(): void {
    const { foreground, background } = this.clock.timers;
    const text = `timers: ${foreground}, ${background} in the background; next ${this.clock.nextTimerAt ?? 'none'}`;
    if (text !== this.#lastTimer) this.note(text);
    this.#lastTimer = text;
  }

  /** Rejects after that time. */
  failing(error: Error, afterMs: number): Promise<never> {
    return new Promise((_, reject) => void this.clock.setTimer(() => reject(error), afterMs));
  }

  /** Resolves after that time. */
  later(ms: number): Promise<void> {
    return new Promise((resolve) => void this.clock.setTimer(resolve, ms));
  }

  /** Lets time pass. */
  async pass(ms = 0): Promise<void> {
    await this.clock.advance(ms);
  }

  pacer(options: PacingOptions = {}): Pacer {
    return createPacer({ clock: this.clock, ...options, ...this.#breakage?.pacing });
  }

  pool(options: IbPoolOptions = {}): IbPool {
    const sound = {
      clock: this.clock,
      random: this.random,
      heartbeatMs: 1e9,
      log: (entry: IbLog) => this.note(`log: ${formatIbLog(entry)}`),
      ...options,
      line: () => this.#line(),
    };
    const pool = createIbPool(this.#breakage?.pool?.(sound) ?? sound);
    this.#breakage?.made?.(pool);
    this.#closing.push(() => pool.close({ graceMs: 0 }));
    return pool;
  }

  /** Not connected yet. */
  connection({ clientId = 1, pacing = {}, ...options }: Wanted = {}): IbConnection {
    const sound = {
      clock: this.clock,
      random: this.random,
      heartbeatMs: 1e9,
      ...options,
      pacer: options.pacer ?? this.pacer(pacing),
      line: () => this.#line(),
    };
    const { line, ...given } = this.#breakage?.pool?.(sound) ?? sound;
    const connection = new IbConnection(
      { host: '127.0.0.1', port: 7497, clientId },
      {
        ...given,
        line: line(),
        onState: (state) => this.note(`state: ${stateOf(state)}`),
        onNotice: (code, text) => {
          this.note(`notice ${code}: ${text}`);
          options.onNotice?.(code, text);
        },
      },
    );
    this.#connections.push(connection);
    this.#closing.push(() => connection.close());
    return connection;
  }

  /** One whose session is on. */
  async ready(options: Wanted & { readonly version?: number; readonly nextOrderId?: number } = {}) {
    const { version, nextOrderId, ...wanted } = options;
    const connection = this.connection(wanted);
    this.watch('ready', connection.ready());
    await this.pass();
    this.welcome({
      ...(version !== undefined && { version }),
      ...(nextOrderId !== undefined && { nextOrderId }),
    });
    await this.pass();
    return connection;
  }

  get link(): ScriptedLink {
    const link = this.lines.at(-1)?.links.at(-1);
    if (link === undefined) throw new TypeError('nothing was dialled');
    return link;
  }

  /** The link that was opened last by the line of that number. */
  linkOf(line: number): ScriptedLink {
    const link = this.lines[line]?.links.at(-1);
    if (link === undefined) throw new TypeError(`line ${line} has dialled nothing`);
    return link;
  }

  say(event: string, ...args: unknown[]): void {
    this.link.say(event, ...args);
  }

  error(id: number, code: number, text = 'text'): void {
    this.say('error', text, code, id, null);
  }

  info(code: number, text = 'text'): void {
    this.say('info', text, code);
  }

  drop(): void {
    this.say('disconnected');
  }

  /** All that makes a connection ready. */
  welcome({ accounts = 'DU1', nextOrderId = 5, version = 193 } = {}, link: ScriptedLink = this.link): void {
    link.say('tcp');
    link.say('connected');
    link.say('server', version, 'now');
    link.say('managedAccounts', accounts);
    link.say('nextValidId', nextOrderId);
  }

  /** The number of the last message of that method. */
  idOf(method: string): number {
    return Number(this.link.calls.findLast(([name]) => name === method)?.[1][0]);
  }

  /** Notes what comes of it. */
  watch(name: string, promise: PromiseLike<unknown>): void {
    Promise.resolve(promise).then(
      (value) => this.note(`${name}: ${render(value)}`),
      (error: unknown) => this.note(`${name} failed: ${describeError(error)}`),
    );
  }

  /** Notes what a call that may throw does. */
  attempt(name: string, work: () => unknown): void {
    try {
      this.note(`${name}: ${render(work())}`);
    } catch (error) {
      this.note(`${name} failed: ${describeError(error)}`);
    }
  }

  /** Notes every step of an order, and what its promises come to. */
  follow(name: string, order: OrderHandle): OrderHandle {
    order.on((event) => this.note(`${name} ${eventOf(event)}`));
    this.watch(`${name} accepted`, order.accepted);
    this.watch(`${name} settled`, order.settled);
    this.watch(`${name} done`, order.done);
    void this.#iterate(name, order);
    return order;
  }

  /** Notes all that the handle shows. */
  show(name: string, order: OrderHandle | null): void {
    if (order === null) {
      this.note(`${name} is not known`);
      return;
    }
    const { id, clientId, permId, orderRef, contract, order: terms, state, status, outcome } = order;
    const shown = { id, clientId, permId, orderRef, contract, terms, state, status, outcome };
    this.note(`${name} is ${render({ ...shown, commissions: order.commissions, messages: order.messages })}`);
  }

  /** Ends what the act has left, and what becomes of it. */
  async end(): Promise<void> {
    for (const [at, connection] of this.#connections.entries()) this.#review(at, connection);
    await this.pass();
    for (const close of this.#closing.splice(0)) this.watch('close', close());
    await this.pass(60_000);
    this.timers();
    // A timer that is set again and again for nothing shows nowhere else.
    this.note(`timers fired: ${this.clock.fired}`);
  }

  /** Notes what a connection has come to, and what a program sees that looks at its orders only now. */
  #review(at: number, connection: IbConnection): void {
    this.note(`connection ${at}: ${render(connection.figures())}`);
    for (const order of connection.orders()) {
      const { id, permId, state, status, fills, commissions, messages, outcome } = order;
      const counts = { fills: fills.length, commissions: commissions.length, messages: messages.length };
      const name = `order ${id} of connection ${at}`;
      const { filled, remaining, averageFillPrice } = status;
      const shown = { permId, state, word: status.status, filled, remaining, averageFillPrice };
      this.note(`${name}: ${render({ ...shown, ...counts, outcome: outcome?.kind ?? null })}`);
      this.watch(`${name} accepted`, order.accepted);
      this.watch(`${name} settled`, order.settled);
      this.watch(`${name} done`, order.done);
      void this.#iterate(name, order);
    }
  }

  async #iterate(name: string, order: OrderHandle): Promise<void> {
    let count = 0;
    for await (const _ of order) count++;
    this.note(`${name} has no more to tell after ${count} events`);
  }

  #line(): ScriptedLine {
    const number = this.lines.length;
    const line = new ScriptedLine((text) => this.note(`line ${number} ${text}`), this.manners);
    this.lines.push(line);
    return line;
  }
}

function stateOf(state: ConnectionState): string {
  switch (state.kind) {
    case 'ready':
      return `ready, IB ${state.upstream}, session ${render(state.session)}`;
    case 'waiting':
      return `waiting ${state.retryInMs.toFixed(3)} ms after attempt ${state.attempt}: ${describeError(state.cause)}`;
    case 'failed':
      return `failed: ${describeError(state.cause)}`;
    case 'connecting':
      return `connecting, attempt ${state.attempt}, ${state.phase}`;
    case 'idle':
    case 'closed':
      return state.kind;
  }
}

function eventOf(event: OrderEvent): string {
  return event.kind === 'state' ? `${event.before} -> ${event.state}` : render(event);
}

export function describeError(error: unknown): string {
  if (!(error instanceof IbError)) return String(error);
  const parts = [error.code, error.message, error.ibCode === null ? '' : `IB ${error.ibCode}`];
  if (error.hint !== null && error.hint !== undefined) parts.push(`hint: ${error.hint}`);
  if (error instanceof OrderError) parts.push(`outcome: ${error.outcome}, settled by: ${error.settledBy}`);
  if ('cause' in error)
    parts.push(`because: ${error.cause instanceof Error ? error.cause.message : String(error.cause)}`);
  return parts.filter(Boolean).join(' | ');
}

/** One line for a value; errors and functions by what they say. */
export function render(value: unknown): string {
  return (
    JSON.stringify(value, (_, one: unknown) => {
      if (one instanceof Error) return describeError(one);
      if (typeof one === 'number' && !Number.isFinite(one)) return String(one);
      if (typeof one === 'function') return 'function';
      return one instanceof Map || one instanceof Set ? [...one] : one;
    }) ?? 'undefined'
  );
}
