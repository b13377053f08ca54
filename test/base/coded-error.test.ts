import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type * as kit from '../../src/base/coded-error.js';
import { CodedError } from '../../src/base/coded-error.js';
import { reportOf } from '../../src/cli/errors.js';
import { type Defect, loadPlanted } from '../helpers/planted.js';

const options = fc.record(
  {
    cause: fc.oneof(fc.constant(undefined), fc.string(), fc.constant(new Error('why'))),
    hint: fc.option(fc.string()),
    kind: fc.constantFrom('usage', 'unavailable', 'defect', 'aborted'),
    multiline: fc.boolean(),
  },
  { requiredKeys: [] },
);

const EXITS = { usage: 2, unavailable: 3, defect: 70, aborted: 3 };

function counterExample(Made: typeof CodedError): string | null {
  const result = fc.check(
    fc.property(fc.string(), fc.string(), options, (code, message, given) => {
      const error = new Made(code, message, given);
      const kind = given.kind ?? 'unavailable';
      expect(error).toBeInstanceOf(Error);
      expect({ code: error.code, message: error.message, hint: error.hint, kind: error.kind }).toEqual({
        code,
        message,
        hint: given.hint ?? null,
        kind,
      });
      // `cause` is absent where there is none, so that nothing prints it.
      expect('cause' in error).toBe('cause' in given);
      expect(error.cause).toBe(given.cause);
      expect(error.multiline).toBe(given.multiline === true ? true : undefined);
      const { exitCode } = reportOf(error, { command: null, interruption: null, nodeVersion: 'v' });
      expect(exitCode).toBe(EXITS[kind]);
    }),
    { seed: 1, numRuns: 200 },
  );
  return result.failed ? String(result.errorInstance) : null;
}

const defects: Readonly<Record<string, Omit<Defect, 'file'>>> = {
  'the cause is dropped': {
    line: "'cause' in options ? { cause: options.cause } : undefined",
    instead: 'undefined',
  },
  'there always is a cause': { line: "'cause' in options ?", instead: 'true ?' },
  'an empty hint is no hint': { line: 'options.hint ?? null', instead: 'options.hint || null' },
  'the lines are never its own': { line: 'if (options.multiline)', instead: 'if (false)' },
  'the kind is not kept': { line: "options.kind ?? 'unavailable'", instead: "'unavailable'" },
};

describe('a coded error', () => {
  it('keeps what it is given, and decides the exit code', () => {
    expect(counterExample(CodedError)).toBeNull();
  });

  it.each(Object.entries(defects))('would be found out if %s', async (_name, defect) => {
    const planted = await loadPlanted<typeof kit>('base/coded-error.ts', {
      file: 'base/coded-error.ts',
      ...defect,
    });
    expect(counterExample(planted.CodedError)).not.toBeNull();
  });
});
