/** A sentence of a document, and how many words it has. */
export interface Sentence {
  readonly text: string;
  readonly words: number;
}

/**
 * The sentences of a Markdown text. Code, tables, headings, quotes of output and HTML comments are no prose. A list item
 * is a paragraph of its own. Code in a line counts as one word.
 */
export function sentencesOf(markdown: string): Sentence[] {
  return paragraphsOf(markdown).flatMap(split);
}

export function paragraphsOf(markdown: string): string[] {
  const prose = markdown
    .replaceAll(/^```[\s\S]*?^```$/gm, '\n\n')
    .replaceAll(/<!--[\s\S]*?-->/g, '\n\n')
    .replaceAll(/^(#|\||>|!\[|---|: ).*$/gm, '\n\n')
    // The start of an item ends the one before.
    .replaceAll(/^\s*(?:[-*+]|\d+\.) +/gm, '\n\n');
  return prose
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.replaceAll(/\s+/g, ' ').trim())
    .filter((paragraph) => paragraph !== '');
}

function split(paragraph: string): Sentence[] {
  const plain = paragraph
    .replaceAll(/`[^`]*`/g, 'CODE')
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/\*\*?([^*]+)\*\*?/g, '$1');
  return plain
    .split(/(?<=[.!?][)"']?)\s+(?=[A-Z0-9("']|poolctl|pg_|mysql2|node:)/)
    .map((text) => ({ text, words: text.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length }))
    .filter(({ words }) => words > 0);
}

/** Words in each sentence on average; 0 without sentences. */
export function averageOf(sentences: readonly Sentence[]): number {
  const words = sentences.reduce((sum, one) => sum + one.words, 0);
  return sentences.length === 0 ? 0 : words / sentences.length;
}
