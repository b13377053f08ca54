import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as types from '../../src/cli/value-types.js';

describe('a value type', () => {
  it.each([
    ['count', types.count(), fc.nat()],
    ['number', types.number(), fc.double({ noNaN: true, noDefaultInfinity: true, noInteger: true })],
    ['duration', types.duration(), fc.nat().map((us) => us / 1000)],
    ['rate', types.rate(), fc.nat().map((thousandths) => thousandths / 1000)],
    ['share', types.share(), fc.integer({ min: 0, max: 1000 }).map((thousandths) => thousandths / 1000)],
    ['size', types.size(), fc.nat()],
  ])('shows a value as it would be written: %s', (_, type, values) => {
    fc.assert(
      fc.property(values, (value) => {
        expect(type.parse(type.show(value))).toBeCloseTo(value, 9);
      }),
    );
  });

  it('shows no limit as never', () => {
    const type = types.durationOrNever();
    expect(type.show(type.parse('-1'))).toBe('never');
    expect(type.parse('never')).toBeNull();
  });

  it('that is a choice suggests what was meant', () => {
    const type = types.choice(['concurrent', 'burst']);
    expect(type.parse(' burst ')).toBe('burst');
    expect(() => type.parse('brust')).toThrow("'brust' is not one of concurrent, burst; did you mean burst?");
    expect(() => type.parse('')).toThrow("'' is not one of concurrent, burst");
  });
});
