import { systemClock } from '../../base/clock.js';
import { type Random, seededRandom } from '../../base/random.js';
import { ValueError } from '../../base/units.js';
import type { Session } from '../../db/database.js';
import { sqlStateOf } from '../../db/drivers/mysql-errors.js';
import { DatabaseError } from '../../db/errors.js';
import { messageOf } from '../failures.js';
import { type Bindings, bindingsFor } from './bindings.js';
import { WorkloadError } from './errors.js';
import { renderStatement, type Script, type Statement, statementsOf } from './script.js';
import type { Inspected, OpenTarget, SqlWork, SqlWorkloadOptions } from './sql-target.js';

/** The statements that will run, tried out, in the SQL of the database. */
export interface Prepared {
  readonly scripts: readonly Script[];
  /** The work of one iteration, in words. */
  readonly work: string;
  readonly sqlOf: (statement: Statement) => string;
  readonly bindings: (seq: number, random: Random) => Bindings;
}

/** For connections that get things ready. The pool's own timeout is part of the test, and may be short. */
export const SET_UP_MS = 30_000;

/** A statement of the trial that takes longer is canceled. A cold cache may make the first run slow. */
const TRIAL_MS = 60_000;

/**
 * Has every statement read by the database, and runs those that only read once: a mistake shows here, once, with
 * its line, and not as a thousand failed iterations.
 */
export async function prepare(
  target: OpenTarget,
  options: SqlWorkloadOptions,
  signal: AbortSignal,
): Promise<Prepared> {
  const { work } = options;
  const withSession = <T>(use: (session: Session) => Promise<T>): Promise<T> =>
    target.database.withSession(use, { signal, timeoutMs: SET_UP_MS });
  const { scripts, work: words } =
    work.kind === 'built-in'
      ? await withSession((session) => target.builtIn(work.type, session))
      : { scripts: work.scripts, work: wordsFor(work.scripts) };
  const texts = new Map(
    scripts.flatMap(statementsOf).map((each) => [each, renderStatement(each, options.target.placeholder)]),
  );
  const prepared: Prepared = {
    scripts,
    work: words,
    sqlOf: (statement) => texts.get(statement) ?? '',
    bindings: bindingsOf(work),
  };
  // A session for each, so that a transaction that one leaves open is over before the next.
  for (const script of scripts) {
    const trial = { script, target, prepared, options, signal };
    const { writes } = await withSession((session) => tryOut(trial, session));
    if (writes) await withSession(target.tryWriting);
  }
  return prepared;
}

interface Trial {
  readonly script: Script;
  readonly target: OpenTarget;
  readonly prepared: Prepared;
  readonly options: SqlWorkloadOptions;
  readonly signal: AbortSignal;
}

async function tryOut(
  { script, target, prepared, options, signal }: Trial,
  session: Session,
): Promise<{ readonly writes: boolean }> {
  const bindings = prepared.bindings(0, seededRandom(1));
  let writes = false;
  for (const step of script.steps) {
    if (step.kind === 'sleep') continue;
    const line = step.kind === 'set' ? step.line : step.statement.line;
    try {
      if (step.kind === 'set') {
        bindings.variables.set(step.variable, step.to.evaluate(bindings));
        continue;
      }
      const sql = prepared.sqlOf(step.statement);
      const values = bindings.valuesOf(step.statement);
      const inspected = await inTime(options, signal, (limited) =>
        target.inspect(session, sql, values, limited),
      );
      writes ||= inspected.writes;
      const isOwn = options.work.kind === 'scripts';
      if (inspected.does && !options.allowWrites && isOwn) throw refusedWrite(step.statement, inspected);
      if (inspected.writes && !options.allowWrites && isOwn) throw refusedWrite(step.statement);
      if (!writes) {
        await inTime(options, signal, (limited) => session.query(sql, values, { signal: limited }));
      }
    } catch (error) {
      if (error instanceof WorkloadError) throw error;
      throw statementError(script, line, step.kind === 'statement' ? step.statement : null, error);
    }
  }
  return { writes };
}

/** Runs a part of the trial, whose statement is canceled on the server when its time is over. */
async function inTime<T>(
  { clock = systemClock, trialLimitMs = TRIAL_MS }: SqlWorkloadOptions,
  signal: AbortSignal,
  work: (limited: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const timer = clock.setTimer(() => late.abort(), trialLimitMs);
  try {
    return await work(AbortSignal.any([signal, late.signal]));
  } catch (error) {
    if (!late.signal.aborted || signal.aborted) throw error;
    throw new DatabaseError(
      'ERR_QUERY_TIMEOUT',
      `it did not return within ${trialLimitMs / 1000} s, and was canceled`,
      {
        cause: error,
        hint: 'The load test runs each statement once before the load. Pass a statement that ends by itself.',
      },
    );
  } finally {
    timer.cancel();
  }
}

function bindingsOf(work: SqlWork): Prepared['bindings'] {
  const { rows, defined } = work.kind === 'scripts' ? work : { rows: [], defined: new Map() };
  return (seq, random) => bindingsFor(rows, defined, seq, random);
}

function wordsFor(scripts: readonly Script[]): string {
  const [only] = scripts;
  if (scripts.length === 1 && only !== undefined) {
    const statements = statementsOf(only).length;
    return statements === 1
      ? `one statement of your own (${only.name})`
      : `${statements} statements of your own (${only.name})`;
  }
  return `your own scripts, by weight: ${scripts.map(({ name, weight }) => `${name} ${weight}`).join(', ')}`;
}

function refusedWrite({ text }: Statement, { does = 'writes' }: Partial<Inspected> = {}): WorkloadError {
  return new WorkloadError(
    'ERR_WRITES',
    `this statement ${does}, which a load test does not do unasked: ${oneLine(text)}`,
    {
      hint: 'give --allow-writes if the data may be changed',
    },
  );
}

function statementError(script: Script, line: number, statement: Statement | null, cause: unknown): Error {
  // An error of the pool or the connection is no fault of the statement.
  if (!(cause instanceof ValueError) && !isStatementFault(cause))
    return trialError(script, line, cause as Error);
  const said = statement === null ? '' : `: ${oneLine(statement.text)}`;
  return new WorkloadError('ERR_STATEMENT', `${script.name}, line ${line}: ${messageOf(cause)}${said}`, {
    cause,
  });
}

/** The same error, with the words that nothing has been measured: this was the one run of each statement before. */
function trialError(script: Script, line: number, cause: Error): Error {
  if (!(cause instanceof DatabaseError) || isAborted(cause)) return cause;
  const { code, message, hint, sql, position, name } = cause;
  return new DatabaseError(
    code,
    `${script.name}, line ${line} failed in the trial before the run: ${message}`,
    { ...{ cause, sql, position, name }, hint: hint ?? TRIAL_HINTS[code] ?? null },
  );
}

const SLOW = 'The load test runs each statement once before the load. Raise the limit, or make it faster.';

const TRIAL_HINTS: Readonly<Record<string, string>> = {
  ER_STATEMENT_TIMEOUT: SLOW,
  ER_QUERY_TIMEOUT: SLOW,
  '57014':
    'The load test runs each statement once before the load. Raise statement_timeout, or make it faster.',
};

function isAborted({ code }: DatabaseError): boolean {
  return code === 'ERR_QUERY_ABORTED';
}

/**
 * SQLITE_ERROR and its like; of SQLSTATE the classes 0A (not supported), 21 and 22 (data), 26 (statement name), 3F (schema),
 * 42 (syntax, access, names), 54 (too complex) and P0 (raised by a function).
 */
function isStatementFault(cause: unknown): boolean {
  const code = sqlStateOf(cause) ?? (cause instanceof Error && 'code' in cause ? String(cause.code) : '');
  return /^(SQLITE_(ERROR|RANGE|MISMATCH|TOOBIG|AUTH|READONLY)|ERR_DB_(SQL|PARAM)$|(0A|21|22|26|3F|42|54|P0)\w{3}$)/.test(
    code,
  );
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > 100 ? `${line.slice(0, 97)}...` : line;
}
