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
    'docs/reference/checks.md': 23,
    'docs/reference/commands/ib-ping.md': 1,
    'docs/rules/redis-client.md': 1,
  },
  phrases: {
    'docs/reference/checks.md': 26,
    'docs/rules/pg-cursor.md': 1,
  },
  comments: {
    bin: 1,
    commands: 24,
    'src/audit': 159,
    'src/base': 19,
    'src/cli': 38,
    'src/db': 74,
    'src/doctor': 77,
    'src/health': 26,
    'src/http': 63,
    'src/ib': 61,
    'src/lab': 96,
    'src/loadtest': 139,
    'src/metrics': 37,
    'src/pgbouncer': 25,
    'src/pool': 42,
    'src/report': 37,
    'src/setup': 6,
    'src/snapshot': 11,
    'src/sources': 51,
    'src/testing': 3,
    'src/top': 55,
    'src/watch': 80,
    'src/ws': 41,
  },
};
