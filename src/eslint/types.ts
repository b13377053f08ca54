// The parts of ESLint's types that the plug-in uses, so that its declarations need no other package.

/** A place in a file: lines from 1, columns from 0. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Fix {
  readonly range: [number, number];
  readonly text: string;
}

export interface Fixer {
  replaceTextRange(range: [number, number], text: string): Fix;
  insertTextBeforeRange(range: [number, number], text: string): Fix;
}

export interface Report {
  readonly loc: { readonly start: Position; readonly end: Position };
  readonly messageId: string;
  readonly data: Record<string, string>;
  readonly fix?: ((fixer: Fixer) => Fix) | null;
  readonly suggest?: {
    readonly messageId: string;
    readonly data: Record<string, string>;
    fix(fixer: Fixer): Fix;
  }[];
}

/** The context of a rule, in ESLint 9 and later and in oxlint. */
export interface RuleContext {
  readonly cwd: string;
  readonly filename: string;
  readonly physicalFilename: string;
  readonly options: unknown[];
  readonly settings: { readonly [name: string]: unknown };
  /** Languages whose sources are no text have no `text`. */
  readonly sourceCode: { readonly ast: unknown; readonly text?: string; readonly hasBOM?: boolean };
  report(report: Report): void;
}

export interface RuleModule {
  readonly meta: {
    readonly type: 'problem';
    readonly docs: { readonly description: string; readonly url: string; readonly recommended: boolean };
    readonly fixable?: 'code';
    readonly hasSuggestions?: boolean;
    readonly messages: Record<string, string>;
    readonly schema: Record<string, unknown>[];
  };
  // Method syntax, so that a context with more in it fits.
  create(context: RuleContext): { Program(): void };
}
