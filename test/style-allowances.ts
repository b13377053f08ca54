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
  longSentences: {
    'docs/reference/causes.md': 5,
    'docs/reference/checks.md': 28,
    'docs/reference/commands/ib-ping.md': 6,
    'docs/rules/redis-client.md': 1,
  },
  phrases: {
    'docs/reference/causes.md': 20,
    'docs/reference/checks.md': 29,
    'docs/rules/pg-cursor.md': 1,
  },
  comments: {
    bin: 1,
    commands: 24,
    'src/audit': 169,
    'src/base': 19,
    'src/cli': 38,
    'src/db': 74,
    'src/diagnosis': 63,
    'src/doctor': 85,
    'src/health': 34,
    'src/http': 63,
    'src/ib': 120,
    'src/lab': 118,
    'src/loadtest': 127,
    'src/metrics': 45,
    'src/pgbouncer': 25,
    'src/pool': 42,
    'src/report': 37,
    'src/setup': 6,
    'src/snapshot': 11,
    'src/sources': 39,
    'src/testing': 3,
    'src/top': 45,
    'src/watch': 98,
    'src/ws': 85,
  },
};
