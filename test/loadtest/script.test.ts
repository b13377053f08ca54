import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { parseExpression, type Value } from '../../src/loadtest/workloads/expression.js';
import { checkParameters, parseRows } from '../../src/loadtest/workloads/parameters.js';
import { parseScript, renderStatement } from '../../src/loadtest/workloads/script.js';

const stepsOf = (source: string) => parseScript(source, { name: 'a.sql' }).steps;
const statementsOf = (source: string) =>
  stepsOf(source).flatMap((step) => (step.kind === 'statement' ? [step.statement] : []));

describe('a script', () => {
  it('is cut into statements at semicolons, the last one optional', () => {
    const source = 'SELECT 1;\n\nSELECT\n  2;;  SELECT 3';
    expect(statementsOf(source).map(({ text, line }) => [line, text])).toEqual([
      [1, 'SELECT 1'],
      [3, 'SELECT\n  2'],
      [4, 'SELECT 3'],
    ]);
  });

  it.each([
    ["SELECT ';:a?' || ''';'"],
    ['SELECT "a;b" FROM "c?:d"'],
    ['SELECT `a;b:c`'],
    ['SELECT 1 -- not; here :nor ?\n + 1'],
    ['SELECT /* ; :a ? */ 1'],
    ['SELECT $$ ; :a ? $$'],
    ['SELECT $x$ ; $$ :a $x$'],
    ['SELECT a::text, b[1:2]'],
    ["SELECT E'it\\'s; :a \\\\', e'\\';'"],
  ])('leaves alone what is quoted or no parameter: %j', (sql) => {
    const [statement, ...others] = statementsOf(sql);
    expect(others).toEqual([]);
    expect(statement).toMatchObject({ text: sql, parameters: [] });
  });

  it('takes :name, ? and $1 out as parameters, and writes them as the database does', () => {
    const [statement] = statementsOf('SELECT * FROM t WHERE a = :a AND b IN (?, ?) AND c = $3 LIMIT :n');
    expect(statement?.parameters).toEqual([
      { kind: 'named', name: 'a' },
      { kind: 'next' },
      { kind: 'next' },
      { kind: 'numbered', index: 2 },
      { kind: 'named', name: 'n' },
    ]);
    if (statement === undefined) return;
    expect(renderStatement(statement, (at) => `$${at}`)).toBe(
      'SELECT * FROM t WHERE a = $1 AND b IN ($2, $3) AND c = $4 LIMIT $5',
    );
  });

  it('takes ?? for a question mark, which PostgreSQL has operators of', () => {
    const [statement] = statementsOf("SELECT a ?? 'x', b ??| :list, c ??& ? FROM t");
    if (statement === undefined) return;
    expect(renderStatement(statement, (at) => `$${at}`)).toBe("SELECT a ? 'x', b ?| $1, c ?& $2 FROM t");
  });

  it('has \\set and \\sleep, on lines of their own', () => {
    const steps = stepsOf('\\set id random(1, 10)\nSELECT :id;\n  \\sleep 5ms\n\\sleep 2\nSELECT 2;');
    expect(steps.map(({ kind }) => kind)).toEqual(['set', 'statement', 'sleep', 'sleep', 'statement']);
    expect(steps[2]).toMatchObject({ ms: 5, line: 3 });
    expect(steps[3]).toMatchObject({ ms: 2000 });
  });

  it('passes comments between statements over', () => {
    expect(statementsOf('-- first; one\n/* and ; two */ SELECT 1;\n-- last')).toHaveLength(1);
  });

  it.each([
    ['', 'there is no statement in it'],
    ['\\set a 1', 'there is no statement in it'],
    ["SELECT 1;\nSELECT 'a", 'line 2: a quote is not closed'],
    ['SELECT 1 /* ', 'line 1: a comment is not closed'],
    ['\\shell ls\nSELECT 1', 'line 1: \\shell is not known; there are \\set and \\sleep'],
    ['SELECT 1;\n\\set a\n', 'line 2: write \\set name expression'],
    ['\\set a 1 +\nSELECT 1', "line 1: '1 +' ends too early"],
    ['\\sleep soon\nSELECT 1', "line 1: 'soon' is not a duration"],
    ['SELECT ?0', 'line 1: ?0 is no parameter'],
  ])('that is wrong is refused with its line: %j', (source, message) => {
    expect(() => stepsOf(source)).toThrow(message);
  });
});

describe('an expression', () => {
  const evaluate = (source: string, variables: Readonly<Record<string, Value>> = {}) =>
    parseExpression(source).evaluate({
      variables: new Map(Object.entries(variables)),
      random: seededRandom(7),
    });

  it.each<[string, Value]>([
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['7 / 2', 3],
    ['7 / 2.5', 2.8],
    ['-7 % 4', -3],
    ["'it''s'", "it's"],
    [':scale * 100000', 300_000],
    [':name', 'AAPL'],
    ['2 * -3', -6],
  ])('%s is %j', (source, value) => {
    expect(evaluate(source, { scale: 3, name: 'AAPL' })).toBe(value);
  });

  it.each(['random(1, 6)', 'random_exponential(1, 6, 2.5)', 'random_gaussian(1, 6, 2.5)'])(
    '%s gives every number between its bounds, and none beyond',
    (source) => {
      const expression = parseExpression(source);
      const random = seededRandom(1);
      const seen = new Set(
        Array.from({ length: 5000 }, () => expression.evaluate({ variables: new Map(), random })),
      );
      expect([...seen].toSorted()).toEqual([1, 2, 3, 4, 5, 6]);
    },
  );

  it('chooses among texts', () => {
    const expression = parseExpression("choose('AAPL', 'MSFT')");
    const random = seededRandom(1);
    const seen = new Set(
      Array.from({ length: 50 }, () => expression.evaluate({ variables: new Map(), random })),
    );
    expect([...seen].toSorted()).toEqual(['AAPL', 'MSFT']);
  });

  it('tells which variables it needs', () => {
    expect(parseExpression(':a + random(1, :b) * :a').uses).toEqual(['a', 'b']);
  });

  it.each([
    ['1 +', 'ends too early'],
    ['(1', "lacks a ')'"],
    ['1 2', "unexpected '2'"],
    ['a', "'a' is not a function; known are random"],
    ['random(1)', 'random is called as random(low, high)'],
    ['1 & 2', "unexpected '&'"],
  ])('%s is refused: %s', (source, message) => {
    expect(() => parseExpression(source)).toThrow(message);
  });

  it.each([
    ['1 / 0', 'division by zero'],
    ["'a' + 1", "'a' is not a number"],
    ['random(5, 1)', 'the lower first; got 5 and 1'],
    ['random(1, 2.5)', 'needs whole numbers'],
  ])('%s has no value: %s', (source, message) => {
    expect(() => evaluate(source)).toThrow(message);
  });
});

describe('parameters', () => {
  it('are rows of a JSON list, or of one JSON value to a line', () => {
    const listed = parseRows('[["AAPL", 20], ["MSFT", null]]');
    expect(listed).toEqual([
      { kind: 'list', values: ['AAPL', 20] },
      { kind: 'list', values: ['MSFT', null] },
    ]);
    expect(parseRows('["AAPL", 20]\n["MSFT", null]\n')).toEqual(listed);
  });

  it('may be single values or objects', () => {
    expect(parseRows('["AAPL", "MSFT"]')).toEqual([
      { kind: 'list', values: ['AAPL'] },
      { kind: 'list', values: ['MSFT'] },
    ]);
    expect(parseRows('{"symbol": "AAPL", "live": true}')).toEqual([
      {
        kind: 'named',
        values: new Map<string, Value>([
          ['symbol', 'AAPL'],
          ['live', 1],
        ]),
      },
    ]);
  });

  it.each([
    ['', 'there are no parameters in it'],
    ['[]', 'there are no parameters in it'],
    ['AAPL,MSFT', 'it is not JSON; write something like [["AAPL", 20]'],
    ['["a"]\n[oops', 'line 2 is not JSON'],
    ['[["a"], [["b"]]]', 'row 2 holds ["b"]'],
  ])('that cannot be read are refused: %j', (source, message) => {
    expect(() => parseRows(source)).toThrow(message);
  });

  it.each([
    ['SELECT ?', '[["a"], ["b"]]', []],
    ['SELECT ?; SELECT ?', '[["a", "b"]]', []],
    ['SELECT $2, $1', '[["a", "b"]]', []],
    ['SELECT :a', '[{"a": 1}]', []],
    ['\\set a 1\nSELECT :a', null, []],
    ['SELECT :scale, :iteration', null, []],
    ['SELECT :a', '[{"a": 1, "unused": 2}]', []],
    ['SELECT ?', null, ['q takes 1 parameter, and none are given; use --params or --params-file']],
    ['SELECT ?', '[["a"], ["b", "c"]]', ['q takes 1 parameter, and row 2 has 2 values']],
    ['SELECT 1', '[["a"]]', ['q takes 0 parameters, and row 1 has 1 value']],
    ['SELECT ?', '[{"a": 1}]', ['q takes 1 parameter, and row 1 has values by name only']],
    ['SELECT :a', '[{"a": 1}, {"b": 1}]', ["q, line 1: row 2 of the parameters has no 'a'"]],
    [
      'SELECT 1;\nSELECT :a',
      null,
      ['q, line 2: nothing gives :a a value; use \\set a ..., --define a=... or parameters by name'],
    ],
    [
      '\\set a :b\nSELECT :a',
      null,
      ['q, line 1: nothing gives :b a value; use \\set b ..., --define b=... or parameters by name'],
    ],
  ])('%j with %j: %j', (source, rows, complaints) => {
    const script = parseScript(source, { name: 'q' });
    expect(checkParameters([script], rows === null ? [] : parseRows(rows), ['scale'])).toEqual(complaints);
  });
});
