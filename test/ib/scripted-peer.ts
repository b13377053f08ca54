import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { encodeFrame, type Field, FrameReader } from '../../src/lab/ib-gateway/wire/frames.js';

/** Answers one message of a client: the fields that are sent back, a frame each. */
export type Script = (fields: readonly string[], say: (...fields: Field[]) => void) => void;

/** A TWS that does what a test has written down, over a socket: what real gateways were seen to send. */
export interface ScriptedPeer {
  readonly port: number;
  /** All that its clients have sent, in order. */
  readonly received: (readonly string[])[];
  say(...fields: Field[]): void;
  /** Hangs up on all clients. */
  drop(): void;
  close(): Promise<void>;
}

export async function scriptedPeer(
  script: Script,
  { version = 193, nextOrderId = 5 }: { readonly version?: number; readonly nextOrderId?: number } = {},
): Promise<ScriptedPeer> {
  const received: (readonly string[])[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    const reader = new FrameReader();
    const say = (...fields: Field[]): void => void socket.write(encodeFrame(fields));
    socket.on('data', (bytes) => {
      for (const inbound of reader.take(bytes)) {
        if (inbound.kind === 'hello') say(version, '20260105 09:30:00 UTC');
        if (inbound.kind !== 'message') continue;
        const { fields } = inbound;
        received.push(fields);
        if (fields[0] === '71') {
          say(15, 1, 'DU1');
          say(9, 1, nextOrderId);
        } else if (fields[0] === '49') say(49, 1, 1_767_600_000);
        else script(fields, say);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    received,
    say: (...fields) => {
      for (const socket of sockets) socket.write(encodeFrame(fields));
    },
    drop: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The fields of an open order as a gateway of version 176 writes them, from a frame that four public clients can read. */
export function openOrder176(
  id: number,
  permId: number,
  status: string,
  orderRef: string,
  whatIf?: string,
): string[] {
  const max = '1.7976931348623157E308';
  const margins =
    whatIf === undefined
      ? Array.from({ length: 9 }, () => max)
      : ['0', '0', '100', whatIf, '5', '-1', '9', '8', '99'];
  return [
    ...`5|${id}|265598|TSLA|STK||0|?||SMART|USD|TSLA|NMS|BUY|10|LMT|5.0|0.0|DAY||DU1||0|${orderRef}|3|${permId}`.split(
      '|',
    ),
    ...'0|0|0||||||||||||0||-1|0|||||||0|0|0||3|0|0||0|0||0|None||0||||?|0|0||0|0||||||0|0|0|||||0||IB|0|0||0'.split(
      '|',
    ),
    ...[whatIf === undefined ? '0' : '1', status, ...margins, max, max, max, '', ''],
    ...`0|0|0|None|${max}|0.0|${max}|${max}|${max}|${max}|0||||0|0|0|0|0|2147483647|2147483647|0|||||`.split(
      '|',
    ),
  ];
}

/** The fields of a completed order as a gateway of version 176 writes them: without its id and its client. */
export function completedOrder176(permId: number, orderRef: string, status: string, filled: number): Field[] {
  return [
    ...[101, 265598, 'TSLA', 'STK', '', 0, '?', '', 'SMART', 'USD', 'TSLA', 'NMS'],
    ...['BUY', 0, 'LMT', '5.0', '0.0', 'DAY', '', 'DU1', '', 0, orderRef, permId, 0, 0, 0, ''],
    // Group, method, percentage and profile of an adviser; model, date, rule, offset, firm.
    ...['', '', '', '', '', '', '', '', ''],
    ...[0, '', -1, '', '', '', '', '', 0, 0, 0, '', 0, 0],
    ...['', 0, 'None', '', 0, 0, 0, '', 0, 0, '', '', '', 0, 0, 0, '', '', '', '', '', 'IB', 0, 0, '', 0],
    ...[status, 0, 0, 0, '', '', '', 0, 0, '', filled, 0, 0, '', 0, 0, '9223372036854775807'],
    ...['20260105 15:59:00 UTC', status === 'Filled' ? `Filled Size: ${filled}` : 'Cancelled by Trader'],
    ...['', '', '', '', ''],
  ];
}
