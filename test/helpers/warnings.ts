/** The warnings that Node gives while `work` runs; they would end up on the user's stderr. */
export async function collectWarnings(work: () => Promise<void>): Promise<string[]> {
  const warnings: string[] = [];
  const note = (warning: Error): void => void warnings.push(`${warning.name}: ${warning.message}`);
  process.on('warning', note);
  try {
    await work();
    // Warnings are told in a turn of their own.
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off('warning', note);
  }
  return warnings;
}
