import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { markedAndFound } from './marks.js';

const ROOT = join(import.meta.dirname, '../../fixtures/audit');

describe('names are resolved as Node and TypeScript do', () => {
  it.each(readdirSync(join(ROOT, 'names')))('in %s', (name) => {
    const { marked, found, warnings } = markedAndFound(join(ROOT, 'names', name));
    expect(found).toEqual(marked);
    expect(warnings).toEqual([]);
  });
});

describe('a lease is known', () => {
  it.each(['classes', 'typed'])('by what is in %s', (name) => {
    const { marked, found, warnings } = markedAndFound(join(ROOT, name));
    expect(found).toEqual(marked);
    expect(warnings).toEqual([]);
  });
});
