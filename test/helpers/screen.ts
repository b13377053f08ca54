/** The lines on a screen after this output, as far as its commands are those that `top` uses. Without colors. */
export function screenOf(output: string): string[] {
  let lines: string[] = [];
  let row = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what is looked for are escape sequences
  for (const [token] of output.matchAll(/\x1b\[[0-9;?]*[A-Za-z]|\x1b.|[^\x1b]+/g)) {
    const position = /\[(\d+);(\d+)H$/.exec(token);
    if (position !== null) {
      row = Number(position[1]) - 1;
      lines[row] = '';
    } else if (token.endsWith('[2J')) lines = [];
    else if (!token.startsWith('\x1b')) lines[row] = (lines[row] ?? '') + token;
  }
  return Array.from(lines, (line) => line ?? '');
}
