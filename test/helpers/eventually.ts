/** Asks again and again, for as long as a test may take; it fails with the test's own time limit else. */
export async function eventually(isSo: () => boolean | Promise<boolean>, limitMs = 20_000): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`it has not come to be within ${limitMs} ms: ${isSo}`);
    await new Promise((resolve) => void setTimeout(resolve, 5));
  }
}
