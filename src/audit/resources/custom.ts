import type { ResourceSpec } from '../types.js';

/** A lease that only its user knows: `--acquire openSession --release close`. */
export function customResource(acquire: readonly string[], release: readonly string[]): ResourceSpec {
  return {
    id: 'custom',
    title: `what ${acquire.map((name) => `${name}()`).join(' or ')} lends`,
    acquire: acquire.flatMap((name) => [
      { kind: 'function' as const, name, from: ['*'] },
      { kind: 'method' as const, name, on: ['*'], named: /./ },
    ]),
    release: { methods: release, takes: release, ofParent: [] },
    protocol: [],
    docs: { why: '', leaks: '', fixed: '', exceptions: '' },
  };
}
