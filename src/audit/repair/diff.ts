import { structuredPatch } from 'diff';

/** A unified diff of two versions of a file, as `git diff` prints it; '' if they are the same. */
export function diff(name: string, before: string, after: string): string {
  if (before === after) return '';
  const patch = structuredPatch(`a/${name}`, `b/${name}`, before, after, undefined, undefined, {
    context: 3,
  });
  const hunks = patch.hunks.map(({ oldStart, oldLines, newStart, newLines, lines }) =>
    [`@@ -${range(oldStart, oldLines)} +${range(newStart, newLines)} @@`, ...lines].join('\n'),
  );
  return `--- ${patch.oldFileName}\n+++ ${patch.newFileName}\n${hunks.join('\n')}\n`;
}

function range(start: number, lines: number): string {
  return lines === 1 ? String(start) : `${start},${lines}`;
}
