import { ValueError } from '../../base/units.js';
import type { Value } from './expression.js';
import type { Script } from './script.js';

/** The values given to one iteration: by place, for `?` and `$1`, or by name, for `:name`. */
export type Row =
  | { readonly kind: 'list'; readonly values: readonly Value[] }
  | { readonly kind: 'named'; readonly values: ReadonlyMap<string, Value> };

/**
 * Reads rows of parameters: a JSON list of rows, or one row of JSON on each line. A row is a list
 * (`["AAPL", 20]`), an object (`{"symbol": "AAPL"}`), or a single value. Throws a ValueError that says which row.
 */
export function parseRows(source: string): Row[] {
  const text = source.trim();
  if (text === '') throw new ValueError('there are no parameters in it');
  const whole = tryJson(text);
  const rows = Array.isArray(whole) ? whole : whole === undefined ? jsonLines(text) : [whole];
  if (rows.length === 0) throw new ValueError('there are no parameters in it');
  return rows.map((row, at) => readRow(row, at + 1));
}

/** A row for scripts without parameters. */
export const NO_ROW: Row = { kind: 'list', values: [] };

/**
 * Whether the scripts get all that they ask for, and take all that they are given. One complaint per thing that is
 * missing or left over; nothing is worse than a load test that quietly binds NULL.
 */
export function checkParameters(
  scripts: readonly Script[],
  rows: readonly Row[],
  defined: readonly string[],
): string[] {
  return scripts.flatMap((script) => checkScript(script, rows.length === 0 ? [NO_ROW] : rows, defined));
}

/** Known to every script: the number of the iteration, from 0. */
export const BUILT_IN = ['iteration'] as const;

function checkScript(script: Script, rows: readonly Row[], defined: readonly string[]): string[] {
  const complaints = new Set<string>();
  const set = new Set<string>([...BUILT_IN, ...defined]);
  let places = 0;
  for (const step of script.steps) {
    const where = (line: number) => `${script.name}, line ${line}`;
    const named = (name: string, line: number) => {
      const lacks = rows.findIndex((row) => !(row.kind === 'named' && row.values.has(name)));
      if (set.has(name) || lacks < 0) return;
      complaints.add(
        rows[lacks]?.kind === 'named'
          ? `${where(line)}: row ${lacks + 1} of the parameters has no '${name}'`
          : `${where(line)}: nothing gives :${name} a value; use \\set ${name} ..., --define ${name}=... or parameters by name`,
      );
    };
    if (step.kind === 'set') {
      for (const name of step.to.uses) named(name, step.line);
      set.add(step.variable);
    }
    if (step.kind !== 'statement') continue;
    for (const parameter of step.statement.parameters) {
      if (parameter.kind === 'named') named(parameter.name, step.statement.line);
      else if (parameter.kind === 'next') places++;
      else places = Math.max(places, parameter.index + 1);
    }
  }
  const wrong = rows.findIndex((row) => (row.kind === 'list' ? row.values.length : 0) !== places);
  const row = rows[wrong];
  if (row !== undefined && (places > 0 || row.kind === 'list')) {
    const given = row.kind === 'list' ? count(row.values.length, 'value') : 'values by name only';
    complaints.add(
      row === NO_ROW
        ? `${script.name} takes ${count(places, 'parameter')}, and none are given; use --params or --params-file`
        : `${script.name} takes ${count(places, 'parameter')}, and row ${wrong + 1} has ${given}`,
    );
  }
  return [...complaints];
}

function readRow(row: unknown, number: number): Row {
  const values = (list: readonly unknown[]) => list.map((value) => readValue(value, number));
  if (Array.isArray(row)) return { kind: 'list', values: values(row) };
  if (typeof row !== 'object' || row === null) return { kind: 'list', values: values([row]) };
  const named = Object.entries(row).map(([name, value]) => [name, readValue(value, number)] as const);
  return { kind: 'named', values: new Map(named) };
}

function readValue(value: unknown, row: number): Value {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value;
  // No database here has a type that JSON's true does not fit as 1.
  if (typeof value === 'boolean') return value ? 1 : 0;
  throw new ValueError(
    `row ${row} holds ${JSON.stringify(value)}; a value is a text, a number, true, false or null`,
  );
}

function jsonLines(text: string): unknown[] {
  return text
    .split('\n')
    .map((line, at) => ({ line: line.trim(), number: at + 1 }))
    .filter(({ line }) => line !== '')
    .map(({ line, number }) => {
      const value = tryJson(line);
      if (value !== undefined) return value;
      throw new ValueError(
        number === 1
          ? `it is not JSON; write something like [["AAPL", 20], ["MSFT", 20]] or [{"symbol": "AAPL"}]`
          : `line ${number} is not JSON`,
      );
    });
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
