import { randomUUID } from 'node:crypto';
import { maskUrl } from '../base/secrets.js';
import { BULL_QUEUE, type BullQueue, type BullWorker, Invitations, missingPackage } from './invitations.js';
import { pack, unpack } from './packed.js';
import {
  type AgentReport,
  type Assignment,
  COMMAND_TIMEOUT_MS,
  KEEP_MS,
  LEASE_MS,
  type Orders,
  type RunOrders,
  type RunPlan,
  type RunView,
  type Stop,
} from './protocol.js';
import { type AgentQueue, AgentQueueError, type Delivered, type Opened } from './queue.js';
import { BEAT, CLAIM, DELIVER, LOOK, OPEN, RESTORE, TIDY } from './redis-scripts.js';

/** All keys lie in one slot of a cluster. */
const PREFIX = '{poolctl}';

/** The parts of ioredis that are used here. */
interface Client {
  on(event: 'error', listener: (error: Error) => void): unknown;
  connect(): Promise<void>;
  time(): Promise<readonly (string | number)[]>;
  eval(script: string, keys: number, ...args: readonly (string | number)[]): Promise<unknown>;
  hset(key: string, ...pairs: readonly (string | number)[]): Promise<unknown>;
  hget(key: string, field: string): Promise<string | null>;
  del(...keys: readonly string[]): Promise<unknown>;
  disconnect(): void;
}
type ClientOptions = Readonly<Record<string, unknown>>;

/** Connects to Redis. Rejects with an AgentQueueError if that fails, or a package is missing. */
export async function openRedis(url: string): Promise<AgentQueue> {
  const { Redis, Queue, Worker } = await packages();
  const name = maskUrl(url);
  /** Commands fail at once while the server is away, since a sign of life that comes later says nothing. */
  const client = new Redis(url, {
    ...{ lazyConnect: true, enableOfflineQueue: false, maxRetriesPerRequest: 0 },
    ...{ commandTimeout: COMMAND_TIMEOUT_MS, connectTimeout: 5000, retryStrategy: () => 200 },
  });
  let lastError: Error | null = null;
  client.on('error', (error) => {
    lastError = error;
  });
  try {
    await client.connect();
  } catch (cause) {
    client.disconnect();
    throw new AgentQueueError(`cannot connect to ${name}: ${(lastError ?? (cause as Error)).message}`, {
      cause,
      hint: 'is the server running, and does it accept this user?',
    });
  }
  // Waiting for work survives every outage.
  const bullClient = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 500 });
  bullClient.on('error', () => {});
  const common = { connection: bullClient, prefix: PREFIX };
  const bull = {
    queue: new Queue(BULL_QUEUE, common),
    worker: () => new Worker(BULL_QUEUE, null, { ...common, autorun: false, drainDelay: 2 }),
  };
  const token = randomUUID();
  return new RedisQueue(name, client, bullClient, new Invitations(bull, token));
}

interface Packages {
  readonly Redis: new (url: string, options: ClientOptions) => Client;
  readonly Queue: new (name: string, options: object) => BullQueue;
  readonly Worker: new (name: string, processor: null, options: object) => BullWorker;
}

async function packages(): Promise<Packages> {
  try {
    const [{ Redis }, { Queue, Worker }] = await Promise.all([import('ioredis'), import('bullmq')]);
    return { Redis, Queue, Worker } as unknown as Packages;
  } catch (cause) {
    throw missingPackage('bullmq ioredis', cause);
  }
}

class RedisQueue implements AgentQueue {
  readonly name: string;
  readonly #client: Client;
  readonly #bullClient: Client;
  readonly #invitations: Invitations;

  constructor(name: string, client: Client, bullClient: Client, invitations: Invitations) {
    this.name = name;
    this.#client = client;
    this.#bullClient = bullClient;
    this.#invitations = invitations;
  }

  time(): Promise<number> {
    return this.#ask(async () => {
      const [seconds, micros] = await this.#client.time();
      return Number(seconds) * 1000 + Number(micros) / 1000;
    });
  }

  async open(plan: RunPlan, coordinator: string): Promise<Opened> {
    const { runId, count } = plan;
    const opened = await this.#eval(OPEN, runId, JSON.stringify(plan), coordinator, LEASE_MS, KEEP_MS, count);
    if (opened === 'created') await this.#ask(() => this.#invitations.send(runId, count));
    return opened as Opened;
  }

  async restore({ plan, startAtMs, stop, segments }: RunView, coordinator: string): Promise<void> {
    const fields = segments.flatMap(({ index, owner, isLost }) => [
      ...(owner === null ? [] : [`o:${index}`, owner, `a:${owner}`, index]),
      ...(isLost ? [`l:${index}`, 1] : []),
    ]);
    const own = ['plan', JSON.stringify(plan), 'coordinator', coordinator, 'next', plan.count];
    const start = startAtMs === null ? [] : ['startAt', startAtMs];
    await this.#eval(
      RESTORE,
      plan.runId,
      KEEP_MS,
      ...own,
      ...start,
      ...(stop === null ? [] : ['stop', stop]),
      ...fields,
    );
  }

  async look(runId: string): Promise<RunView | null> {
    const found = (await this.#eval(LOOK, runId, KEEP_MS)) as
      | readonly [now: string, fields: readonly string[], results: readonly string[]]
      | null;
    return found === null ? null : viewOf(Number(found[0]), pairsOf(found[1]), new Set(found[2]));
  }

  async order(runId: string, { startAtMs, stop, lost = [] }: RunOrders): Promise<void> {
    const fields = [
      ...(startAtMs === undefined ? [] : ['startAt', startAtMs]),
      ...(stop === undefined ? [] : ['stop', stop]),
      ...lost.flatMap((index) => [`l:${index}`, 1]),
    ];
    await this.#ask(() => this.#client.hset(keyOf(runId), ...fields));
  }

  async result(runId: string, index: number): Promise<string | null> {
    const packed = await this.#ask(() => this.#client.hget(resultsOf(runId), String(index)));
    return packed === null ? null : unpack(packed);
  }

  async forget(runId: string, count: number): Promise<void> {
    // First by the client that fails while the server is away: BullMQ would wait for it without end.
    await this.#ask(() => this.#client.del(keyOf(runId), resultsOf(runId)));
    await this.#ask(() => this.#invitations.withdraw(runId, count));
    await this.#ask(() => this.#client.eval(TIDY, 1, `${PREFIX}:${BULL_QUEUE}`));
  }

  next(signal: AbortSignal): Promise<string | null> {
    return this.#invitations.next(signal);
  }

  async claim(runId: string, agent: string): Promise<Assignment | null> {
    const found = (await this.#eval(CLAIM, runId, agent, KEEP_MS)) as readonly [string, number] | null;
    return found === null ? null : { plan: JSON.parse(found[0]) as RunPlan, index: found[1] };
  }

  async beat(runId: string, index: number, agent: string, report: AgentReport): Promise<Orders | null> {
    const found = (await this.#eval(BEAT, runId, index, agent, JSON.stringify(report), KEEP_MS)) as
      | readonly string[]
      | null;
    if (found === null) return null;
    const [now, startAt, stop, lost, seenAt] = found;
    return {
      nowMs: Number(now),
      startAtMs: startAt ? Number(startAt) : null,
      stop: stop ? (stop as Stop) : null,
      isLost: lost !== '',
      coordinatorAgeMs: Number(now) - Number(seenAt),
    };
  }

  async deliver(runId: string, index: number, agent: string, result: string): Promise<Delivered> {
    return (await this.#eval(DELIVER, runId, index, agent, pack(result), KEEP_MS)) as Delivered;
  }

  async close(): Promise<void> {
    // A blocked fetch ends with its connection.
    this.#bullClient.disconnect();
    await this.#invitations.close();
    this.#client.disconnect();
  }

  #eval(script: string, runId: string, ...args: readonly (string | number)[]): Promise<unknown> {
    return this.#ask(() => this.#client.eval(script, 2, keyOf(runId), resultsOf(runId), ...args));
  }

  async #ask<T>(command: () => Promise<T>): Promise<T> {
    try {
      return await command();
    } catch (cause) {
      const { message } = cause instanceof Error ? cause : new Error(String(cause));
      throw new AgentQueueError(`${this.name} does not answer: ${message}`, { cause });
    }
  }
}

function keyOf(runId: string): string {
  return `${PREFIX}:run:${runId}`;
}

function resultsOf(runId: string): string {
  return `${keyOf(runId)}:results`;
}

function pairsOf(flat: readonly string[]): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (let at = 0; at < flat.length; at += 2) pairs.set(flat[at] ?? '', flat[at + 1] ?? '');
  return pairs;
}

function viewOf(nowMs: number, fields: ReadonlyMap<string, string>, results: ReadonlySet<string>): RunView {
  const plan = JSON.parse(fields.get('plan') ?? '{}') as RunPlan;
  const startAt = fields.get('startAt');
  return {
    plan,
    nowMs,
    startAtMs: startAt === undefined ? null : Number(startAt),
    stop: (fields.get('stop') as Stop | undefined) ?? null,
    segments: Array.from({ length: plan.count }, (_, at) => {
      const index = at + 1;
      const [seenAt, report] = [fields.get(`s:${index}`), fields.get(`r:${index}`)];
      return {
        index,
        owner: fields.get(`o:${index}`) ?? null,
        seenAtMs: seenAt === undefined ? null : Number(seenAt),
        report: report === undefined ? null : (JSON.parse(report) as AgentReport),
        hasResult: results.has(String(index)),
        isLost: fields.has(`l:${index}`),
      };
    }),
  };
}
