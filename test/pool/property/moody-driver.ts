import { Disconnect, FakeDriver, type Thing } from '../../helpers/fake-driver.js';
import { type Gate, later, newGate } from '../../helpers/pools.js';
import type { VirtualClock } from '../../helpers/virtual-clock.js';
import type { DriverStep, Manner } from './script.js';

/** So many creates can be due to no script: the pool spins. */
const MOST_CREATES = 1000;
const SLOW_MS = 30;

/** A driver whose steps work, fail, are slow or hang, as a script tells it. */
export class MoodyDriver extends FakeDriver {
  readonly manners = new Map<DriverStep, Manner>();
  /** Steps that hang. */
  readonly hanging: Gate[] = [];
  /** When the closing of each resource that is not closed to the end began. */
  readonly closingSince = new Map<Thing, number>();
  /** When each create that has not ended was given up, by its number; what it brings has to be closed first. */
  readonly abandonedSince = new Map<number, number>();
  /** The pool has had a reason to fail an acquire because of a create. */
  createHasFailed = false;
  readonly #clock: VirtualClock;
  readonly #problems: string[];

  constructor(clock: VirtualClock, problems: string[]) {
    super();
    this.#clock = clock;
    this.#problems = problems;
    this.steps.create = (signal) => this.#create(signal);
    this.steps.destroy = (thing) => this.#destroy(thing);
    this.steps.ping = () => this.behave('ping');
    this.steps.reset = () => this.behave('reset');
  }

  /** From now on everything works at once, and what hung goes on. */
  heal(): void {
    this.manners.clear();
    for (const gate of this.hanging.splice(0)) gate.open();
  }

  letGo(gate: Gate | undefined, how: 'open' | 'fail'): void {
    if (gate === undefined) return;
    this.hanging.splice(this.hanging.indexOf(gate), 1);
    if (how === 'open') gate.open();
    else gate.fail(new Error('let go by the script'));
  }

  behave(step: DriverStep): Promise<void> | void {
    const manner = this.manners.get(step) ?? 'works';
    if (step === 'create' && manner !== 'works') this.createHasFailed = true;
    switch (manner) {
      case 'works':
        return;
      case 'works later':
        return Promise.resolve();
      case 'throws':
        throw new Error(`${step} throws`);
      case 'fails':
        return Promise.reject(new Error(`${step} fails`));
      case 'disconnects':
        return Promise.reject(new Disconnect(`${step} finds the connection gone`));
      case 'is slow':
        return later(this.#clock, SLOW_MS);
      case 'hangs': {
        const gate = newGate();
        this.hanging.push(gate);
        return gate.opened;
      }
    }
  }

  #create(signal: AbortSignal): Promise<void> | void {
    const nth = this.creates;
    signal.addEventListener('abort', () => {
      this.createHasFailed = true;
      this.abandonedSince.set(nth, this.#clock.now());
    });
    if (this.creates === MOST_CREATES) this.#problems.push(`${MOST_CREATES} creates: the pool spins`);
    if (this.creates >= MOST_CREATES) return new Promise<void>(() => {});
    const pending = this.behave('create');
    return pending?.catch((error: unknown) => {
      this.abandonedSince.delete(nth);
      throw error;
    });
  }

  #destroy(thing: Thing): Promise<void> | void {
    const closed = (): void => {
      this.closingSince.delete(thing);
      this.abandonedSince.delete(thing.nthCreate);
    };
    try {
      const pending = this.behave('destroy');
      if (pending === undefined) return closed();
      this.closingSince.set(thing, this.#clock.now());
      return pending.finally(closed);
    } catch (error) {
      closed();
      throw error;
    }
  }
}
