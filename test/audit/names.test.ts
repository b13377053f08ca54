import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { markedAndFound } from './marks.js';

const ROOT = join(import.meta.dirname, '../../fixtures/audit/names');

describe('names are resolved as Node and TypeScript do', () => {
  it.each(readdirSync(ROOT))('in %s', (name) => {
    const { marked, found, warnings } = markedAndFound(join(ROOT, name));
    expect(found).toEqual(marked);
    expect(warnings).toEqual([]);
  });
});
