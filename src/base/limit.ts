/** Says when one more may go. A turnstile asks several of them. */
export interface Limit {
  /** When there is room for one: `now`, or later. Times must not go backwards. */
  roomAt(now: number): number;
  /** One goes now. */
  note(now: number): void;
}
