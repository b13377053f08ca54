/**
 * The probability that an arrival waits in M/M/c, by Erlang's C formula (Erlang 1917), from his B formula by its
 * recursion. `load` is the arrival rate times the mean hold; it must be below `size`.
 */
export function erlangC(size: number, load: number): number {
  let blocked = 1;
  for (let n = 1; n <= size; n++) blocked = (load * blocked) / (n + load * blocked);
  return blocked / (1 - (load / size) * (1 - blocked));
}

/** The wait that a share `q` of the arrivals does not exceed in M/M/c; null where the load is not below the size. */
export function erlangWait(size: number, ratePerMs: number, meanHoldMs: number, q: number): number | null {
  const load = ratePerMs * meanHoldMs;
  if (load >= size) return null;
  const waits = erlangC(size, load);
  if (waits <= 1 - q) return 0;
  return Math.log(waits / (1 - q)) / (size / meanHoldMs - ratePerMs);
}

/** The smallest size whose wait at `q` is at most `targetMs`. */
export function erlangSize(ratePerMs: number, meanHoldMs: number, q: number, targetMs: number): number {
  for (let size = Math.floor(ratePerMs * meanHoldMs) + 1; ; size++) {
    const wait = erlangWait(size, ratePerMs, meanHoldMs, q);
    if (wait !== null && wait <= targetMs) return size;
  }
}
