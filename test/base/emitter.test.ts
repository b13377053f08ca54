import { channel } from 'node:diagnostics_channel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type * as kit from '../../src/base/emitter.js';
import { Emitter } from '../../src/base/emitter.js';
import { type Defect, loadPlanted } from '../helpers/planted.js';

interface Events extends kit.EmitterEvents {
  a: { n: number };
  b: { n: number };
}

const names = ['a', 'b'] as const;

/** What a listener does when it is called. */
type Temper = 'listens' | 'throws' | 'rejects' | 'adds' | 'removes itself';

type Step =
  | { readonly act: 'on'; readonly event: 'a' | 'b'; readonly first: boolean; readonly temper: Temper }
  | { readonly act: 'again'; readonly nth: number }
  | { readonly act: 'off'; readonly nth: number; readonly twice: boolean }
  | { readonly act: 'emit'; readonly event: 'a' | 'b' };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({
      act: fc.constant('on' as const),
      event: fc.constantFrom(...names),
      first: fc.boolean(),
      temper: fc.constantFrom<Temper>('listens', 'listens', 'throws', 'rejects', 'adds', 'removes itself'),
    }),
    fc.record({ act: fc.constant('again' as const), nth: fc.nat() }),
    fc.record({ act: fc.constant('off' as const), nth: fc.nat(), twice: fc.boolean() }),
    fc.record({ act: fc.constant('emit' as const), event: fc.constantFrom(...names) }),
  ),
  { maxLength: 40, size: 'max' },
);

interface Entry {
  readonly id: number;
  readonly event: 'a' | 'b';
  readonly temper: Temper;
  readonly listener: (payload: { n: number }) => unknown;
  readonly off: () => void;
}

/** An emitter, and beside it the plain lists that it must agree with. */
class Model {
  readonly emitter: Emitter<Events>;
  readonly lists: Record<'a' | 'b', Entry[]> = { a: [], b: [] };
  readonly entries: Entry[] = [];
  called: string[] = [];
  failed = 0;
  failures = 0;
  emits = 0;

  constructor(Made: typeof Emitter) {
    this.emitter = new Made<Events>();
    this.emitter.on('listenerFailed', () => {
      this.failed++;
      throw new Error('the last resort fails too');
    });
  }

  play(step: Step): void {
    switch (step.act) {
      case 'on':
        this.#add(step.event, step.first, step.temper);
        return;
      case 'again': {
        const entry = this.entries[step.nth % this.entries.length];
        if (entry === undefined || entry.temper !== 'listens') return;
        const off = this.emitter.on(entry.event, entry.listener as () => void);
        this.#note({ ...entry, off }, false);
        return;
      }
      case 'off': {
        const [entry] = this.entries.splice(step.nth % Math.max(1, this.entries.length), 1);
        if (entry === undefined) return;
        entry.off();
        this.#forget(entry);
        if (step.twice) entry.off();
        return;
      }
      case 'emit':
        this.#emit(step.event);
        return;
    }
  }

  #add(event: 'a' | 'b', first: boolean, temper: Temper): void {
    const id = this.entries.length + 1000 * this.emits;
    const listener = (payload: { n: number }): unknown => {
      this.called.push(`${id}:${payload.n}`);
      switch (temper) {
        case 'listens':
          return;
        case 'throws':
          throw new Error('a listener');
        case 'rejects':
          return Promise.reject(new Error('a listener'));
        case 'adds':
          this.#add(event, false, 'listens');
          return;
        case 'removes itself':
          entry.off();
          this.#forget(entry);
          return;
      }
    };
    const off = this.emitter.on(event, listener as () => void, { first });
    const entry: Entry = { id, event, temper, listener, off };
    this.#note(entry, first);
  }

  #note(entry: Entry, first: boolean): void {
    this.entries.push(entry);
    if (first) this.lists[entry.event].unshift(entry);
    else this.lists[entry.event].push(entry);
  }

  /** Which of several additions of one function goes is all the same, but for the last where it counts the order. */
  #forget(entry: Entry): void {
    const list = this.lists[entry.event];
    const at = list.indexOf(entry);
    if (at >= 0) list.splice(at, 1);
  }

  #emit(event: 'a' | 'b'): void {
    const before = [...this.lists[event]];
    const n = ++this.emits;
    this.called = [];
    this.emitter.emit(event, { n });
    expect([...this.called].sort()).toEqual(before.map(({ id }) => `${id}:${n}`).sort());
    this.failures += before.filter(({ temper }) => temper === 'throws' || temper === 'rejects').length;
  }

  async check(): Promise<void> {
    // Rejections arrive in microtasks, all of which run before this does.
    await new Promise((resolve) => void setImmediate(resolve));
    expect(this.failed).toBe(this.failures);
    for (const name of names) expect(this.emitter.signal(name).active).toBe(this.lists[name].length > 0);
  }
}

/** null, or what went wrong first. */
async function counterExample(Made: typeof Emitter): Promise<string | null> {
  const result = await fc.check(
    fc.asyncProperty(steps, async (all) => {
      const model = new Model(Made);
      for (const step of all) model.play(step);
      await model.check();
    }),
    { seed: 1, numRuns: 300, endOnFailure: true },
  );
  return result.failed ? String(result.errorInstance) : null;
}

const defects: Readonly<Record<string, Omit<Defect, 'file'>>> = {
  'a listener that throws stops those behind it': {
    line: '        this.#failed(error);\n      }',
    instead: '        this.#failed(error);\n        return;\n      }',
  },
  'a rejection is lost': {
    line: 'result.then(undefined, this.#failed)',
    instead: 'result.then(undefined, ignore)',
  },
  'a removal takes back all additions of a function': {
    line: 'listeners.toSpliced(at, 1)',
    instead: 'listeners.filter((each) => each !== listener)',
  },
  'a second removal takes another one': {
    line: 'isAdded = false;',
    instead: '',
  },
  'the last one to go leaves the event active': {
    line: 'listeners.length > 1 ?',
    instead: 'listeners.length > 0 ?',
  },
  'an emit calls those that are added meanwhile': {
    line: '[listener, ...before] : [...before, listener]',
    instead: '[listener, ...before] : (before as Listener<P>[]).push(listener) && before',
  },
};

describe('an emitter', () => {
  it('calls those who listen, whatever they do', async () => {
    expect(await counterExample(Emitter)).toBeNull();
  });

  it.each(Object.entries(defects))('would be found out if %s', async (_name, defect) => {
    const planted = await loadPlanted<typeof kit>('base/emitter.ts', { file: 'base/emitter.ts', ...defect });
    expect(await counterExample(planted.Emitter)).not.toBeNull();
  });

  it('calls in the order of adding, those added first before all others', () => {
    const emitter = new Emitter<Events>();
    const called: string[] = [];
    for (const name of ['x', 'y']) emitter.on('a', () => called.push(name));
    emitter.on('a', () => called.push('z'), { first: true });
    emitter.emit('a', { n: 1 });
    expect(called).toEqual(['z', 'x', 'y']);
  });

  it('publishes on a channel, with its sender, if it has one', () => {
    const heard: unknown[] = [];
    const listen = (message: unknown): void => void heard.push(message);
    const emitter = new Emitter<Events>({ channels: { prefix: 'kit-test', sender: { from: 'me' } } });
    expect(emitter.signal('a').active).toBe(false);
    channel('kit-test:a').subscribe(listen);
    expect(emitter.signal('a').active).toBe(true);
    emitter.emit('a', { n: 1 });
    channel('kit-test:a').unsubscribe(listen);
    emitter.emit('a', { n: 2 });
    expect(heard).toEqual([{ from: 'me', n: 1 }]);
  });

  it('copies its listeners to another', () => {
    const [one, other] = [new Emitter<Events>(), new Emitter<Events>()];
    let called = 0;
    one.on('a', () => called++);
    one.signal('a').copyTo(other.signal('a'));
    other.emit('a', { n: 1 });
    expect(called).toBe(1);
  });
});
