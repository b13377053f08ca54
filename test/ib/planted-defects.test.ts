import { describe, expect, it } from 'vitest';
import { type Defect, loadPlanted } from '../helpers/planted.js';
import { findCounterExample, type Played } from './property/interleavings.js';

const defects: Readonly<Record<string, Defect & { readonly found: RegExp }>> = {
  'ids that begin anew with each session': {
    file: 'ib/requests.ts',
    line: 'began(): void {',
    instead: 'began(): void { this.#lastId = FIRST_REQUEST_ID;',
    found: /ids that were used once/,
  },
  'an answer that is given to whoever has asked first': {
    file: 'ib/requests.ts',
    line: '? this.#pending.get(Number(args[0])) :',
    instead: '? (this.#pending.get(Number(args[0])) ?? [...this.#pending.values()][0]) :',
    found: /the answer, against the request/,
  },
  'a request under way that is not told of a drop': {
    file: 'ib/requests.ts',
    line: 'for (const one of pending) one.reject',
    instead: 'for (const one of pending.slice(1)) one.reject',
    found: /requests without an end|orders and questions end once/,
  },
  'a time-out that is counted as a failure too': {
    file: 'ib/requests.ts',
    line: "if (!ours) this.#counters[isTimeout(error) ? 'timedOut' : 'failed']++;",
    instead: 'if (!ours) { this.#counters.failed++; if (isTimeout(error)) this.#counters.timedOut++; }',
    found: /requests that are over/,
  },
  'a loss that is not counted': {
    file: 'ib/requests.ts',
    line: 'this.#counters.lost += pending.length - this.#ours;',
    instead: '',
    found: /retries, against losses/,
  },
  'a timer that is left behind': {
    file: 'ib/time-limit.ts',
    line: 'this.#timer.cancel();\n    this.#timer = null;',
    instead: 'this.#timer = null;',
    found: /timers after the close/,
  },
  'a window that ends too early': {
    file: 'ib/pacing.ts',
    line: 'SECOND_MS + Math.max(1, marginMs)',
    instead: 'SECOND_MS - 100',
    found: /messages in a second/,
  },
  'urgent messages that are not bounded': {
    file: 'ib/pacing.ts',
    line: "return kind === 'urgent' ? this.#urgentBudget : this.#budget;",
    instead: "return kind === 'urgent' ? 1000 : this.#budget;",
    found: /messages in a second/,
  },
  'ordinary messages that take the room of urgent ones': {
    file: 'ib/pacing.ts',
    line: 'if (now < this.#restUntil || !this.#mayGo(now, this.#budget)) return null;',
    instead: 'if (!this.#mayGo(now, this.#urgentBudget)) return null;',
    found: /ordinary messages in a second/,
  },
};

async function load(defect: Defect | null): Promise<Played> {
  const rooms = ['base', 'pool', 'ib'];
  const { IbConnection } = await loadPlanted<Pick<Played, 'IbConnection'>>('ib/connection.ts', defect, rooms);
  const { createPacer } = await loadPlanted<Pick<Played, 'createPacer'>>('ib/pacing.ts', defect, rooms);
  return { IbConnection, createPacer };
}

/** The search is as long for all; where there is a defect it ends as soon as that shows. */
const search = { runs: 300, seed: 20_260_101, shrink: false };

describe('the interleavings of requests find', () => {
  it('nothing in a copy of the connection as it is', async () => {
    expect(await findCounterExample(await load(null), { ...search, runs: 20 })).toBeNull();
  }, 120_000);

  it.each(Object.entries(defects))(
    '%s',
    async (_name, { found, ...defect }) => {
      expect(await findCounterExample(await load(defect), search)).toMatch(found);
    },
    120_000,
  );
});
