/** Whether the first of two versions is the second or a later one. */
export function isAtLeast(version: string, wanted: string): boolean {
  const [have, want] = [version, wanted].map((one) => one.split('-')[0]?.split('.').map(Number) ?? []);
  for (let at = 0; at < 3; at++) {
    const difference = (have?.[at] ?? 0) - (want?.[at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
