import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { markedAndFound } from './marks.js';

const ROOT = join(import.meta.dirname, '../../fixtures/audit');
/** These are audited with options of their own. */
const ELSEWHERE = ['classes', 'names', 'typed'];
const folders = readdirSync(ROOT).filter((name) => !ELSEWHERE.includes(name));

describe('the leaks that the analyzer finds', () => {
  // Audited within the test, one folder after the other: mutation testing has to see which test runs what.
  it.each(folders)('in %s are those that are marked there, and no others', (name) => {
    const { marked, found, warnings } = markedAndFound(join(ROOT, name));
    expect(found).toEqual(marked);
    expect(warnings).toEqual([]);
  });
});
