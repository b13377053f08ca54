// A poolctl whose only command behaves, or misbehaves, as its argument says. Started by process-edge.test.ts as
// `node made-up-bin.mjs try BEHAVIOUR`; MADE_UP_EDGE names the built process edge.
const { runProcess } = await import(process.env.MADE_UP_EDGE ?? '');

const ready = () => process.stderr.write('ready\n');
/** @param {AbortSignal} signal */
const aborted = (signal) =>
  new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
const keepOpen = () => setInterval(() => {}, 1000);

/**
 * @typedef {import('../../src/cli/options.js').OptionTable} OptionTable
 * @typedef {import('../../src/cli/command.js').ArgumentTable} ArgumentTable
 * @typedef {import('../../src/cli/command.js').CommandContext<OptionTable, ArgumentTable>} Context
 */

/** @type {Record<string, (context: Context) => Promise<number>>} */
const behaviours = {
  async succeed(context) {
    await context.write('the result\n');
    return 0;
  },
  async fail(context) {
    await context.write('the result\n');
    return 1;
  },
  async 'write-a-lot'(context) {
    await context.io.readStdin();
    await context.write('0123456789'.repeat(500_000));
    return 1;
  },
  async 'drain-when-stopped'({ io: { interrupts }, write }) {
    const timer = keepOpen();
    ready();
    await aborted(interrupts.stop);
    process.stderr.write('draining\n');
    await write('partial\n');
    clearInterval(timer);
    return 0;
  },
  async 'give-up-when-aborted'({ io: { interrupts } }) {
    const timer = keepOpen();
    ready();
    await aborted(interrupts.stop);
    process.stderr.write('draining\n');
    await aborted(interrupts.abort);
    clearInterval(timer);
    throw interrupts.abort.reason;
  },
  async 'be-stopped-after-the-result'({ io: { interrupts }, write }) {
    const timer = keepOpen();
    await write('the result\n');
    ready();
    await aborted(interrupts.stop);
    clearInterval(timer);
    return 1;
  },
  async hang({ io: { interrupts } }) {
    keepOpen();
    interrupts.abort.addEventListener('abort', () => process.stderr.write('aborted\n'));
    interrupts.stop.addEventListener('abort', () => process.stderr.write('stopped\n'));
    ready();
    return new Promise(() => {});
  },
  async throw() {
    throw new TypeError('x of postgres://anna:s3cret@db/y is not a function');
  },
  async 'throw-later'({ io: { interrupts } }) {
    setTimeout(() => {
      throw new Error('thrown later');
    });
    const timer = keepOpen();
    await aborted(interrupts.abort);
    clearInterval(timer);
    return 0;
  },
  async 'reject-later'() {
    void Promise.reject(new Error('rejected later'));
    return 0;
  },
  async 'throw-later-and-hang'() {
    setTimeout(() => {
      throw new Error('thrown later');
    });
    keepOpen();
    return new Promise(() => {});
  },
  async 'leave-a-handle'() {
    setTimeout(() => process.stderr.write('still here\n'), 50);
    return 0;
  },
};

/** @type {import('../../src/cli/command.js').Command} */
const command = {
  name: 'try',
  summary: 'try',
  options: {},
  arguments: {
    rest: {
      summary: '',
      required: true,
      placeholder: 'TEXT',
      words: null,
      variadic: true,
      fallback: [],
      read: (texts) => texts,
    },
  },
  async run(context) {
    const [behaviour] = /** @type {string[]} */ (context.arguments.rest);
    return /** @type {0 | 1} */ (await behaviours[behaviour ?? '']?.(context));
  },
};

await runProcess({ try: { summary: 'try', load: async () => command } });
