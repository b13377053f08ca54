interface Allowances {
  /** Sentences that are too long, by document. */
  readonly longSentences: Readonly<Record<string, number>>;
  /** Banned phrases, by document. */
  readonly phrases: Readonly<Record<string, number>>;
  /** Comments that open with a relative clause or have a banned phrase, by room. */
  readonly comments: Readonly<Record<string, number>>;
}

/** Places that are not yet rewritten, with the faults that each may have. Lower a number whenever you lower the count. */
export const ALLOWED: Allowances = {
  longSentences: {},
  phrases: {},
  comments: {
    'src/audit': 157,
    'src/base': 1,
    'src/diagnosis': 46,
    'src/lab': 20,
  },
};
