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
    'docs/guides/broker-connections.md': 1,
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
    commands: 8,
    'src/audit': 171,
    'src/base': 6,
    'src/cli': 4,
    'src/db': 13,
    'src/diagnosis': 58,
    'src/doctor': 85,
    'src/health': 33,
    'src/http': 10,
    'src/ib': 115,
    'src/lab': 124,
    'src/loadtest': 24,
    'src/metrics': 41,
    'src/pool': 6,
    'src/report': 7,
    'src/snapshot': 4,
    'src/sources': 43,
    'src/top': 40,
    'src/watch': 102,
    'src/ws': 83,
  },
};
