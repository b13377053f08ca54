import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BREAKAGES } from '../../../src/lab/ib-stress/breakages.js';
import type { ReplayName } from '../../../src/lab/ib-stress/names.js';
import { ACTS } from '../../../src/lab/ib-stress/replay/acts/index.js';
import { digestOf, firstDifference, play } from '../../../src/lab/ib-stress/replay/play.js';
import { RECORDINGS } from '../../../src/lab/ib-stress/replay/recordings.js';
import { root } from '../../helpers/bin.js';

const scenarios = Object.keys(ACTS) as ReplayName[];

describe.each(scenarios)('%s', (scenario) => {
  const recorded = readFileSync(join(root, `fixtures/ib-replay/${scenario}.txt`), 'utf8');
  const sections = new Map(
    recorded
      .split(/^# /m)
      .slice(1)
      .map((section) => {
        const [name = '', ...lines] = section.trimEnd().split('\n');
        return [name, lines] as const;
      }),
  );

  it.each(ACTS[scenario].map((act) => [act.name, act] as const))(
    'is as recorded: %s (npm run record:ib records it anew)',
    async (name, act) => {
      const transcript = await play(act);
      if (act.isStorm !== true) expect(transcript).toEqual(sections.get(name));
      expect(firstDifference(transcript, RECORDINGS[`${scenario}: ${name}`] ?? '')).toBeNull();
    },
  );

  it('has a recording for each act, and none beside', () => {
    const own = Object.keys(RECORDINGS).filter((name) => name.startsWith(`${scenario}: `));
    expect(own).toEqual(ACTS[scenario].map(({ name }) => `${scenario}: ${name}`));
  });

  it('differs where the pool is broken on purpose', async () => {
    const differences = [];
    for (const act of ACTS[scenario]) {
      const transcript = await play(act, BREAKAGES[scenario]());
      if (firstDifference(transcript, RECORDINGS[`${scenario}: ${act.name}`] ?? '') !== null)
        differences.push(act.name);
    }
    expect(differences.length).toBeGreaterThan(0);
  });
});

it('names the first line that differs', () => {
  const recorded = digestOf(['one', 'two', 'three']);
  expect(firstDifference(['one', 'two', 'three'], recorded)).toBeNull();
  expect(firstDifference(['one', '2', 'three'], recorded)).toBe(2);
  expect(firstDifference(['one', 'two'], recorded)).toBe(3);
  expect(firstDifference(['one', 'two', 'three', 'four'], recorded)).toBe(4);
  expect(firstDifference([], recorded)).toBe(1);
});
