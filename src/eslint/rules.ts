import type { Finding } from '../audit/types.js';
import { optionsOf, SCHEMA } from './options.js';
import { placeOf, rootOf } from './place.js';
import { commentOf, repairOf, type TextEdit } from './repairs.js';
import type { Fix, Fixer, Report, RuleContext, RuleModule } from './types.js';
import { workspaceOf } from './workspace.js';

const GUIDE = 'https://github.com/poolctl/poolctl/blob/main/docs/guides/eslint.md';

export const noLeakedLease = ruleFor({
  name: 'no-leaked-lease',
  description: 'Disallow paths on which a connection, session or transaction is not released',
  isOf: ({ rule }) => rule === 'leak',
  isRepaired: true,
});

const MISUSES: ReadonlySet<string> = new Set([
  ...['released-twice', 'used-after-release', 'dead-release', 'released-not-owned'],
  // Notes: a lease that is held longer, or by more callers, than it should be.
  ...['held-through-work', 'module-session'],
]);

export const noLeaseMisuse = ruleFor({
  name: 'no-lease-misuse',
  description: 'Disallow releasing a lease twice, using it after its release, and releasing a borrowed one',
  isOf: ({ rule }) => MISUSES.has(rule),
  isRepaired: false,
});

export const noPoolPerCall = ruleFor({
  name: 'no-pool-per-call',
  description: 'Disallow making a connection pool in each call of a function',
  isOf: ({ rule }) => rule === 'pool-per-call',
  isRepaired: false,
  isNote: true,
});

interface RuleOf {
  readonly name: string;
  readonly description: string;
  readonly isOf: (finding: Finding) => boolean;
  /** Whether `audit-leaks --fix` repairs such findings. */
  readonly isRepaired: boolean;
  /** The findings are notes for the command line. Here, the severity of the rule says how much they count. */
  readonly isNote?: boolean;
}

function ruleFor({ name, description, isOf, isRepaired, isNote = false }: RuleOf): RuleModule {
  return {
    meta: {
      type: 'problem',
      docs: { description, url: GUIDE, recommended: true },
      ...(isRepaired ? { fixable: 'code' as const } : {}),
      hasSuggestions: true,
      messages: {
        finding: '{{message}}.',
        config: 'poolctl: {{problem}}.',
        ignore: 'Suppress with a poolctl-ignore-next-line comment.',
      },
      schema: SCHEMA,
    },
    create: (context) => ({
      Program() {
        const { options, problems } = optionsOf(context.settings.poolctl, context.options[0]);
        const root = rootOf(context.cwd, options.root);
        const place = placeOf(context, root ?? context.cwd);
        if (place === null) return;
        for (const problem of problems) context.report(atTop('config', { problem }));
        const { hasBOM, text } = context.sourceCode;
        if (text === undefined) return;
        const bom = hasBOM === true ? 1 : 0;
        const source = hasBOM === true ? `\uFEFF${text}` : text;
        const workspace = workspaceOf(root, context.cwd, options);
        const answer = workspace.answer(place, source, name);
        for (const problem of answer.problems) context.report(atTop('config', { problem }));
        const notes = isNote || (options.notes ?? workspace.notes);
        for (const finding of answer.findings) {
          const isShown = notes || (finding.severity === 'error' && finding.where !== 'test');
          if (isShown && isOf(finding))
            report(finding, { context, path: place.path, source, bom, isRepaired });
        }
      },
    }),
  };
}

interface Reporting {
  readonly context: RuleContext;
  readonly path: string;
  /** The text with a byte order mark, if the file has one. */
  readonly source: string;
  /** The length of that mark, which ESLint's positions do not count. */
  readonly bom: number;
  readonly isRepaired: boolean;
}

function report(finding: Finding, { context, path, source, bom, isRepaired }: Reporting): void {
  const { line, column, endLine, endColumn, message } = finding;
  const columnIn = (at: number, one: number) => Math.max(0, one - 1 - (at === 1 ? bom : 0));
  const apply = ({ start, end, text }: TextEdit, fixer: Fixer): Fix =>
    fixer.replaceTextRange([start - bom, end - bom], text);
  const repair = isRepaired ? repairOf(path, source, finding) : null;
  context.report({
    loc: {
      start: { line, column: columnIn(line, column) },
      end: { line: endLine, column: columnIn(endLine, endColumn) },
    },
    messageId: 'finding',
    data: { message },
    ...(repair === null ? {} : { fix: (fixer) => apply(repair, fixer) }),
    suggest: [{ messageId: 'ignore', data: {}, fix: (fixer) => apply(commentOf(source, finding), fixer) }],
  });
}

function atTop(messageId: string, data: Record<string, string>): Report {
  const start = { line: 1, column: 0 };
  return { loc: { start, end: start }, messageId, data };
}
