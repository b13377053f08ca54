import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Emitter, type EmitterEvents } from '../../src/base/emitter.js';
import type * as kit from '../../src/base/life-cycle-log.js';
import { logEvents } from '../../src/base/life-cycle-log.js';
import { type Defect, loadPlanted } from '../helpers/planted.js';

interface Events extends EmitterEvents {
  open: { n: number };
  close: { n: number };
  silent: { n: number };
}

const steps = fc.array(fc.constantFrom('open', 'close', 'silent', 'stop'), {
  maxLength: 30,
});

/** null, or what went wrong first. */
function counterExample({ logEvents: log }: typeof kit): string | null {
  const result = fc.check(
    fc.property(steps, (all) => {
      const emitter = new Emitter<Events>();
      const source = {
        name: 'things',
        on: <N extends keyof Events>(event: N, listener: (payload: Events[N]) => void) =>
          emitter.on(event, listener),
      };
      const lines: string[] = [];
      const expected: string[] = [];
      let isStopped = false;
      const stop = log<Events>(
        source,
        { open: ({ n }) => `opened ${n}`, close: ({ n }) => `closed ${n}` },
        (line) => lines.push(line),
      );
      all.forEach((step, n) => {
        if (step === 'stop') {
          stop();
          isStopped = true;
          return;
        }
        emitter.emit(step, { n });
        if (!isStopped && step !== 'silent') {
          expected.push(`pool 'things': ${step === 'open' ? 'opened' : 'closed'} ${n}`);
        }
      });
      expect(lines).toEqual(expected);
    }),
    { seed: 1, numRuns: 200 },
  );
  return result.failed ? String(result.errorInstance) : null;
}

const defects: Readonly<Record<string, Omit<Defect, 'file'>>> = {
  'it does not stop': { line: 'for (const stop of stops) stop();', instead: '' },
  'it stops only the first event': { line: 'for (const stop of stops) stop();', instead: 'stops[0]?.();' },
  'it does not say what its source is': { line: "write(`pool '", instead: 'write(`' },
};

describe('a life-cycle log', () => {
  it('writes a line for each event that has words, until it is stopped', () => {
    expect(counterExample({ logEvents })).toBeNull();
  });

  it.each(Object.entries(defects))('would be found out if %s', async (_name, defect) => {
    const file = 'base/life-cycle-log.ts';
    expect(counterExample(await loadPlanted<typeof kit>(file, { file, ...defect }))).not.toBeNull();
  });
});
