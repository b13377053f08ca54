import { expect, it } from 'vitest';
import { CHECKS } from '../../src/doctor/registry.js';

it('every check has an id of its own, and all of its words', () => {
  expect(new Set(CHECKS.map(({ id }) => id)).size).toBe(CHECKS.length);
  for (const { id, title, why, details } of CHECKS) {
    expect({ id, title }).toEqual({ id, title: expect.stringMatching(/^[^.]{5,}[^.]$/) });
    expect({ id, why }).toEqual({ id, why: expect.stringMatching(/^\w.+\.$/s) });
    expect({ id, details }).toEqual({ id, details: expect.stringMatching(/^\S.+\.$/s) });
  }
});
