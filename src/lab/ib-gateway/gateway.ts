import type { Socket } from 'node:net';
import { systemClock, type Timer } from '../../base/clock.js';
import { seededRandom } from '../../base/random.js';
import { Census, countsOf, type GatewayCounts } from './census.js';
import { Door } from './door.js';
import { FaultBoard, type FaultSubject, isMeantFor } from './fault-board.js';
import { type Fault, msUntil, type PlannedFault } from './faults.js';
import { Holdings } from './holdings.js';
import { type House, openHistory } from './house.js';
import { Market } from './market.js';
import { type GatewayOptions, settingsOf } from './options.js';
import { workOrders } from './order-desk.js';
import { Orders } from './orders.js';
import { HistoryPacing } from './pacing.js';
import { Session } from './session.js';
import { loseData, sendTicks, subscriptionsByKind } from './ticks.js';
import { notices } from './wire/notices.js';

/** A simulated TWS or IB Gateway, until it is closed. */
export interface Gateway extends AsyncDisposable {
  readonly host: string;
  /** The port that clients reach it at; the fault `move-port` changes it. */
  readonly port: number;
  readonly serverVersion: number;
  /** The counts so far. */
  counts(): GatewayCounts;
  /** Begins to count anew. What is open stays open. */
  clearCounts(): void;
  /**
   * Makes something go wrong; resolves when it does, with a number to heal it by. Rejects with a GatewayError where
   * a port cannot be had.
   */
  inject(fault: Fault): Promise<number>;
  /** Ends a fault that lasts, or all; resolves, with how many there were, when that shows. */
  heal(id?: number): Promise<number>;
  /** Closes all connections and listens no more. */
  close(): Promise<void>;
}

/**
 * Starts a gateway that speaks the text protocol of TWS (100 to 200) and behaves as the real one does where that is
 * known. Faults can be injected. All its data are made up. Rejects with a GatewayError if an option makes no sense or
 * the port cannot be had.
 */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const gateway = new SimulatedGateway(options);
  await gateway.open();
  return gateway;
}

/** Observed of real gateways: 1100 several times in 14 s, then 1102. */
const NIGHTLY_RESET = { notices: 4, lastsMs: 14_000, dataLost: false };
/** An observed restart lost an order that was sent 0.4 s before. */
const RESTART = { downMs: 5000, lostOrdersMs: 400 };

/** A fault that can be healed. */
interface Lasting {
  readonly timer: Timer | null;
  end(): void | Promise<void>;
}

class SimulatedGateway implements Gateway {
  readonly #house: House;
  readonly #sessions = new Set<Session>();
  readonly #door: Door;
  readonly #plan: readonly PlannedFault[];
  readonly #lasting = new Map<number, Lasting>();
  /** Timers of the plan, and of faults that go on in steps. */
  readonly #timers = new Set<Timer>();
  #nextFaultId = 1;
  #ticks: Timer | null = null;
  #closed = false;

  constructor(given: GatewayOptions) {
    const clock = given.clock ?? systemClock;
    const seed = given.seed ?? 1;
    const random = seededRandom(seed);
    const options = settingsOf(given);
    const market = new Market(seed, () => clock.wallTime());
    this.#house = {
      options,
      clock,
      random,
      market,
      holdings: new Holdings(options.accounts, market),
      executions: [],
      orders: new Orders(given.firstOrderId ?? 1),
      faults: new FaultBoard(random),
      historyPacing: options.historyLimits === null ? null : new HistoryPacing(options.historyLimits),
      sessions: this.#sessions,
      census: new Census(),
      linked: true,
      tick: 0,
      wantTicks: () => this.#startTicks(),
      log: given.log ?? (() => {}),
    };
    const place = { host: given.host ?? '127.0.0.1', port: given.port ?? 0 };
    this.#door = new Door(place, clock, (socket) => this.#welcome(socket));
    this.#plan = given.faults ?? [];
  }

  get host(): string {
    return this.#door.host;
  }

  get port(): number {
    return this.#door.port;
  }

  get serverVersion(): number {
    return this.#house.options.serverVersion;
  }

  async open(): Promise<void> {
    await this.#door.open();
    for (const fault of this.#plan) this.#schedule(fault);
  }

  counts(): GatewayCounts {
    const { census, sessions, clock } = this.#house;
    const now = {
      connections: sessions.size,
      readyIds: [...sessions].flatMap(({ isReady, clientId }) =>
        isReady && clientId !== null ? [clientId] : [],
      ),
      history: openHistory(this.#house),
      subscriptions: subscriptionsByKind(this.#house),
    };
    return countsOf(census, now, clock);
  }

  clearCounts(): void {
    const { connections, clients, subscriptions, history } = this.counts();
    const { perSecond } = this.#house.census;
    perSecond.most = perSecond.count(this.#house.clock.now());
    const census = new Census(perSecond);
    census.mostOpen = connections.open;
    census.mostReady = clients.ids.length;
    census.mostHistoryOpen = history.open;
    census.mostSubscriptions = Object.values(subscriptions.open).reduce((sum, count) => sum + count, 0);
    this.#house.census = census;
  }

  async inject(fault: Fault): Promise<number> {
    const { census, log } = this.#house;
    const id = this.#nextFaultId++;
    census.faults.add(fault.kind);
    log(`fault ${id}: ${JSON.stringify(fault)}`);
    await this.#begin(id, fault);
    return id;
  }

  async heal(id?: number): Promise<number> {
    const ids = id === undefined ? [...this.#lasting.keys()] : [id];
    const ended = await Promise.all(ids.map((one) => this.#end(one)));
    return ended.filter(Boolean).length;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#door.close();
    this.#ticks?.cancel();
    for (const timer of this.#timers) timer.cancel();
    for (const { timer } of this.#lasting.values()) timer?.cancel();
    this.#lasting.clear();
    await Promise.all([...this.#sessions].map((session) => session.destroyed()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #welcome(socket: Socket): void {
    const { census, options, faults, log } = this.#house;
    const sessions = this.#sessions;
    census.accepted++;
    const door = faults.atDoor();
    if (sessions.size >= options.clientCap) {
      census.overCap++;
      log(`connection closed: ${options.clientCap} are open`);
      if (options.overCap === 'close') {
        census.endedByGateway++;
        socket.on('error', () => {});
        socket.destroy();
        return;
      }
    }
    const isOver = sessions.size >= options.clientCap;
    const onEnd = (ended: Session): void => void sessions.delete(ended);
    sessions.add(new Session(socket, this.#house, isOver ? { ...door, silent: true } : door, onEnd));
    census.mostOpen = Math.max(census.mostOpen, sessions.size);
  }

  async #begin(id: number, fault: Fault): Promise<void> {
    const { faults, random } = this.#house;
    switch (fault.kind) {
      case 'slow-accept':
      case 'silent-handshake':
      case 'server-version':
      case 'latency':
      case 'slice':
      case 'mute':
      case 'error':
        faults.hold(id, fault, fault.pick === undefined ? null : new Set<FaultSubject>(this.#meant(fault)));
        return this.#last(id, fault, () => void faults.lift(id));
      case 'refuse':
        this.#door.shut(`fault ${id}`);
        return this.#last(id, fault, () => this.#door.reopen(`fault ${id}`));
      case 'half-open': {
        const frozen = this.#meant(fault);
        for (const session of frozen) session.freeze();
        return this.#last(id, fault, async () => {
          await Promise.all(frozen.map((session) => session.destroyed()));
        });
      }
      case 'drop':
        for (const session of this.#meant(fault))
          session.drop(fault.afterBytes ?? 0, fault.manner ?? 'reset');
        return;
      case 'corrupt-length':
        for (const session of this.#meant(fault)) session.corruptNext(fault.length);
        return;
      case 'garbage':
        for (const session of this.#meant(fault)) session.sendRaw(garbage(fault, random));
        return;
      case 'move-port':
        await this.#door.move(fault.port);
        for (const session of [...this.#sessions]) {
          if (session.isReady) session.tell(notices.portMoved(this.#door.port));
          session.finish();
        }
        return;
      case 'lost':
        return this.#lose();
      case 'restored':
        return this.#restore(fault.dataLost);
      case 'farm':
        return this.#tellAll(notices.farm(fault.code, fault.farm));
      case 'nightly-reset': {
        const { notices: times, lastsMs, dataLost } = { ...NIGHTLY_RESET, ...fault };
        for (let count = 0; count < times; count++) {
          if (count === 0) this.#lose();
          else this.#later((lastsMs * count) / times, () => this.#lose());
        }
        this.#later(lastsMs, () => this.#restore(dataLost));
        return;
      }
      case 'restart':
        return this.#restart(id, fault);
      case 'notice':
        for (const session of this.#meant(fault)) if (session.isReady) session.tell(fault, fault.id);
        return;
    }
  }

  #restart(id: number, fault: Extract<Fault, { readonly kind: 'restart' }>): void {
    const { orders, clock, census } = this.#house;
    const { downMs, lostOrdersMs } = { ...RESTART, ...fault };
    this.#door.shut(`fault ${id}`);
    census.ordersLost += orders.lose(clock.wallTime() - lostOrdersMs);
    for (const session of [...this.#sessions]) session.drop(0, 'reset');
    this.#last(id, { ...fault, forMs: downMs }, () => this.#door.reopen(`fault ${id}`));
  }

  /** Keeps a fault until its time is over, or it is healed. */
  #last(id: number, { forMs = null }: Fault, end: () => void | Promise<void>): void {
    // While nobody listens nothing else may keep the process alive: hence not in the background.
    const timer =
      forMs === null ? null : this.#house.clock.setTimer(() => void this.#end(id).catch(() => {}), forMs);
    this.#lasting.set(id, { timer, end });
  }

  async #end(id: number): Promise<boolean> {
    const lasting = this.#lasting.get(id);
    if (lasting === undefined) return false;
    this.#lasting.delete(id);
    lasting.timer?.cancel();
    this.#house.log(`fault ${id} is over`);
    await lasting.end();
    return true;
  }

  #lose(): void {
    this.#house.linked = false;
    this.#tellAll(notices.lost);
  }

  #restore(dataLost: boolean): void {
    this.#house.linked = true;
    if (dataLost) loseData(this.#house);
    this.#tellAll(dataLost ? notices.restoredDataLost : notices.restored);
  }

  #tellAll(notice: { readonly code: number; readonly text: string }): void {
    for (const session of this.#house.sessions) if (session.isReady) session.tell(notice);
  }

  /** The connections that a fault is for: those with its ids, or as many of them as it picks. */
  #meant(fault: Fault): Session[] {
    const { random } = this.#house;
    const meant = [...this.#sessions].filter((session) => !session.frozen && isMeantFor(fault, session));
    if (fault.pick === undefined) return meant;
    const picked: Session[] = [];
    while (picked.length < fault.pick && meant.length > 0) {
      picked.push(...meant.splice(Math.floor(random() * meant.length), 1));
    }
    return picked;
  }

  #schedule(fault: PlannedFault): void {
    const { clock, random } = this.#house;
    const { atMs = 0, atTime, everyMs, jitterMs = 0, ...what } = fault;
    const plan = (delayMs: number): void => {
      // The jitter is that of this time only: it does not add up.
      this.#later(delayMs + random() * jitterMs, () => {
        this.inject(what as Fault).catch((error: Error) => this.#house.log(error.message));
      });
      const nextMs = atTime === undefined ? everyMs : 86_400_000;
      if (nextMs === undefined) return;
      this.#later(delayMs, () => plan(atTime === undefined ? nextMs : msUntil(atTime, clock.wallTime())));
    };
    plan(atTime === undefined ? atMs : msUntil(atTime, clock.wallTime()));
  }

  #later(delayMs: number, callback: () => void): void {
    const timer = this.#house.clock.setTimer(
      () => {
        this.#timers.delete(timer);
        callback();
      },
      delayMs,
      { background: true },
    );
    this.#timers.add(timer);
  }

  /** Prices change for as long as anybody receives them or an order waits for one. */
  #startTicks(): void {
    if (this.#ticks !== null || this.#closed) return;
    const { clock, options, sessions } = this.#house;
    const tick = (): void => {
      this.#ticks = null;
      this.#house.tick++;
      sendTicks(this.#house);
      workOrders(this.#house);
      const anybody = [...sessions].some(({ subscriptions }) => subscriptions.size > 0);
      if (anybody || this.#house.orders.areWorking) this.#startTicks();
    };
    this.#ticks = clock.setTimer(tick, options.tickIntervalMs, { background: true });
  }
}

/** As random as the seed: the same in every run. */
function garbage(
  { bytes, framed = true }: { readonly bytes: number; readonly framed?: boolean },
  random: () => number,
): Buffer {
  const content = Buffer.from(Array.from({ length: bytes }, () => Math.floor(random() * 256)));
  if (!framed) return content;
  const frame = Buffer.alloc(4 + bytes);
  frame.writeUInt32BE(bytes);
  content.copy(frame, 4);
  return frame;
}
