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
    commands: 6,
    'src/audit': 171,
    'src/base': 2,
    'src/db': 1,
    'src/diagnosis': 58,
    'src/doctor': 85,
    'src/health': 33,
    'src/http': 6,
    'src/ib': 115,
    'src/lab': 125,
    'src/loadtest': 20,
    'src/metrics': 41,
    'src/pool': 3,
    'src/report': 1,
    'src/sources': 43,
    'src/top': 40,
    'src/watch': 107,
    'src/ws': 83,
  },
};
