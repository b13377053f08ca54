import { resolve } from 'node:path';
import { ValueError } from '../src/base/units.js';
import { defineCommand, restArguments } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { UnavailableError, UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { flag, list, value } from '../src/cli/options.js';
import { count, duration, path, text, type ValueType } from '../src/cli/value-types.js';
import { readRecording } from '../src/leases/file.js';
import { formatsOf, renderReport } from '../src/report/registry.js';
import { DEFAULT_TARGET_MS, sizeRecordings } from '../src/sizing/size.js';

/** `2x`, or a number. */
const factor: ValueType<number> = {
  placeholder: 'FACTOR',
  parse(source) {
    const found = Number(source.trim().replace(/x$/i, ''));
    if (!(found >= 0.1 && found <= 100) || source.trim() === '') {
      throw new ValueError(`'${source}' is not a factor from 0.1 to 100, such as 2x`);
    }
    return found;
  },
  show: (one) => `${one}x`,
};

const FLEET = 'The fleet';

const options = {
  targetWait: value({
    summary: 'longest wait of 99 % of the acquires',
    type: duration({ leastMs: 0.1 }),
    default: DEFAULT_TARGET_MS,
    group: 'Recommendation',
  }),
  growth: value({
    summary: 'arrivals to plan for, as a multiple of the recording',
    type: factor,
    default: 1,
    group: 'Recommendation',
  }),
  pool: value({
    summary: 'only the pool with this name',
    type: text('NAME'),
    default: null,
    group: 'Recommendation',
  }),
  sizes: list({
    summary: 'also show this size',
    type: count({ least: 1 }),
    group: 'Recommendation',
  }),
  check: flag({
    summary: 'exit with 1 if a recorded size misses the target',
    group: 'Recommendation',
  }),
  instances: value({
    summary: 'processes of the application, each with its own pool',
    type: count({ least: 1 }),
    default: null,
    defaultText: 'one for each recording',
    group: FLEET,
  }),
  maxConnections: value({
    summary: 'max_connections of the server',
    type: count({ least: 1 }),
    default: null,
    defaultText: 'unknown',
    group: FLEET,
  }),
  reservedConnections: value({
    summary: 'of max_connections, those kept for superusers and other programs',
    type: count(),
    default: 3,
    group: FLEET,
  }),
  pgbouncerPoolSize: value({
    summary: 'server connections of PgBouncer, if the application uses one',
    type: count({ least: 1 }),
    default: null,
    defaultText: 'no PgBouncer',
    group: FLEET,
  }),
  format: formatOption(formatsOf('size')),
};

export const command = defineCommand({
  name: 'size',
  summary: 'recommend a pool size from a recording of the application',
  description:
    'Replays the leases that poolctl run --record-leases recorded, in pools of other sizes. For each size it shows\n' +
    'waits, timeouts and utilization. It recommends the smallest size whose p99 wait is below the target, and names\n' +
    'the call site whose holds are worth shortening.',
  arguments: {
    files: restArguments({ summary: 'recordings, one for each process', type: path('FILE') }),
  },
  options,
  examples: [
    { command: 'poolctl run --record-leases leases.rec -- node app.js', meaning: 'record first' },
    { command: 'poolctl size leases.rec', meaning: 'then ask for the size' },
    {
      command: 'poolctl size leases.rec --target-wait 5ms --growth 2x --instances 8 --max-connections 200',
      meaning: 'for eight processes and twice the load',
    },
    { command: 'poolctl size leases.rec --format html -o size.html', meaning: 'with charts' },
  ],
  async run(context) {
    const { options: given, io, render } = context;
    const { files } = context.arguments;
    if (files.length === 0) {
      throw new UsageError([
        {
          message: 'no recording was named',
          hint: 'make one with: poolctl run --record-leases leases.rec -- node app.js',
        },
      ]);
    }
    const read = await Promise.all(
      files.map(async (file) => ({ file, recording: await readRecording(resolve(io.cwd, file), file) })),
    );
    const chosen = read.map(({ file, recording }) => ({
      file,
      recording:
        given.pool === null
          ? recording
          : { ...recording, pools: recording.pools.filter(({ name }) => name === given.pool) },
    }));
    const { result, unsized } = sizeRecordings(chosen, {
      targetMs: given.targetWait,
      growth: given.growth,
      sizes: given.sizes,
      instances: given.instances,
      maxConnections: given.maxConnections,
      reserved: given.reservedConnections,
      pgbouncerPoolSize: given.pgbouncerPoolSize,
    });
    for (const { name, why } of unsized) context.warn(`${name}: ${why}`);
    if (result.pools.length === 0) {
      const names = read.flatMap(({ recording }) => recording.pools.map(({ name }) => name));
      throw new UnavailableError('no pool could be sized', {
        hint:
          given.pool !== null && !names.includes(given.pool)
            ? `the recording has: ${names.join(', ') || 'no pool'}`
            : 'record for longer, or under more load',
      });
    }
    await context.write(await renderReport('size', given.format, result, render));
    const misses = result.pools.some(({ waits }) => waits.p99Ms > given.targetWait);
    return given.check && misses ? ExitCode.Failed : ExitCode.Ok;
  },
});
