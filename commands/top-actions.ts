import type { Io } from '../src/cli/io.js';
import { serverAt } from '../src/sources/server-connection.js';
import type { BackendAction } from '../src/top/state.js';

const LIMIT_MS = 5000;

/**
 * Cancels the query of a backend, or ends it, on the server that it was read from. The pid alone is not believed: it
 * may have been given to somebody else since, so that user and database have to be the same.
 */
export async function actOn(
  { verb, source, pid, user, database }: BackendAction,
  addresses: readonly string[],
  { env, interrupts }: Io,
): Promise<{ readonly done: boolean; readonly words: string }> {
  const own = addresses.filter((address) => /^postgres(ql)?:/i.test(address));
  const server = own.map((address) => serverAt(address, env)).find(({ label }) => label === source);
  if (server === undefined) return { done: false, words: `${source} is no database that can be asked` };
  const call = verb === 'cancel' ? 'pg_cancel_backend' : 'pg_terminate_backend';
  const what = verb === 'cancel' ? 'the query was cancelled' : 'was ended';
  const signal = AbortSignal.any([interrupts.abort, AbortSignal.timeout(LIMIT_MS)]);
  try {
    const [row] = await server.use(
      (ask) =>
        ask<{ done: boolean }>(
          `SELECT ${call}(pid) AS done FROM pg_stat_activity WHERE pid = ${Math.trunc(pid)}` +
            ` AND usename IS NOT DISTINCT FROM ${literal(user)} AND datname IS NOT DISTINCT FROM ${literal(database)}`,
        ),
      signal,
    );
    if (row === undefined) return { done: false, words: `backend ${pid} is not there any more` };
    return row.done
      ? { done: true, words: `backend ${pid}: ${what}` }
      : { done: false, words: `backend ${pid}: the server could not do it` };
  } finally {
    await server.close();
  }
}

function literal(text: string | null): string {
  return text === null ? 'NULL' : `E'${text.replace(/[\\']/g, (char) => char + char)}'`;
}
