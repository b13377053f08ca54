import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Ajv from 'ajv';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { audit } from '../../src/audit/audit.js';
import { explain, markdownPage } from '../../src/audit/explain.js';
import type { AuditResult } from '../../src/audit/types.js';
import { renderSarif } from '../../src/report/audit/sarif.js';

const require = createRequire(import.meta.url);
const ROOT = join(import.meta.dirname, '../..');
const FIXTURES = join(ROOT, 'fixtures/audit');
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
/** What the manifest says of where the code lies, without `git+` and `.git`. */
const repository = manifest.repository.url.replace(/^git\+|\.git$/g, '');

/** The schema of SARIF 2.1.0 (rtm.5, which closed the standard), in which no unknown property is allowed. */
const schema: object = JSON.parse(
  readFileSync(require.resolve('@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json'), 'utf8'),
);
const ajv = new Ajv({ schemaId: 'auto', allErrors: true });
ajv.addMetaSchema(require('ajv/lib/refs/json-schema-draft-04.json'));
const validate = ajv.compile(schema);

function faults(log: unknown): string[] {
  return validate(log) === true
    ? []
    : (validate.errors ?? []).map(({ dataPath, message }) => `${dataPath} ${message}`);
}

function written(result: AuditResult) {
  const pageOf = (kind: string) => ({ text: explain(kind), markdown: markdownPage(kind) });
  return JSON.parse(renderSarif(result, { version: '1.2.3', pageOf }));
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-sarif-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('writes what the schema of SARIF 2.1.0 allows, for findings of all rules', () => {
  const result = audit([FIXTURES], { cwd: FIXTURES, includeTests: true });
  const log = written(result);
  expect(faults(log)).toEqual([]);
  const ids = new Set(result.findings.map(({ rule }) => rule));
  expect([...ids]).toEqual(
    expect.arrayContaining([
      'leak',
      'released-twice',
      'used-after-release',
      'dead-release',
      'released-not-owned',
    ]),
  );
  expect(log.runs[0].results).toHaveLength(result.findings.length);
  for (const rule of log.runs[0].tool.driver.rules) {
    expect(rule.help.markdown).toContain('## Repaired');
    expect(rule.fullDescription.text).not.toBe(rule.shortDescription.text);
    expect(rule.properties.precision).toMatch(/^(high|medium)$/);
    const [, page = ''] = rule.helpUri.split(`${repository}/blob/main/`);
    expect(readFileSync(join(ROOT, page), 'utf8')).toBe(rule.help.markdown);
  }
});

it('writes what the schema allows where nothing is found, and where files could not be read', async () => {
  await writeFile(join(folder, 'binary file.ts'), 'a\0b');
  const result = audit([folder], { cwd: folder });
  expect(result.warnings).toHaveLength(1);
  expect(faults(written(result))).toEqual([]);
});

it('would notice a property that SARIF does not have, a wrong level and a missing message', () => {
  const log = written(audit([join(FIXTURES, 'pg')], { cwd: FIXTURES }));
  const [first, second] = log.runs[0].results;
  first.severity = 'error';
  second.level = 'bad';
  delete second.message;
  expect(faults(log)).toEqual([
    '.runs[0].results[0] should NOT have additional properties',
    '.runs[0].results[1].level should be equal to one of the allowed values',
    ".runs[0].results[1] should have required property 'message'",
  ]);
});
