import { ts } from 'ts-morph';
import { isMarkup, scriptOf } from './code/markup.js';
import { languageOf } from './languages/language.js';
import { repairPython } from './languages/python/repair/repair.js';
import { releaseAfterTry } from './repair/assigned.js';
import { type Edit, overlap } from './repair/edits.js';
import { intoFinally, intoTry, newTry } from './repair/finally.js';
import { type Lease, leaseAt, type RepairOptions } from './repair/lease.js';
import type { ExplainedRepair, Repair } from './repair/outcome.js';
import { intoCatch, newCatch } from './repair/transactions.js';
import { isPropertyName, isUsedOnly, mentions, OPENS } from './repair/uses.js';
import { RESOURCES } from './resources/index.js';
import type { Finding } from './types.js';

/**
 * Repairs the leaks of one file where that is provably right: a lease in a variable that gets one value, that nothing but
 * awaited calls of its methods mentions, and releases that are statements of their own. What comes after the acquire call goes into try, the
 * release into finally; a try that is there already gets the finally, or takes in what stands before it. Where the lease
 * can be declared with `await using`, it is.
 */
export function repair(
  name: string,
  text: string,
  findings: readonly Finding[],
  options: RepairOptions = { parsesUsing: false, versionOf: () => null },
): Repair {
  const { text: changed, repaired } = explainedRepair(name, text, findings, options);
  return { text: changed, repaired };
}

/** The same, with the reason for each leak that stays. */
export function explainedRepair(
  name: string,
  text: string,
  findings: readonly Finding[],
  options: RepairOptions,
): ExplainedRepair {
  if (languageOf(name) === 'python')
    return name.endsWith('.py') ? repairPython(text, findings) : refuseAll(text, findings);
  const file = parse(name, text);
  const edits: Edit[] = [];
  const repaired: Finding[] = [];
  const refused: { finding: Finding; reason: string }[] = [];
  const refuse = (finding: Finding, reason: string) => refused.push({ finding, reason });
  for (const finding of findings) {
    const own = editsFor(file, finding, options);
    if (typeof own === 'string') refuse(finding, own);
    else if (own.some((one) => edits.some((other) => overlap(one, other))))
      refuse(finding, 'another repair changes the same lines; run --fix again');
    else {
      edits.push(...own);
      repaired.push(finding);
    }
  }
  let result = text;
  for (const { start, end, text: replacement } of edits.sort((a, b) => b.start - a.start)) {
    result = result.slice(0, start) + replacement + result.slice(end);
  }
  if (isWhole(name, result)) return { text: result, repaired, refused };
  for (const finding of repaired) refuse(finding, 'the changed file would not parse');
  return { text, repaired: [], refused };
}

function refuseAll(text: string, findings: readonly Finding[]): ExplainedRepair {
  const refused = findings.map((finding) => ({ finding, reason: 'notebooks are not repaired' }));
  return { text, repaired: [], refused };
}

/** Whether a text has no syntax errors. The compiler knows, though its types do not say so. */
function isWhole(name: string, text: string): boolean {
  const { parseDiagnostics = [] } = parse(name, text) as { readonly parseDiagnostics?: readonly unknown[] };
  return parseDiagnostics.length === 0;
}

function parse(name: string, text: string): ts.SourceFile {
  const { text: code, kind } = isMarkup(name) ? scriptOf(name, text) : { text, kind: undefined };
  return ts.createSourceFile(name, code, ts.ScriptTarget.Latest, true, kind);
}

/** The edits that repair a finding, or the reason why there are none. */
function editsFor(file: ts.SourceFile, finding: Finding, options: RepairOptions): Edit[] | string {
  const ending = RESOURCES.find(({ id }) => id === finding.resource)?.repair;
  if (finding.rule !== 'leak') return 'only leaks are repaired';
  if (ending === undefined) return `there is no repair for ${finding.resource}`;
  const afterTry = finding.confidence === 'low' ? null : releaseAfterTry(file, finding, ending);
  if (afterTry !== null) return afterTry;
  const lease = leaseAt(file, finding, ending, options);
  if (typeof lease === 'string') return lease;
  const { block, index, name, rest } = lease;
  if (rest.length === 0) return 'nothing follows the acquire call in its block';
  if (block.statements.slice(0, index).some((statement) => mentions(statement, name)))
    return `${name} has another meaning before the acquire call`;
  const found =
    ending.commit === undefined
      ? (intoFinally(lease, file) ?? intoTry(lease, file) ?? newTry(lease, file))
      : (intoCatch(lease, file) ?? newCatch(lease, file));
  return found ?? whyNot(lease);
}

/** The first obstacle, for people: the repairs themselves only say that they do not fit. */
function whyNot({ rest, name, ending }: Lease): string {
  const hasTry = rest.some(ts.isTryStatement);
  if (rest.some((one) => handsOver(one, name)))
    return `${name} is stored, returned or used by code that is not awaited`;
  const opens = rest.some((one) => OPENS.test(one.getText()));
  if (opens && ending.endsTransaction !== true && ending.rollback === undefined)
    return 'a transaction is opened, and it is not clear how it ends';
  if (ending.commit !== undefined) return 'it is not committed at the end of a plain sequence of statements';
  return hasTry
    ? `the try statement around the work does not end ${name} in a form that can be moved`
    : `${name} is released in several places, or what follows needs names from before`;
}

/** Whether a mention of the lease may outlive the statement. */
function handsOver(statement: ts.Statement, name: string): boolean {
  let found = false;
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && node.text === name && !isPropertyName(node))
      found ||= !isUsedOnly(node, statement);
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return found;
}
