import { describe, expect, it } from 'vitest';
import type { IbConnection } from '../../../src/ib/connection.js';
import { type Defect, loadPlanted } from '../../helpers/planted.js';
import { findOrderCounterExample } from '../property/orders.js';

const defects: Readonly<Record<string, Defect & { readonly found: RegExp }>> = {
  'an unknown code that rejects an order': {
    file: 'ib/orders/messages.ts',
    line: "      case 'fatal':\n      case 'unknown':",
    instead:
      "      case 'fatal':\n      case 'unknown': this.#refuse(life, waiter, code, String(text), verdict, null); return true;\n",
    found: /the end of/,
  },
  'an execution that counts twice': {
    file: 'ib/orders/record.ts',
    line: 'if (known !== undefined && known.execId >= fill.execId) return null;',
    instead: 'if (known !== undefined) this.fills.set(`${key} again`, fill);',
    found: /executions of|filled of|the end of/,
  },
  'fills that nobody asks for after a reconnect': {
    file: 'ib/orders/reconciler.ts',
    line: 'await ask(executions({ clientId }));',
    instead: '',
    found: /executions of|commissions of|what has become of|filled of/,
  },
  'no look at all after a reconnect': {
    file: 'ib/orders/ledger.ts',
    line: 'if (isFirst ? this.recovers : this.open > 0 || this.recovers) {',
    instead: 'if (isFirst && this.recovers) {',
    found: /what has become of|executions of|permId of|filled of/,
  },
  'an order that is missing from one list, taken for gone': {
    file: 'ib/orders/reconciler.ts',
    line: 'if (record.foundIn >= look) {',
    instead:
      "if (record.state === 'working') record.refused(new Error('gone') as never); if (record.foundIn >= look) {",
    found: /the end of/,
  },
  'ids that begin where the gateway says': {
    file: 'ib/orders/ledger.ts',
    line: 'if (used < FIRST_REQUEST_ID) this.#nextId = Math.max(this.#nextId, used + 1);',
    instead: 'this.#nextId = used + 1;',
    found: /./,
  },
  'a reference that is not looked up': {
    file: 'ib/orders/book.ts',
    line: 'return this.#byRef.get(orderRef) ?? null;',
    instead: 'return orderRef.length < 0 ? (this.#byRef.get(orderRef) ?? null) : null;',
    found: /./,
  },
  'one waiter for all messages about an order': {
    file: 'ib/orders/waiters.ts',
    line: 'this.#waiters.push(waiter);',
    instead: 'this.#waiters.splice(0, 1, waiter);',
    found: /the ends of a message/,
  },
  'a commission that is lost where it comes before its execution': {
    file: 'ib/orders/book.ts',
    line: 'this.#early.set(commission.execId, commission);',
    instead: '',
    found: /./,
  },
  'a timer that is left behind': {
    file: 'ib/orders/messages.ts',
    line: 'for (const timer of this.#timers) timer.cancel();',
    instead: '',
    found: /timers after the close/,
  },
};

async function load(defect: Defect | null): Promise<typeof IbConnection> {
  const loaded = await loadPlanted<{ IbConnection: typeof IbConnection }>('ib/connection.ts', defect, [
    'base',
    'pool',
    'ib',
  ]);
  return loaded.IbConnection;
}

const search = { runs: 150, seed: 20_260_107, shrink: false };

describe('the interleavings of orders find', () => {
  it.each(Object.entries(defects))(
    '%s',
    async (_name, { found, ...defect }) => {
      expect(await findOrderCounterExample(await load(defect), search)).toMatch(found);
    },
    120_000,
  );
});
