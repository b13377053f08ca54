import type { AppReading } from '../snapshot/reading.js';
import type { TappedBlocks } from '../watch/protocol.js';

/** Receives the leases that applications record while they are read. */
export interface LeaseSink {
  /** Whole blocks of one recording, which begins anew with each connection. */
  blocks(recording: string, app: AppReading, blocks: Buffer): void;
  /** Nothing more comes of that recording. */
  ended(recording: string, why: NonNullable<TappedBlocks['ended']> | 'unsupported'): void;
}

/** The last field of an answer, as the publisher writes it. No text within the line can stand there. */
const RECORDING = /,"recording":\{"blocks":"([A-Za-z0-9+/=]*)","ended":(null|"busy"|"full")\}\}\s*$/;

/** Hands the recorded leases of an answer over. */
export function sinkLeases(line: string, recording: string, app: AppReading, sink: LeaseSink): void {
  // Backwards: an answer with pools of thousands of leases is long.
  const at = line.lastIndexOf(',"recording":{');
  const found = at < 0 ? null : RECORDING.exec(line.slice(at));
  if (found === null) {
    sink.ended(recording, 'unsupported');
    return;
  }
  const [, blocks = '', ended = 'null'] = found;
  if (blocks !== '') sink.blocks(recording, app, Buffer.from(blocks, 'base64'));
  if (ended !== 'null') sink.ended(recording, JSON.parse(ended) as 'busy' | 'full');
}
