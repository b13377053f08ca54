// An application that does its work in a child process and in a thread.
const { fork } = require('node:child_process');
const { join } = require('node:path');
const { Worker } = require('node:worker_threads');

const child = fork(join(__dirname, 'part.cjs'), ['child']);
const thread = new Worker(join(__dirname, 'part.cjs'), { argv: ['thread'] });
let ready = 0;
for (const part of [child, thread]) {
  part.once('message', () => {
    ready++;
    if (ready === 2) process.stderr.write('ready\n');
  });
}
process.stdin
  .on('end', () => {
    child.disconnect();
    thread.postMessage('end');
  })
  .resume();
