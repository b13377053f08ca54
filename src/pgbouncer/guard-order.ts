/** What the process that guards a pause is told first; the word after it releases it. */
export interface GuardOrder {
  /** Of the console. It may hold a password, so it is told and not given as an argument. */
  readonly address: string;
  /** The command that ends the pause. */
  readonly resume: string;
}

/** What it answers once it is connected. */
export interface GuardReady {
  /** Why it is of no use; null where it stands ready. */
  readonly problem: string | null;
}
