import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { AuditResult, Finding } from '../../src/audit/types.js';
import { formatsOf } from '../../src/report/registry.js';
import { renderersOf } from '../helpers/reports.js';

const auditReports = await renderersOf('audit');

const FOLDER = join(import.meta.dirname, '../../fixtures/report/audit');

const leak: Finding = {
  rule: 'leak',
  resource: 'pg-pool',
  kind: 'not-released-on-throw',
  severity: 'error',
  confidence: 'high',
  file: 'src/a b.ts',
  line: 4,
  column: 29,
  endLine: 4,
  endColumn: 38,
  message: 'a client of a node-postgres pool is not released if this throws (line 5)',
  trail: [
    {
      role: 'acquire',
      file: 'src/a b.ts',
      line: 4,
      column: 24,
      message: 'acquired here',
      source: '  const client = await pool.connect();',
    },
    {
      role: 'bypass',
      file: 'src/a b.ts',
      line: 5,
      column: 9,
      message: 'this may throw',
      source: '  await client.query(`<&> | 100%`);',
    },
  ],
  fingerprint: '0123456789abcdef',
};

const result: AuditResult = {
  schema: 1,
  findings: [
    leak,
    { ...leak, severity: 'note', confidence: 'low', line: 14, endLine: 14, fingerprint: '1123456789abcdef' },
    {
      ...leak,
      rule: 'released-twice',
      kind: 'released-twice',
      line: 24,
      endLine: 24,
      message: 'a client of a node-postgres pool is released twice (line 26): the second release throws',
      trail: [
        { ...leak.trail[0]!, line: 24 },
        {
          ...leak.trail[0]!,
          role: 'release',
          line: 25,
          message: 'released here',
          source: '  client.release();',
        },
        {
          ...leak.trail[0]!,
          role: 'misuse',
          line: 26,
          message: 'released again here',
          source: '  client.release();',
        },
      ],
      fingerprint: '2123456789abcdef',
    },
  ],
  warnings: [{ file: 'src/b.ts', line: null, reason: 'not read: it is minified' }],
  summary: { files: 3, parsed: 2, acquireCalls: 5, suppressed: 1, undecided: 0, baselined: 2 },
};

const options = { color: false, unicode: true, width: 80, cwd: FOLDER, version: '1.2.3' };
const EXTENSIONS = {
  text: 'txt',
  json: 'json',
  sarif: 'sarif',
  github: 'github.txt',
  gitlab: 'gitlab.json',
  junit: 'xml',
  markdown: 'md',
};

it.each(formatsOf('audit'))('writes %s as it is kept', async (format) => {
  const text = auditReports[format](result, options);
  await expect(text).toMatchFileSnapshot(join(FOLDER, `audit.${EXTENSIONS[format]}`));
});

it.each(formatsOf('audit'))('writes %s where there is nothing to tell', (format) => {
  const text = auditReports[format]({ ...result, findings: [], warnings: [] }, options);
  expect(text.endsWith('\n')).toBe(true);
  expect(text).not.toMatch(/undefined|NaN/);
});
