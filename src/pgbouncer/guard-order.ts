/** The first message to the process that guards a pause. The word after it releases it. */
export interface GuardOrder {
  /** Address of the console. It may hold a password, so it is a message instead of an argument. */
  readonly address: string;
  /** The command that ends the pause. */
  readonly resume: string;
}

/** The answer once it is connected. */
export interface GuardReady {
  /** Why it is of no use; null where it stands ready. */
  readonly problem: string | null;
}
