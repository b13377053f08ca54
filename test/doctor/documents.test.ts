import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CHECKS } from '../../src/doctor/registry.js';
import { root } from '../helpers/bin.js';

it('the README names every check, and each has all of its words', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  expect(CHECKS.map(({ id }) => id).filter((id) => !readme.includes(`\`${id}\``))).toEqual([]);
  expect(new Set(CHECKS.map(({ id }) => id)).size).toBe(CHECKS.length);
  for (const { id, title, why, details } of CHECKS) {
    expect({ id, title }).toEqual({ id, title: expect.stringMatching(/^[^.]{5,}[^.]$/) });
    expect({ id, why }).toEqual({ id, why: expect.stringMatching(/^\w.+\.$/s) });
    expect({ id, details }).toEqual({ id, details: expect.stringMatching(/^\S.+\.$/s) });
  }
});
