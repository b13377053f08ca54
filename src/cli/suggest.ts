import { closest } from '../base/closest.js';

export { closest };

/** `did you mean X?`, or null. */
export function didYouMean(word: string, candidates: readonly string[]): string | null {
  const meant = closest(word, candidates);
  return meant === null ? null : `did you mean ${meant}?`;
}
