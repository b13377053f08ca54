import { describe, expect, it } from 'vitest';
import type { Tick } from '../../src/snapshot/reading.js';
import {
  beginningOf,
  lastTicksOf,
  parseRecording,
  recordingHeader,
  recordingLine,
  ticksOf,
} from '../../src/top/recording.js';
import { RecordingPacker } from '../../src/top/recording-file.js';
import { AT_MS, backend, server, source, tick } from './helpers.js';

/** A server with so many backends, of which a tenth does something else at each reading. */
function ticks(count: number, backends: number, lateMs = 0): Tick[] {
  let seed = 7;
  const random = (): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const rows = Array.from({ length: backends }, (_, pid) => ({
    ...{ pid: 1000 + pid, clientPort: 40_000 + pid, application: `service-${pid % 20}`, since: -pid },
    query: `select * from orders where customer = $1 and state = 'open' /* ${pid % 50} */`,
  }));
  return Array.from({ length: count }, (_, at): Tick => {
    const atMs = AT_MS + at * 1000;
    for (const row of rows) if (random() < 0.1) row.since = at;
    const own = rows.map(({ since, ...row }) => {
      const ageMs = (at - since) * 1000 + Math.round(random() * lateMs);
      return backend({ ...row, stateMs: ageMs, queryMs: ageMs, transactionMs: null, state: 'idle' });
    });
    return {
      ...tick(source({ source: 'pg', kind: 'postgres', server: server(), backends: own, takenAtMs: atMs })),
      atMs,
    };
  });
}

async function packed(all: readonly Tick[]): Promise<Buffer> {
  const packer = new RecordingPacker();
  const frames = [RecordingPacker.head];
  for (const one of all) frames.push(await packer.pack(one));
  return Buffer.concat(frames);
}

describe('a compressed recording', () => {
  it('has all that an uncompressed one has', async () => {
    const all = ticks(130, 3);
    const recording = parseRecording(await packed(all));
    expect([...ticksOf(recording)]).toEqual(all);
    const text = recordingHeader() + all.map(recordingLine).join('');
    expect([...ticksOf(parseRecording(text))]).toEqual(all);
    expect(lastTicksOf(recording, 12)).toEqual(all.slice(-12));
    expect(beginningOf(recording)).toBe(AT_MS);
  });

  it('takes less than 10 kB for a reading of a thousand backends whose ages all change', async () => {
    const all = ticks(30, 1000, 20);
    const file = await packed(all);
    expect(file.length / all.length).toBeLessThan(10_000);
  });

  it('begins anywhere, and decodes no block before', async () => {
    const all = ticks(190, 2);
    const recording = parseRecording(await packed(all));
    const decoded: number[] = [];
    const watched = recording.blocks.map((block) => ({
      ...block,
      lines() {
        decoded.push(block.atMs);
        return block.lines();
      },
    }));
    const from = AT_MS + 125_000;
    expect([...ticksOf({ ...recording, blocks: watched }, from)]).toEqual(all.slice(125));
    expect(decoded).toEqual([AT_MS + 120_000, AT_MS + 180_000]);
  });

  it('is read up to where it was cut off', async () => {
    const all = ticks(70, 2);
    const file = await packed(all);
    const recording = parseRecording(file.subarray(0, -5));
    expect(recording.skipped).toBe(1);
    expect([...ticksOf(recording)]).toEqual(all.slice(0, -1));
    const damaged = Buffer.from(file);
    damaged.fill(0xff, 40, 60);
    expect([...ticksOf(parseRecording(damaged))]).toEqual(all.slice(60));
  });

  it('is refused where it has nothing in it', async () => {
    expect(() => parseRecording(RecordingPacker.head)).toThrow('no reading');
  });
});
