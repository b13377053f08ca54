#!/usr/bin/env node
/** Asks whether this Node is new enough before anything is loaded that an older one would fail on with a riddle. */
const OLDEST_NODE = [20, 19] as const;

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
  process.stderr.write(
    `poolctl: needs Node ${OLDEST_NODE.join('.')} or newer, and this is ${process.version}\n`,
  );
  process.exitCode = 3;
} else {
  const [{ commands }, { runProcess }] = await Promise.all([
    import('../commands/index.js'),
    import('./process-edge.js'),
  ]);
  await runProcess(commands);
}

export {};
