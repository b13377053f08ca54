import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type * as kit from '../../src/base/call-site.js';
import { captureSite, formatSite, formatStack } from '../../src/base/call-site.js';
import { type Defect, loadPlanted } from '../helpers/planted.js';

type Kind = 'user' | 'package' | 'node' | 'anonymous';

const frames = fc.array(
  fc.record({
    kind: fc.constantFrom<Kind>('user', 'user', 'package', 'package', 'node', 'anonymous'),
    line: fc.integer({ min: 1, max: 999 }),
    named: fc.boolean(),
    url: fc.boolean(),
  }),
  { minLength: 1, maxLength: 8 },
);

interface Frame {
  readonly kind: Kind;
  readonly place: string;
  /** As V8 writes it. */
  readonly written: string;
}

function frameOf({
  kind,
  line,
  named,
  url,
}: {
  kind: Kind;
  line: number;
  named: boolean;
  url: boolean;
}): Frame {
  const path = {
    user: '/srv/app/orders.js',
    package: '/srv/app/node_modules/knex/lib/client.js',
    node: 'node:internal/timers',
    anonymous: '<anonymous>',
  }[kind];
  const place = kind === 'anonymous' ? path : `${path}:${line}:7`;
  const shown = url && path.startsWith('/') ? `file://${place}` : place;
  return { kind, place, written: named || kind === 'anonymous' ? `at async work (${shown})` : `at ${shown}` };
}

/** null, or what went wrong first. */
function counterExample({ formatSite: site, formatStack: stack }: typeof kit): string | null {
  const result = fc.check(
    fc.property(fc.array(frames, { minLength: 1, maxLength: 4 }), (stacks) => {
      // Several in a row, since the last one is kept.
      for (const all of stacks.map((each) => each.map(frameOf))) {
        const error = { stack: ['Error', ...all.map(({ written }) => `    ${written}`)].join('\n') } as Error;
        for (const skipPackages of [false, true, false]) {
          const isShown = ({ kind }: Frame): boolean =>
            kind === 'user' || (kind === 'package' && !skipPackages);
          const fallback = all.filter(({ kind }) => kind === 'user' || kind === 'package');
          const shown = [all.filter(isShown), fallback, all].find((some) => some.length > 0) ?? [];
          expect(site(error, { skipPackages })).toBe(shown[0]?.place);
          expect(stack(error, { skipPackages })).toBe(shown.map(({ written }) => written).join('\n'));
        }
      }
      expect(site(null)).toBeNull();
      expect(stack(null)).toBeNull();
    }),
    { seed: 1, numRuns: 200, endOnFailure: true },
  );
  return result.failed ? String(result.errorInstance) : null;
}

const defects: Readonly<Record<string, Omit<Defect, 'file'>>> = {
  'packages are never left out': { line: 'skipPackages ? all', instead: 'false ? all' },
  'the last stack is taken for every stack': {
    line: 'latest?.stack !== stack ||',
    instead: 'latest === null ||',
  },
  'the last stack is kept whatever is left out': {
    line: ' || latest.skipPackages !== skipPackages',
    instead: '',
  },
  'nothing is shown where only packages are left': {
    line: 'outside.length > 0 ? outside : all',
    instead: 'outside',
  },
  'frames of Node are shown': { line: '!/[( ]node:/.test(frame)', instead: 'true' },
  'the place keeps its parentheses': { line: 'inParentheses?.[1] ??', instead: '' },
};

describe('a call site', () => {
  it("is the innermost frame of the user's own code", () => {
    expect(counterExample({ captureSite, formatSite, formatStack } as typeof kit)).toBeNull();
  });

  it.each(Object.entries(defects))('would be found out if %s', async (_name, defect) => {
    const file = 'base/call-site.ts';
    expect(counterExample(await loadPlanted<typeof kit>(file, { file, ...defect }))).not.toBeNull();
  });

  it('is where the caller of a function was called, and leaves the limit of stacks as it was', () => {
    const before = Error.stackTraceLimit;
    const acquire = (): Error => captureSite(acquire, 3);
    const site = acquire();
    expect(Error.stackTraceLimit).toBe(before);
    expect(formatSite(site)).toContain('call-site.test.ts:');
    expect(site.stack?.split('\n')).toHaveLength(4);
  });
});
