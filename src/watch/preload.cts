/**
 * The same as `register.ts` for `--require`, which NODE_OPTIONS hands on to every Node that a program starts: worker
 * threads and child processes, whichever kind of modules they have.
 *
 * The build makes register.cjs out of register.ts. It is CommonJS, because Node refuses to require an ES module where
 * loader hooks are registered, as Yarn's Plug'n'Play and tsx do.
 */
try {
  // Not an import: on a Node that cannot do this the program must start all the same.
  require('./register.cjs');
} catch (error) {
  const { writeSync } = require('node:fs') as typeof import('node:fs');
  const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
  try {
    writeSync(2, `poolctl: a process is not watched: ${why}\n`);
  } catch {
    // Nobody is there to read it.
  }
}
