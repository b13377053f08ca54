import type { Bindings } from '../workloads/bindings.js';
import type { Expression } from '../workloads/expression.js';
import type { Prepared } from '../workloads/prepare.js';
import { type Script, type Statement, statementsOf } from '../workloads/script.js';
import { WireError } from './errors.js';
import { parseMessage, type Template, templateOf } from './messages.js';

/** A step of a script, ready to be sent. */
export type WireStep =
  | { readonly kind: 'statement'; readonly statement: WireStatement }
  | { readonly kind: 'set'; readonly variable: string; readonly to: Expression }
  | { readonly kind: 'sleep'; readonly ms: number };

export interface WireStatement {
  readonly source: Statement;
  readonly sql: string;
  readonly template: Template;
  /** It ends a transaction for good, unless the server answers that it was rolled back. */
  readonly commits: boolean;
}

/** The scripts of a load, ready to be sent. */
export interface WireScripts {
  /** Gives every statement its name on a new connection; a Sync must follow. */
  readonly prepare: readonly Uint8Array[];
  stepsOf(script: Script): readonly WireStep[];
}

/** The work of one iteration. */
export interface WireWork {
  readonly steps: readonly WireStep[];
  readonly bindings: Bindings;
}

/** Gets scripts ready. Throws ERR_WIRE_SCRIPT for those that the engine cannot run at this depth of the pipeline. */
export function wireScripts({ scripts, sqlOf }: Prepared, pipeline: number): WireScripts {
  const named = new Map<string, WireStatement>();
  const statementFor = (source: Statement): WireStatement => {
    const sql = sqlOf(source);
    const known = named.get(sql);
    // The same text with other parameters is the same statement on the server.
    if (known !== undefined) return { ...known, source };
    const template = templateOf(`poolctl_w${named.size + 1}`, source.parameters.length);
    const statement = { source, sql, template, commits: /^\s*(?:commit|end)\b/i.test(sql) };
    named.set(sql, statement);
    return statement;
  };
  const ready = new Map<Script, readonly WireStep[]>();
  refuseScripts(scripts, pipeline);
  for (const script of scripts) {
    ready.set(
      script,
      script.steps.map((step): WireStep => {
        return step.kind === 'statement'
          ? { kind: 'statement', statement: statementFor(step.statement) }
          : step;
      }),
    );
  }
  const prepare = [...named.values()].map(({ sql }, at) => parseMessage(`poolctl_w${at + 1}`, sql));
  return { prepare, stepsOf: (script) => ready.get(script) ?? [] };
}

/** Throws ERR_WIRE_SCRIPT for scripts that the engine cannot run at this depth of the pipeline. */
export function refuseScripts(scripts: readonly Script[], pipeline: number): void {
  for (const script of scripts) refuse(script, pipeline);
}

const DROPS_STATEMENTS = /^\s*(?:discard\s+all|deallocate)\b/i;
const TRANSACTION_CONTROL =
  /^\s*(?:begin|start\s+transaction|commit|rollback|end|abort|savepoint|release|prepare\s+transaction)\b/i;

function refuse(script: Script, pipeline: number): void {
  const statements = statementsOf(script);
  const dropping = statements.find(({ text }) => DROPS_STATEMENTS.test(text));
  if (dropping !== undefined) {
    throw scriptError(
      script,
      `line ${dropping.line} removes prepared statements, and the wire engine has prepared its own`,
      'Use the default engine, or leave the statement out.',
    );
  }
  if (pipeline === 1) return;
  const depth = `--pipeline ${pipeline}`;
  if (statements.length > 1) {
    throw scriptError(
      script,
      `it has ${statements.length} statements, and iterations in a pipeline share their connection`,
      `Pass --pipeline 1, or scripts of one statement each with ${depth}.`,
    );
  }
  if (script.steps.some(({ kind }) => kind === 'sleep')) {
    throw scriptError(script, `\\sleep would hold up the other iterations of ${depth}`, 'Pass --pipeline 1.');
  }
  if (statements.some(({ text }) => TRANSACTION_CONTROL.test(text))) {
    throw scriptError(
      script,
      `it controls transactions, which iterations in a pipeline would share`,
      'Pass --pipeline 1.',
    );
  }
}

function scriptError(script: Script, why: string, hint: string): WireError {
  return new WireError('ERR_WIRE_SCRIPT', `--engine wire cannot run ${script.name}: ${why}`, {
    hint,
    kind: 'usage',
  });
}
