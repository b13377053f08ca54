import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

/** Collects garbage until the condition holds, or for a number of rounds that is always enough if it ever will. */
export async function collectGarbage(until: () => boolean = () => false): Promise<void> {
  for (let round = 0; round < 20 && !until(); round++) {
    collect();
    // Finalizers run in a turn of their own.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
