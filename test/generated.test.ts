import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv-draft-2020/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { commands } from '../commands/index.js';
import { generatedFiles } from '../scripts/generate/files.mjs';
import { PYTHON_RESOURCES } from '../src/audit/languages/python/resources.js';
import { RESOURCES } from '../src/audit/resources/index.js';
import { RULES } from '../src/audit/rules.js';
import { catalogOf } from '../src/cli/catalog.js';
import { CAUSES } from '../src/diagnosis/registry.js';
import { CHECKS } from '../src/doctor/registry.js';
import { TABLE } from '../src/metrics/table.js';
import { root } from './helpers/bin.js';
import { hasProgram } from './helpers/programs.js';

const catalog = await catalogOf(commands);
const { description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  description: string;
};
const generated = generatedFiles(catalog, description, {
  checks: CHECKS,
  causes: CAUSES,
  rules: Object.entries(RULES).map(([id, { title }]) => ({ id, title })),
  resources: [...RESOURCES, ...PYTHON_RESOURCES],
  metrics: TABLE,
});
const committed = (name: string) => readFileSync(join(root, name), 'utf8');

describe('what is generated from the code', () => {
  it.each(Object.keys(generated))('is current: %s (else: npm run build && npm run generate)', (name) => {
    expect(committed(name)).toBe(generated[name]);
  });

  it.each(['schemas', 'docs/reference/commands'])('has nothing in %s of something that is gone', (folder) => {
    const names = readdirSync(join(root, folder)).map((name) => `${folder}/${name}`);
    expect(names.sort()).toEqual(
      Object.keys(generated)
        .filter((name) => name.startsWith(`${folder}/`))
        .sort(),
    );
  });
});

describe('the schema of the config file', () => {
  const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(
    JSON.parse(generated['schemas/config.json'] ?? ''),
  );

  it.each([
    [{}],
    [
      {
        $schema: './node_modules/poolctl/schemas/config.json',
        loadtest: { poolSize: 5, poolTimeout: '10s' },
      },
    ],
    [
      {
        loadtest: { numQueries: '10k', threshold: 'p99<50ms', sqlFile: ['a.sql', 'b.sql@3'], prePing: true },
      },
    ],
    [
      {
        'audit-leaks': {
          rules: { leak: 'off' },
          overrides: [{ files: ['src/**'], rules: { leak: 'note' } }],
        },
      },
    ],
    [{ 'audit-leaks': { resources: [{ acquire: ['open'], release: 'close' }], rules: 'leak=off' } }],
    [{ 'pgbouncer init': { poolMode: 'session', set: ['a=b'] }, health: { warnWait: 0 } }],
  ])('accepts %j', (config) => {
    expect([validate(config), validate.errors]).toEqual([true, null]);
  });

  it.each([
    [{ loadtest: { poolsize: 5 } }],
    [{ laodtest: {} }],
    [{ loadtest: { output: 'x' } }],
    [{ loadtest: { testType: 'brst' } }],
    [{ loadtest: { prePing: 'yes' } }],
    [{ loadtest: { sqlFile: [{}] } }],
    [{ 'audit-leaks': { rules: { leak: 'of' } } }],
    [{ 'audit-leaks': { resources: [{ acquire: ['open'] }] } }],
  ])('rejects %j', (config) => {
    expect(validate(config)).toBe(false);
  });

  it('has every option that a config can set', () => {
    const schema = JSON.parse(generated['schemas/config.json'] ?? '') as {
      properties: Record<string, { properties?: object }>;
    };
    for (const { command, table } of catalog) {
      const keys = Object.keys(table).filter((key) => table[key]?.config);
      expect(Object.keys(schema.properties[command.name]?.properties ?? {})).toEqual(keys);
    }
  });
});

describe('the manual page', () => {
  const page = join(root, 'man/poolctl.1');

  it.runIf(hasProgram('mandoc', 'the manual page'))('is mdoc that mandoc has nothing to say about', () => {
    const { stdout, stderr } = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', page], {
      encoding: 'utf8',
    });
    expect(stdout + stderr).toBe('');
  });

  it.runIf(hasProgram('mandoc', 'the manual page'))('shows every command and option', () => {
    const { stdout } = spawnSync('mandoc', ['-T', 'utf8', '-O', 'width=78', page], {
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    });
    // Each character that is bold or underlined is written twice.
    const text = stdout.replace(new RegExp(`.${String.fromCharCode(8)}`, 'g'), '');
    for (const { command, table } of catalog) {
      expect(text).toContain(`poolctl ${command.name}`);
      for (const [key, { negatable }] of Object.entries(table)) {
        const flag = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
        expect(text).toContain(`--${flag}`);
        if (negatable && key in command.options) expect(text).toContain(`--no-${flag}`);
      }
    }
  });
});
