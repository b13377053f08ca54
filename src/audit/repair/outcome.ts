import type { Finding } from '../types.js';

export interface Repair {
  /** The file with all that could be repaired. */
  readonly text: string;
  /** The findings that are repaired. */
  readonly repaired: readonly Finding[];
}

export interface ExplainedRepair extends Repair {
  /** The others, each with the reason. */
  readonly refused: readonly { readonly finding: Finding; readonly reason: string }[];
}
