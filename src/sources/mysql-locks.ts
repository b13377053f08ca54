import type { BlockerRow, ThreadRow } from './mysql-rows.js';

/** A thread that waits for the definition of a table, which no table of InnoDB tells of. */
export function waitsForMetadata({ state }: ThreadRow): boolean {
  return /^Waiting for .*(?:metadata|table).* lock$|table flush/i.test(state ?? '');
}

/**
 * The blockers of sessions that wait for a metadata lock, for servers that do not report them. Sessions that come after
 * a schema change of the same table wait for it. The schema change waits for the transactions that were open before it.
 */
export function metadataBlockers(threads: readonly ThreadRow[]): readonly BlockerRow[] {
  const waiting = threads.filter(waitsForMetadata);
  return waiting.flatMap((waiter): BlockerRow[] => {
    const since = Number(waiter.time_ms ?? 0);
    const changes = waiting.filter(
      (other) =>
        other !== waiter &&
        isSchemaChange(other.query) &&
        Number(other.time_ms ?? 0) >= since &&
        tableOf(other.query).some((table) => mentions(waiter.query, table)),
    );
    const [change] = changes.sort((one, other) => Number(other.time_ms) - Number(one.time_ms));
    if (change !== undefined) return [{ waiter: waiter.id, blocker: change.id }];
    // The server reports the age of a transaction in whole seconds.
    const older = threads.filter(
      (other) =>
        other.id !== waiter.id &&
        !waitsForMetadata(other) &&
        other.trx_state !== null &&
        Number(other.transaction_ms ?? 0) + 1000 >= since &&
        (other.database_name === null || other.database_name === waiter.database_name),
    );
    return older
      .sort((one, other) => Number(other.transaction_ms ?? 0) - Number(one.transaction_ms ?? 0))
      .map(({ id }) => ({ waiter: waiter.id, blocker: id }));
  });
}

/** The name that a thread waits for in GET_LOCK; null where it does not, or its text does not tell. */
export function userLockOf({ state, query }: ThreadRow): string | null {
  if (!/^User lock$/i.test(state ?? '')) return null;
  const [, name = null] = /\bget_lock\s*\(\s*'((?:[^'\\]|'')*)'/i.exec(query ?? '') ?? [];
  return name === null ? null : name.replaceAll("''", "'");
}

function isSchemaChange(query: string | null): boolean {
  return /^\s*(?:alter|drop|truncate|create|rename|optimize|repair|lock)\b/i.test(query ?? '');
}

/** The tables that a schema change names. */
function tableOf(query: string | null): string[] {
  const [, list = ''] =
    /^\s*(?:alter\s+(?:online\s+|ignore\s+)*table|drop\s+table|truncate(?:\s+table)?|rename\s+table|optimize\s+table|repair\s+table|lock\s+tables?|create\s+(?:\w+\s+)*index\s+\S+\s+on|drop\s+index\s+\S+\s+on)\s+(?:if\s+exists\s+)?([`\w.$]+)/i.exec(
      query ?? '',
    ) ?? [];
  const name = list.replaceAll('`', '').split('.').at(-1) ?? '';
  return name === '' ? [] : [name];
}

function mentions(query: string | null, table: string): boolean {
  const escaped = table.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`(?:^|[^\\w$])${escaped}(?:$|[^\\w$])`, 'i').test(query ?? '');
}
