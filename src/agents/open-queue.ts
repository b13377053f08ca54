import { maskUrl } from '../base/secrets.js';
import { ValueError } from '../base/units.js';
import type { AgentQueue } from './queue.js';

/** Forms of a queue, as help texts name them. */
export const QUEUE_FORMS = 'redis://HOST, rediss://HOST';

/** Reads the address of a queue. Throws a ValueError. */
export function parseQueue(text: string): string {
  const given = text.trim();
  if (/^rediss?:\/\/./i.test(given) && URL.canParse(given)) return given;
  throw new ValueError(`'${maskUrl(text)}' is no queue; supported are ${QUEUE_FORMS}`);
}

/** Connects to the queue, which must have passed `parseQueue`. Rejects with an AgentQueueError. */
export async function openQueue(address: string): Promise<AgentQueue> {
  return (await import('./redis.js')).openRedis(address);
}
