/** A TCP socket as Linux lists it. */
export interface TcpSocket {
  readonly host: string;
  readonly port: number;
  readonly state: 'listening' | 'connected' | 'other';
  /** Names it among the open files of its process. */
  readonly inode: number;
}

/** Reads `/proc/PID/net/tcp` and `tcp6`, whose addresses are hexadecimal words in the order of the machine's bytes. */
export function tcpSockets(table: string): readonly TcpSocket[] {
  return table
    .split('\n')
    .slice(1)
    .flatMap((line): TcpSocket[] => {
      const [, local = '', , state = '', , , , , , inode = ''] = line.trim().split(/\s+/);
      const [, address, port] = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/i.exec(local) ?? [];
      if (address === undefined || port === undefined) return [];
      return [
        {
          host: hostOf(address),
          port: Number.parseInt(port, 16),
          state: state === '0A' ? 'listening' : state === '01' ? 'connected' : 'other',
          inode: Number(inode),
        },
      ];
    });
}

function hostOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) =>
    (word.match(/../g) ?? []).reverse().map((byte) => Number.parseInt(byte, 16)),
  );
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.slice(0, 15).every((byte) => byte === 0))
    return bytes[15] === 1 ? '::1' : bytes[15] === 0 ? '::' : `::${bytes[15]}`;
  const isMapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  if (isMapped) return bytes.slice(12).join('.');
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  return groups.join(':');
}
