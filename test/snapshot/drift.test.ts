import { expect, it } from 'vitest';
import { fieldsOfSchemas, problemsWithout } from '../../scripts/schema-drift.mjs';

/** One field of each kind of pool, and the rooms that write or read it: none of them compiles when it is renamed. */
const READERS: readonly (readonly [file: string, field: string, rooms: readonly string[]])[] = [
  [
    'pool.ts',
    'timedOut',
    ['src/pool', 'src/http', 'src/ws', 'src/ib', 'src/watch', 'src/health', 'src/doctor', 'src/metrics'],
  ],
  ['pool.ts', 'inUse', ['src/pool', 'src/sources', 'src/top', 'src/doctor', 'src/metrics']],
  ['http.ts', 'reuseRatio', ['src/http', 'src/doctor']],
  ['feed.ts', 'slowDisconnects', ['src/ws', 'src/doctor']],
  ['broker.ts', 'idCollisions', ['src/ib', 'src/doctor', 'src/top']],
  ['server.ts', 'usedConnections', ['src/sources', 'src/health', 'src/doctor', 'src/metrics']],
];

it('a field that is renamed in its schema stops every room that writes or reads it from compiling', async () => {
  const fields = fieldsOfSchemas().filter(({ file, name }) =>
    READERS.some(([ofFile, field]) => file === ofFile && name === field),
  );
  expect(fields).toHaveLength(READERS.length);
  const problems = await problemsWithout(fields);
  const found = READERS.map(([file, field, rooms]) => {
    const naming = problems.filter(({ message }) => new RegExp(`\\b${field}(Renamed)?\\b`).test(message));
    return [file, field, rooms.filter((room) => naming.some((problem) => problem.room === room))];
  });
  expect(found).toEqual(READERS);
}, 240_000);
