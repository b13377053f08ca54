import { ts } from 'ts-morph';
import type { Entities } from './code/entities.js';
import type { Project, SourceUnit } from './code/project.js';
import { bodyAround, variableOf } from './code/scope.js';
import { bare } from './code/syntax.js';
import { isTest, toFinding, toHabit, toMisuse, toPoolHabit } from './findings.js';
import type { Site } from './flow/types.js';
import { type Followed, guarded, type Judged } from './follow.js';
import { type PoolMakers, poolsPerCall } from './habits.js';
import { surroundingsOf } from './surroundings.js';
import type { AuditWarning, Finding } from './types.js';

/** A finding before comments suppress it, and the files that it was found in. */
export interface Raised {
  readonly finding: Finding;
  readonly files: ReadonlySet<string>;
}

export interface Raising {
  readonly project: Project;
  readonly entities: Entities;
  readonly judged: Judged;
  readonly makers: PoolMakers;
  readonly includeTests: boolean;
  /** Receives what goes wrong. */
  readonly warnings: AuditWarning[];
}

/** All that is reported in one file; `followed` are its leases. */
export function raisedIn(unit: SourceUnit, followed: readonly Followed[], context: Raising): Raised[] {
  const { project, entities, judged, makers, includeTests, warnings } = context;
  const raised: Raised[] = [];
  const raise = (finding: Finding, at: Pick<Site, 'node'>, files: ReadonlySet<string>): void => {
    const where = isTest(at, project, includeTests) ? 'test' : surroundingsOf(at.node, finding.file);
    raised.push({ finding: where === null ? finding : { ...finding, where }, files });
  };
  for (const { site, verdict, misused, habits, files } of followed) {
    if (verdict.leak !== null && !isPartOfLeak(site, judged)) {
      const finding = toFinding(site, verdict.leak, verdict.isCoarse, project, includeTests);
      raise(isPartOfKept(site, followed) ? { ...finding, severity: 'note' } : finding, site, files);
    }
    for (const one of misused) raise(toMisuse(site, one, project, includeTests), site, files);
    if (isTest(site, project, includeTests)) continue;
    for (const one of habits) raise(toHabit(site, one, project), site, files);
  }
  const found = guarded(unit, project, warnings, () => poolsPerCall(unit, project, makers, entities)) ?? [];
  for (const one of found) {
    // A leak says more than that the pool is made anew.
    if (judged.get(one.node)?.verdict.leak != null) continue;
    if (!isTest(one, project, includeTests)) raise(toPoolHabit(one, project), one, new Set([unit.path]));
  }
  return raised;
}

/** `browser.newPage()`, where the browser itself leaks, and `client.query(new Cursor(sql))`, where the client does. */
function isPartOfLeak({ node, spec }: Site, judged: Judged): boolean {
  const user = ts.isCallExpression(node.parent) && ts.isNewExpression(node) ? node.parent : node;
  if (spec.isPart !== true || !ts.isPropertyAccessExpression(user.expression)) return false;
  const lender = user.expression.expression;
  const declaration = ts.isIdentifier(lender) ? variableOf(lender)?.declaration : undefined;
  const value =
    declaration !== undefined && ts.isVariableDeclaration(declaration) ? declaration.initializer : undefined;
  return value !== undefined && judged.get(bare(value))?.verdict.leak != null;
}

/**
 * A part of what ends by other hands: `this.context.newPage()`, where the same function opens the context for its object, and
 * `browser.newPage()` of a browser that the caller has. The page ends with that.
 */
function isPartOfKept({ node, spec, via }: Site, followed: readonly Followed[]): boolean {
  if (spec.isPart !== true) return false;
  const isOfCaller = (one: ts.Expression) => spec.isLeftToCaller === true && isParameter(one);
  if (via !== null) return node.arguments?.some(isOfCaller) === true;
  if (!ts.isPropertyAccessExpression(node.expression)) return false;
  const lender = node.expression.expression;
  if (isOfCaller(lender)) return true;
  if (!ts.isPropertyAccessExpression(lender) || lender.expression.kind !== ts.SyntaxKind.ThisKeyword)
    return false;
  const body = bodyAround(node);
  return followed.some(
    ({ site, verdict }) =>
      bodyAround(site.node) === body &&
      site.node.pos < node.pos &&
      verdict.stored.some(({ path }) => path === `.${lender.name.text}`),
  );
}

function isParameter(expression: ts.Expression): boolean {
  const declaration = ts.isIdentifier(expression) ? variableOf(expression)?.declaration : undefined;
  return declaration !== undefined && ts.isParameter(declaration);
}
