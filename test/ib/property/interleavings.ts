import fc from 'fast-check';
import { expect } from 'vitest';
import type { IbConnection } from '../../../src/ib/connection.js';
import type { createPacer } from '../../../src/ib/pacing.js';
import { FIRST_REQUEST_ID } from '../../../src/ib/requests.js';
import { VirtualClock } from '../../helpers/virtual-clock.js';
import { FakeLine } from '../fake-line.js';

/** What is played: the connection with its pacer, as they are or with a defect planted. */
export interface Played {
  readonly IbConnection: typeof IbConnection;
  readonly createPacer: typeof createPacer;
}

const PER_SECOND = 8;
const URGENT_PER_SECOND = 10;
const MARGIN_MS = 75;
/** Enough for all that may stand in the queue, and less than a request has that nobody answers. */
const DRAIN_SECONDS = 55;

const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      what: fc.constantFrom('details' as const, 'history' as const, 'time' as const),
      count: fc.integer({ min: 1, max: 6 }),
      timeoutMs: fc.constantFrom(500, 3000, 60_000),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('answer' as const), which: fc.nat(9), late: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('half' as const), which: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('refuse' as const), which: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('abort' as const), which: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('order' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(0, 1, 130, 999, 1075, 5000),
    }),
  },
);
type Action =
  | (typeof action extends fc.Arbitrary<infer A> ? A : never)
  | { readonly kind: 'wait'; readonly ms: number };

export interface Search {
  readonly runs: number;
  readonly seed: number;
  /** Look for the shortest script that breaks the same. Default true. */
  readonly shrink?: boolean;
}

/**
 * Plays seeded random interleavings of requests, answers, drops and time on one connection. Returns the first sentence
 * that does not hold, with its script; null if all hold.
 */
export async function findCounterExample(
  played: Played,
  { runs, seed, shrink = true }: Search,
): Promise<string | null> {
  const scripts = fc.array(action, { minLength: 1, maxLength: 40 });
  const property = fc.asyncProperty(scripts, (actions) => play(played, actions));
  const result = await fc.check(property, { numRuns: runs, seed, endOnFailure: !shrink });
  if (!result.failed) return null;
  const script = JSON.stringify(result.counterexample);
  return `${result.errorInstance}\nseed ${seed}, path ${result.counterexamplePath}\n${script}`;
}

/** A request of the test's, and what became of it. */
interface Asked {
  readonly name: string;
  readonly abort: AbortController;
  outcome: 'answered' | 'failed' | null;
  times: number;
}

/** A request as the gateway has it. */
interface Received {
  readonly id: number;
  readonly method: string;
  /** Of the contract that is asked about. */
  readonly name: string;
  readonly session: number;
  open: boolean;
}

/** A line that notes when each message was sent. */
class TimedLine extends FakeLine {
  /** When each message was sent. */
  readonly times: number[] = [];
  /** The same, without orders and cancels, which have some room of their own. */
  readonly ordinary: number[] = [];
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    super();
    this.#clock = clock;
  }

  override open(...args: Parameters<FakeLine['open']>): ReturnType<FakeLine['open']> {
    const link = super.open(...args);
    return {
      ...link,
      call: (method, values) => {
        const now = this.#clock.now();
        this.times.push(now);
        if (!method.startsWith('cancel') && method !== 'placeOrder') this.ordinary.push(now);
        return link.call(method, values);
      },
    };
  }
}

class Gateway {
  readonly received: Received[] = [];
  readonly ids: number[] = [];
  readonly #line: FakeLine;
  #session = 0;
  #read = 0;

  constructor(line: FakeLine) {
    this.#line = line;
  }

  get isUp(): boolean {
    return this.#session > 0 && this.#session === this.#line.links.length && !this.#line.last.closed;
  }

  /** Lets a session begin where one is dialled. */
  greet(): void {
    if (this.#line.links.length === this.#session || this.#line.last.closed) return;
    this.#session = this.#line.links.length;
    this.#read = 0;
    this.#line.last.beReady({ nextOrderId: 5 });
  }

  drop(): void {
    for (const one of this.received) one.open = false;
    this.#line.last.say('disconnected');
  }

  /** Takes in what was sent since it last looked. */
  look(): void {
    if (this.#session === 0 || this.#session !== this.#line.links.length) return;
    const { calls } = this.#line.last;
    for (const [method, ...args] of calls.slice(this.#read)) {
      const [id, contract] = args as [number, { symbol: string } | undefined];
      if (method.startsWith('cancel')) for (const one of this.received) if (one.id === id) one.open = false;
      if (method !== 'reqContractDetails' && method !== 'reqHistoricalData') continue;
      this.ids.push(id);
      this.received.push({ id, method, name: contract?.symbol ?? '', session: this.#session, open: true });
    }
    this.#read = calls.length;
  }

  /** Part of an answer, or all of it: what says which request it belongs to is its id alone. */
  say({ id, method, name }: Received, complete: boolean): void {
    if (method === 'reqContractDetails') {
      this.#line.last.say('contractDetails', id, { contract: { symbol: name } });
      if (complete) this.#line.last.say('contractDetailsEnd', id);
    } else {
      this.#line.last.say('historicalData', id, name, 1, 1, 1, 1, 1, 1, 1);
      if (complete) this.#line.last.say('historicalData', id, 'finished-1-2', -1);
    }
  }

  refuse({ id }: Received): void {
    this.#line.last.say('error', 'no', 200, id);
  }
}

async function play({ IbConnection, createPacer }: Played, actions: readonly Action[]): Promise<void> {
  const clock = new VirtualClock();
  const line = new TimedLine(clock);
  const gateway = new Gateway(line);
  const pacer = createPacer({
    ...{ clock, limitPerSecond: 12, messagesPerSecond: PER_SECOND, urgentPerSecond: URGENT_PER_SECOND },
    ...{ marginMs: MARGIN_MS, history: false },
  });
  const connection = new IbConnection(
    { host: '127.0.0.1', port: 7497, clientId: 1 },
    { clock, line, random: () => 0.5, pacer, heartbeatMs: 1e9 },
  );
  const asked: Asked[] = [];
  /** Calls of the test's that are no requests with an id. */
  const others: { settled: number }[] = [];
  let names = 0;
  const problems: unknown[] = [];
  const watch = (one: Asked, call: Promise<{ name: string }>): void => {
    call
      .then((answer) => {
        one.outcome = 'answered';
        expect(answer.name, 'the answer, against the request').toBe(one.name);
      })
      .catch((error: Error & { code?: string }) => {
        if (one.outcome === 'answered') problems.push(error);
        else one.outcome = 'failed';
      })
      .finally(() => one.times++);
  };

  const act = async (each: Action): Promise<void> => {
    switch (each.kind) {
      case 'ask':
        for (let at = 0; at < each.count; at++) {
          const one: Asked = { name: `S${++names}`, abort: new AbortController(), outcome: null, times: 0 };
          const options = { timeoutMs: each.timeoutMs, signal: one.abort.signal };
          const contract = { symbol: one.name, secType: 'STK', exchange: 'SMART', currency: 'USD' };
          if (each.what === 'time') {
            const other = { settled: 0 };
            others.push(other);
            void connection.currentTime(options).then(
              () => other.settled++,
              () => other.settled++,
            );
            continue;
          }
          asked.push(one);
          watch(
            one,
            each.what === 'details'
              ? connection
                  .contractDetails(contract, options)
                  .then(([found]) => ({ name: String((found?.contract as { symbol?: string })?.symbol) }))
              : connection
                  .historicalData({ contract, barSize: '1 min', duration: '1 D' }, options)
                  .then((bars) => ({ name: String(bars.at(-1)?.time) })),
          );
        }
        break;
      case 'answer':
      case 'half': {
        const known = gateway.received.filter(({ open }) => open || (each.kind === 'answer' && each.late));
        const one = known[each.which % Math.max(1, known.length)];
        if (one === undefined || !gateway.isUp) break;
        gateway.say(one, each.kind === 'answer');
        if (each.kind === 'answer') one.open = false;
        break;
      }
      case 'refuse': {
        const known = gateway.received.filter(({ open }) => open);
        const one = known[each.which % Math.max(1, known.length)];
        if (one === undefined || !gateway.isUp) break;
        gateway.refuse(one);
        one.open = false;
        break;
      }
      case 'abort':
        asked.filter(({ outcome }) => outcome === null)[each.which]?.abort.abort(new Error('enough'));
        break;
      case 'order': {
        const other = { settled: 0 };
        others.push(other);
        const contract = { symbol: 'X', secType: 'STK', exchange: 'SMART', currency: 'USD' };
        void connection
          .placeOrder(1000 + others.length, contract, { action: 'BUY', totalQuantity: 1 }, { timeoutMs: 900 })
          .catch(() => {})
          .finally(() => other.settled++);
        break;
      }
      case 'drop':
        if (gateway.isUp) gateway.drop();
        break;
      case 'wait':
        // In steps, so that a session begins soon after it was dialled.
        for (let left = each.ms; left > 0; left -= 250) {
          await clock.advance(Math.min(left, 250));
          gateway.greet();
          gateway.look();
        }
        break;
    }
    await clock.settle();
    gateway.greet();
    await clock.settle();
    gateway.look();
  };

  const checkAlways = (): void => {
    if (problems.length > 0) throw problems[0];
    expect(new Set(gateway.ids).size, 'ids that were used once').toBe(gateway.ids.length);
    for (const id of gateway.ids) expect(id, 'ids of requests').toBeGreaterThan(FIRST_REQUEST_ID);
    expect(mostInASecond(line.ordinary), 'ordinary messages in a second').toBeLessThanOrEqual(PER_SECOND);
    expect(mostInASecond(line.times), 'messages in a second').toBeLessThanOrEqual(URGENT_PER_SECOND);
    for (const { times, name } of asked) expect(times, `outcomes of ${name}`).toBeLessThanOrEqual(1);
    const { requests, inFlight } = connection.figures();
    const settled = [...asked, ...others].filter(
      (one) => ('times' in one ? one.times : one.settled) > 0,
    ).length;
    const { answered, failed, timedOut } = requests;
    expect(requests.asked, 'requests asked').toBe(asked.length + others.length);
    expect(answered + failed + timedOut, 'requests that are over').toBe(settled);
    expect(inFlight, 'requests in flight').toBeLessThanOrEqual(requests.asked - settled);
    expect(requests.retried, 'retries, against losses').toBeLessThanOrEqual(requests.lost);
  };

  connection.ready().catch(() => {});
  await clock.settle();
  gateway.greet();
  await clock.settle();
  for (const each of actions) {
    await act(each);
    checkAlways();
  }
  // Everything is answered in time now, and nothing breaks any more.
  for (let round = 0; round < DRAIN_SECONDS && asked.some(({ outcome }) => outcome === null); round++) {
    await act({ kind: 'wait', ms: 1000 });
    for (const one of gateway.received.filter(({ open }) => open)) {
      gateway.say(one, true);
      one.open = false;
    }
    await clock.settle();
    checkAlways();
  }
  expect(
    asked.filter(({ outcome }) => outcome === null).map(({ name }) => name),
    'requests without an end',
  ).toEqual([]);
  await connection.close();
  await clock.settle();
  expect(
    others.every(({ settled }) => settled === 1),
    'orders and questions end once',
  ).toBe(true);
  // The pacer is shared: it looks at its queue once more when its window is over.
  await clock.advance(1000 + MARGIN_MS);
  expect(clock.timers, 'timers after the close').toEqual({ foreground: 0, background: 0 });
}

/** The most in any window of a second, both ends included. */
function mostInASecond(times: readonly number[]): number {
  let most = 0;
  for (let from = 0, to = 0; to < times.length; to++) {
    while (times[to]! - times[from]! > 1000) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}
