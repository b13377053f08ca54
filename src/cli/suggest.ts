import { closest } from '../base/closest.js';

export { closest };

/** A part of a name that is too short names nothing in particular. */
const SHORTEST_PART = 3;
const MOST = 6;

/** `did you mean X?`, or null. */
export function didYouMean(word: string, candidates: readonly string[]): string | null {
  const meant = closest(word, candidates);
  if (meant !== null) return `did you mean ${meant}?`;
  const related = relatedTo(word, candidates);
  return related.length === 0 ? null : `did you mean ${inWords(related)}?`;
}

/** Names of which the word is a part, or the beginning: `--timeout` of `--pool-timeout`, `audit` of `audit-leaks`. */
function relatedTo(word: string, candidates: readonly string[]): readonly string[] {
  const parts = partsOf(word);
  if (parts.join('').length < SHORTEST_PART) return [];
  const joined = parts.join('');
  const related = candidates.filter((candidate) => {
    const own = partsOf(candidate);
    return (
      own.join('').startsWith(joined) || own.includes(joined) || parts.every((part) => own.includes(part))
    );
  });
  // A word that many names have in common says too little.
  return related.length > MOST ? [] : related;
}

function inWords(names: readonly string[]): string {
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} or ${last}`;
}

function partsOf(name: string): readonly string[] {
  return name
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((part) => part !== '');
}
