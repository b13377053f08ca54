import { describe, expect, it } from 'vitest';
import { registerSecret } from '../../src/base/secrets.js';
import { ValueError } from '../../src/base/units.js';
import { locatePostgres } from '../../src/db/postgres-place.js';
import { parseResult } from '../../src/loadtest/result-file.js';
import { parseScript } from '../../src/loadtest/workloads/script.js';
import { comparable } from '../loadtest/comparable.js';
import { fuzz, type Parser, SECRET } from './fuzz.js';
import { PARSERS } from './parsers.js';

/** The full counts are those of `npm run fuzz`. */
const INPUTS = 300;

describe('parsers of foreign bytes', () => {
  it.each(Object.keys(PARSERS))(
    '%s: only typed errors, no secret, in 300 changed inputs',
    (name) => {
      const report = fuzz(PARSERS[name] as Parser, { inputs: INPUTS, seed: 7, growth: false });
      expect(report.findings.filter(({ kind }) => kind === 'crash' || kind === 'secret')).toEqual([]);
      expect(report.accepted + report.refused).toBe(INPUTS);
    },
    120_000,
  );

  it('give the same inputs for the same seed', () => {
    const inputs = (): string[] => {
      const seen: string[] = [];
      const parser = { corpus: ['a=1', '{"b":2}'], parse: (text: string) => seen.push(text) };
      fuzz(parser, { inputs: 50, seed: 3, growth: false });
      return seen;
    };
    expect(inputs()).toEqual(inputs());
    expect(new Set(inputs()).size).toBeGreaterThan(40);
  });
});

describe('a planted defect', () => {
  const found = (parse: Parser['parse']) =>
    fuzz({ corpus: [`password=${SECRET} a`], parse }, { inputs: 300, seed: 1, growth: false }).findings.map(
      ({ kind }) => kind,
    );

  it('is seen: a crash', () => {
    expect(found((text) => text.startsWith('p') || (null as never as string[])[0])).toContain('crash');
  });

  it('is seen: a secret in an error', () => {
    // Parsers above have registered it. The newest values stay, so that it is forgotten.
    for (let n = 0; n < 400; n++) registerSecret(`another-value-${n}`);
    const leak = (text: string): never => {
      throw new ValueError(text.replace('password=', 'cannot read '));
    };
    expect(found(leak)).toContain('secret');
  });

  it('is seen: time that grows with the square', () => {
    const square = (text: string): void => {
      let left = text.length ** 2 / 40;
      while (left > 0) left--;
    };
    const { findings } = fuzz({ corpus: ['x'], parse: square }, { inputs: 10, seed: 1 });
    expect(findings.map(({ kind }) => kind)).toContain('not linear');
  });
});

describe('what fuzzing found stays repaired', () => {
  it.each(['postgres://a\udfff@h/d', 'pol:12\udfff0', 'host=\ud800 dbname=d'])(
    'half a surrogate pair in an address is no crash: %j',
    (url) => {
      const thrown = (() => {
        try {
          locatePostgres(url, {});
          return null;
        } catch (error) {
          return error;
        }
      })();
      expect(thrown === null || (thrown instanceof Error && 'code' in thrown)).toBe(true);
    },
  );

  it.each<[string, (result: Record<string, Record<string, unknown>>) => unknown]>([
    ['no response times', ({ measurements }) => delete measurements?.response],
    [
      'rows that are none',
      ({ measurements }) => Object.assign(measurements ?? {}, { timeline: { rows: [null] } }),
    ],
    ['statements that are no texts', ({ workload }) => Object.assign(workload ?? {}, { statements: [1] })],
    ['a pool without options', ({ pool }) => delete pool?.options],
  ])('a result file with %s is refused by name', (_, damage) => {
    const result = JSON.parse(JSON.stringify(comparable({ seed: 1 })));
    damage(result);
    expect(() => parseResult(JSON.stringify(result), 'a.json')).toThrow(/^a\.json is damaged: |is damaged/);
  });

  it('a script of many statements names the line of a mistake', () => {
    const text = `${'SELECT 1;\n-- remark\n'.repeat(50)}\\sett x 1\n`;
    expect(() => parseScript(text, { name: 'x.sql' })).toThrow(/^line 101: /);
  });

  it('finally blocks in finally blocks take no time that doubles with each level', () => {
    const nested = (levels: number): string =>
      levels === 0
        ? 'client.release();'
        : `try { await client.query('x'); } finally { ${nested(levels - 1)} }`;
    const text = `import pg from 'pg';\nconst pool = new pg.Pool();
      export async function many() { const client = await pool.connect(); ${nested(40)} }`;
    PARSERS.sources?.parse(text);
  });
});
