// Parts that the applications of this folder share. Run one as `node FILE URL STATE [repaired]`; it goes on until it is ended.

const [, , uri = '', state = '', form = ''] = process.argv;

/** The address of the server, or of what stands before it. */
export { uri };
/** Whether the code is that of the printed repair. */
export const isRepaired = form === 'repaired';

/** @param {number} ms */
export const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const never = () => new Promise(() => {});
/** A path that forgets what it has to do; it goes on where the code is repaired. */
export const forget = () => (isRepaired ? wait(20) : never());
/** So many at once, each again and again; what fails is tried again. The load on a repaired application is moderate. */
export const crowd = (/** @type {number} */ count, /** @type {(at: number) => Promise<unknown>} */ work) =>
  Promise.all(
    Array.from({ length: isRepaired ? Math.min(count, 2) : count }, async (_, at) => {
      for (;;) await work(at).catch(() => wait(50));
    }),
  );

/** @param {Readonly<Record<string, () => Promise<unknown>>>} states */
export async function runState(states) {
  // A paused stream keeps no process alive.
  setInterval(() => {}, 1000);
  const run = states[state];
  if (run === undefined) throw new Error(`no state ${state}`);
  await run();
}
