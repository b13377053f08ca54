import { printable } from '../../report/text.js';
import { poolSubject } from '../look.js';
import { quote } from '../phrases.js';
import type { Cause, Found } from '../types.js';
import { errorsOf, isLateError } from './statement-errors.js';

/** Below this share of the statements, failures may be part of normal work. */
const LEAST_SHARE = 0.2;
const LEAST_ERRORS = 10;
/** Codes that applications use on purpose: constraints, exceptions raised in SQL, duplicate keys. */
const EXPECTED = /^(?:23|P0001)|^ER_DUP_ENTRY|^SQLITE_CONSTRAINT/;

/** Statements that fail with codes that no other cause knows, so that a failure is never silent. */
export const statementsFail: Cause = {
  id: 'statements-fail',
  title: 'Many statements fail, for a reason that is not in the pool',
  repair: {
    app: 'run the statement with psql or mysql to see the error; correct it, or its schema, at the line named here',
    pg: 'pool.query closes the connection of a statement that failed, so each failure also costs a login',
  },
  avoid: ['a bigger pool', 'longer idle times'],
  find(look) {
    return look.facts.pools.flatMap((fact): Found[] => {
      const { observed, name } = fact.pool;
      const { queries = null, queryErrors } = observed ?? {};
      if (queries === null || look.isExplained(`errors ${fact.key}`)) return [];
      const codes = (queryErrors ?? [])
        .filter(({ code, message }) => !EXPECTED.test(code) && !isLateError(code, message))
        .map(({ code }) => code);
      const errors = codes.length === 0 ? null : errorsOf(fact, codes, null, look);
      if (errors === null || errors.count < LEAST_ERRORS || errors.count < LEAST_SHARE * queries) return [];
      return [
        {
          severity: 'warn',
          subject: poolSubject(fact),
          explains: [`errors ${fact.key}`, `churn ${fact.key}`],
          weight: errors.count,
          words: `${printable(name)}: ${errors.count} of ${queries} statements failed (${printable(errors.code)} ${quote(errors.message, 70)}${errors.at})`,
          evidence: errors.lines,
          ruledOut: ['errors of constraints, which applications expect'],
        },
      ];
    });
  },
};
