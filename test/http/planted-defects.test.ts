import { afterEach, describe, expect, it } from 'vitest';
import { type Defect, loadPlanted } from '../helpers/planted.js';
import { Opened } from './peers.js';
import { findCounterExample, type Played } from './property/decisions.js';
import { problemsUnderLoad } from './property/load.js';

const ROOMS = ['base', 'snapshot', 'pool', 'http'];
const opened = new Opened();
afterEach(() => opened.close());

type Planted = Defect & { readonly found: RegExp };

const decisions: Readonly<Record<string, Planted>> = {
  'a circuit that opens one failure late': {
    file: 'http/breaker.ts',
    line: 'this.#failures.total(now) >= calls * failureShare',
    instead: 'this.#failures.total(now) > calls * failureShare',
    found: /state: expected/,
  },
  'a circuit that opens on too few calls': {
    file: 'http/breaker.ts',
    line: 'if (calls >= minCalls &&',
    instead: 'if (calls >= minCalls - 1 &&',
    found: /state: expected/,
  },
  'a probe too many': {
    file: 'http/breaker.ts',
    line: 'return this.#probing < this.#settings.probes;',
    instead: 'return this.#probing <= this.#settings.probes;',
    found: /would admit: expected/,
  },
  'a probe that is not counted off': {
    file: 'http/breaker.ts',
    line: 'this.#probing--;',
    instead: '',
    found: /would admit: expected/,
  },
  'failures that outlive the circuit': {
    file: 'http/breaker.ts',
    line: 'this.#failures.clear();',
    instead: '',
    found: /share of failures|state: expected/,
  },
  'a retry beyond the budget': {
    file: 'http/retry.ts',
    line: 'if (this.#retries.total(now) >= most) return false;',
    instead: 'if (this.#retries.total(now) > most) return false;',
    found: /a retry within the budget/,
  },
  'a retry that is not counted': {
    file: 'http/retry.ts',
    line: 'this.#retries.add(now);',
    instead: '',
    found: /a retry within the budget/,
  },
};

const places: Readonly<Record<string, Planted>> = {
  'a connection too many': {
    file: 'http/connections.ts',
    line: 'return this.#connections + this.#dialling < this.#settings.maxConnections;',
    instead: 'return this.#connections + this.#dialling <= this.#settings.maxConnections;',
    found: /more connections than are allowed/,
  },
  'dials that are not counted': {
    file: 'http/connections.ts',
    line: 'return this.#connections + this.#dialling < this.#settings.maxConnections;',
    instead: 'return this.#connections < this.#settings.maxConnections;',
    found: /more connections than are allowed/,
  },
  'an idle connection that is counted twice': {
    file: 'http/connections.ts',
    line: 'idle.splice(at, 1);\n    this.#idle--;',
    instead: 'idle.splice(at, 1);',
    found: /more connections idle and in use|what is left in the end|in use for ever/,
  },
  'a request that may be sent twice though it must not': {
    file: 'http/retry.ts',
    line: "['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']",
    instead: "['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE', 'POST']",
    found: /a POST was sent twice/,
  },
};

describe('the interleavings of calls find', () => {
  const search = { runs: 1000, seed: 20_260_101, shrink: false };
  const load = async (defect: Defect | null): Promise<Played> => ({
    ...(await loadPlanted<Pick<Played, 'Breaker'>>('http/breaker.ts', defect, ROOMS)),
    ...(await loadPlanted<Pick<Played, 'RetryBudget'>>('http/retry.ts', defect, ROOMS)),
  });

  it('nothing in a copy of what decides as it is', async () => {
    expect(await findCounterExample(await load(null), { ...search, runs: 100 })).toBeNull();
  });

  it.each(Object.entries(decisions))('%s', async (_name, { found, ...defect }) => {
    expect(await findCounterExample(await load(defect), search)).toMatch(found);
  });
});

describe('random requests find', () => {
  const load = (defect: Defect | null) =>
    loadPlanted<typeof import('../../src/http/index.js')>('http/index.ts', defect, ROOMS);

  it('nothing in a copy of the pool as it is', async () => {
    const { createHttpPool } = await load(null);
    expect(await problemsUnderLoad(createHttpPool, opened, 1)).toEqual([]);
  });

  it.each(Object.entries(places))('%s', async (_name, { found, ...defect }) => {
    const { createHttpPool } = await load(defect);
    expect((await problemsUnderLoad(createHttpPool, opened, 1)).join('; ')).toMatch(found);
  });
});
