import { join } from 'node:path';
import { expect, it } from 'vitest';
import { audit } from '../../src/audit/audit.js';

it('finds no leak in this project, and can read all of it', () => {
  const root = join(import.meta.dirname, '../..');
  const { findings, warnings, summary } = audit(['.'], { cwd: root, exclude: ['fixtures'] });
  expect(findings.filter(({ severity, where }) => severity === 'error' && where !== 'test')).toEqual([]);
  expect(warnings).toEqual([]);
  expect(summary.acquireCalls).toBeGreaterThan(100);
}, 240_000);
