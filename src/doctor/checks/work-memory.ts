import { alterSystem, fail, forEach, pass } from '../outcome.js';
import { postgresSize, settingBytes, settingNumber, settingText } from '../postgres-settings.js';
import { memoryOf } from '../server-memory.js';
import type { Check } from '../types.js';

export const workMemory: Check = {
  id: 'work-memory',
  title: "the memory of all connections fits into the server's",
  needs: ['postgres'],
  why:
    'Each sort and each hash of each connection may take work_mem. When all connections do, the system runs out of ' +
    'memory and ends a server process, upon which PostgreSQL restarts and drops every connection.',
  details:
    'shared_buffers + max_connections x work_mem must be below the memory of the server: that of --memory, or of this ' +
    'machine where the server is on it. It is a floor: a query may have several sorts, and a hash takes ' +
    'hash_mem_multiplier times as much.',
  run: forEach('postgres', (target, { options }) => {
    const memory = memoryOf(target, options);
    const [buffers, each, most] = [
      settingBytes(target, 'shared_buffers'),
      settingBytes(target, 'work_mem'),
      settingNumber(target, 'max_connections'),
    ];
    const sum = buffers + most * each;
    const evidence = [
      settingText(target, 'shared_buffers'),
      settingText(target, 'max_connections'),
      settingText(target, 'work_mem'),
    ];
    const summary = `${postgresSize(buffers)} + ${most} x ${postgresSize(each)} = ${postgresSize(sum)}, of ${memory.text}`;
    if (sum <= memory.bytes) return pass(summary, evidence);
    // 64 kB is the least that PostgreSQL takes.
    const kilobytes = Math.max(64, Math.floor(Math.max(0, memory.bytes * 0.8 - buffers) / most / 1024));
    return fail(summary, evidence, {
      steps: alterSystem(target, { work_mem: `${kilobytes}kB` }),
      risk:
        'Queries with larger sorts write temporary files and become slower; give the few that need it more: SET LOCAL ' +
        'work_mem, or ALTER ROLE ... SET. Fewer max_connections, with a pooler before them, let work_mem stay.',
    });
  }),
};
