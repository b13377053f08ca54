import { AnswerParser, type ServerFault } from '../../../src/loadtest/wire/answers.js';
import { WireError } from '../../../src/loadtest/wire/errors.js';
import { messageOf } from '../../../src/loadtest/wire/messages.js';

const text = (value: string) => Buffer.from(value, 'latin1');
const none = new Uint8Array(0);

/** Messages of a server, by what they say. */
export const BIND_COMPLETE = messageOf('2', none);
export const READY = messageOf('Z', text('I'));
export const row = (value: string): Uint8Array => {
  const header = Buffer.alloc(6);
  header.writeInt16BE(1, 0);
  header.writeInt32BE(value.length, 2);
  return messageOf('D', Buffer.concat([header, text(value)]));
};
export const completed = (tag: string): Uint8Array => messageOf('C', text(`${tag}\0`));
export const failed = (code: string, message: string): Uint8Array =>
  messageOf('E', text(`SFEHLER\0VERROR\0C${code}\0M${message}\0HHint\0\0`));

const select = [BIND_COMPLETE, row('42'), completed('SELECT 1'), READY];

/** Answers as a server sends them. */
export const ANSWERS: readonly Uint8Array[] = [
  Buffer.concat(select),
  Buffer.concat([...select, ...select, ...select]),
  Buffer.concat([BIND_COMPLETE, failed('22012', 'division by zero'), READY]),
  Buffer.concat([messageOf('N', text('SNOTICE\0C00000\0Mhello\0\0')), ...select]),
  Buffer.concat([
    messageOf('S', text('TimeZone\0UTC\0')),
    messageOf('A', text('\0\0\0\x01news\0!\0')),
    ...select,
  ]),
  Buffer.concat([BIND_COMPLETE, row('x'.repeat(3000)), completed('SELECT 1'), messageOf('Z', text('T'))]),
  Buffer.concat([messageOf('1', none), messageOf('1', none), READY]),
  Buffer.concat([BIND_COMPLETE, messageOf('I', none), READY]),
  Buffer.concat([failed('57P01', 'y'.repeat(20_000)), ...select]),
];

export type Event = readonly [what: string, detail: number | string | ServerFault];

/** The events of answers that arrive in pieces of these sizes, in turn. Throws what the parser throws. */
export function readIn(
  bytes: Uint8Array,
  sizes: readonly number[],
  events: Event[] = [],
): { events: Event[]; parser: AnswerParser } {
  const parser = new AnswerParser({
    completed: (tag) => void events.push(['completed', tag]),
    failed: (fault) => void events.push(['failed', fault]),
    ready: (status) => void events.push(['ready', status]),
  });
  // The parser must not keep a view of a buffer that is used again.
  const buffer = new Uint8Array(Math.max(...sizes, 1));
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? 1);
    const piece = bytes.subarray(at, at + size);
    buffer.fill(0xff);
    buffer.set(piece);
    parser.read(buffer, piece.length);
    at += piece.length;
  }
  return { events, parser };
}

/** The same, with the error of the parser as the last event. */
export function eventsOf(bytes: Uint8Array, sizes: readonly number[]): readonly unknown[] {
  const events: Event[] = [];
  try {
    const { parser } = readIn(bytes, sizes, events);
    return [...events, ['rows', parser.rows], ['within', parser.isWithin]];
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return [...events, ['error', error.message]];
  }
}
