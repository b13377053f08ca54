/** A limit on how often something may happen. A turnstile combines several. */
export interface Limit {
  /** When there is room for one: `now`, or later. Times must not go backwards. */
  roomAt(now: number): number;
  /** One goes now. */
  note(now: number): void;
}
