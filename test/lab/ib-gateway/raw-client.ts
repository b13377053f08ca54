import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encodeFrame, encodeHello, type Field } from '../../../src/lab/ib-gateway/wire/frames.js';

export interface RawOptions {
  readonly port: number;
  readonly versions?: string;
}

/** A client that says what a test has it say, and keeps what it hears: fields of messages, in order. */
export class RawClient {
  readonly socket: Socket;
  readonly messages: string[][] = [];
  /** Pieces as they came, for the faults that cut messages up. */
  readonly pieces: Buffer[] = [];
  /** Resolves with the error's code, or `end`, when the connection is over. */
  readonly over: Promise<string>;
  #rest = Buffer.alloc(0);
  #wake: () => void = () => {};
  #over: string | null = null;

  /** Connects, and says nothing yet. */
  static async connect({ port }: RawOptions): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    const client = new RawClient(socket);
    await once(socket, 'connect');
    return client;
  }

  /** Connects, and has agreed on a version. */
  static async greeted(options: RawOptions): Promise<RawClient> {
    const client = await RawClient.connect(options);
    client.socket.write(encodeHello(options.versions ?? 'v100..193'));
    await client.until(({ messages }) => messages.length > 0);
    return client;
  }

  /** Connects, and is ready. */
  static async ready(options: RawOptions & { readonly clientId: number }): Promise<RawClient> {
    const client = await RawClient.greeted(options);
    client.say(71, 2, options.clientId, '');
    await client.heard(9);
    return client;
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    let code = 'end';
    socket.on('error', (error: NodeJS.ErrnoException) => {
      code = error.code ?? 'error';
    });
    this.over = new Promise((resolve) => {
      socket.on('close', () => {
        this.#over = code;
        this.#wake();
        resolve(code);
      });
    });
    socket.on('data', (bytes) => this.#receive(bytes));
  }

  say(...fields: Field[]): void {
    this.socket.write(encodeFrame(fields));
  }

  /** Asks for the time, and waits for the answer: by then all that was said before has been worked on. */
  async inStep(): Promise<void> {
    const before = this.of(49).length;
    this.say(49, 1);
    await this.until(() => this.of(49).length > before);
  }

  /** Messages of a type so far. */
  of(type: number): string[][] {
    return this.messages.filter(([first]) => first === String(type));
  }

  /** Codes of the errors and notices so far; those of a request with `id`. */
  codes(id?: number): number[] {
    return this.of(4)
      .filter(([, , own]) => id === undefined || own === String(id))
      .map(([, , , code]) => Number(code));
  }

  /** Waits for a message of a type, and gives the first. */
  async heard(type: number): Promise<string[]> {
    await this.until(() => this.of(type).length > 0);
    return this.of(type)[0] as string[];
  }

  async heardCode(code: number): Promise<void> {
    await this.until(() => this.codes().includes(code));
  }

  /** Waits until it is so; fails when the connection is over before. */
  async until(isSo: (client: RawClient) => boolean): Promise<void> {
    while (!isSo(this)) {
      if (this.#over !== null) throw new Error(`the connection is over (${this.#over}): ${isSo}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async hangUp(): Promise<void> {
    this.socket.destroy();
    await this.over;
  }

  #receive(bytes: Buffer): void {
    this.pieces.push(bytes);
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= 4) {
      const end = 4 + this.#rest.readUInt32BE();
      if (this.#rest.length < end) break;
      this.messages.push(this.#rest.toString('utf8', 4, end - 1).split('\0'));
      this.#rest = this.#rest.subarray(end);
    }
    this.#wake();
  }
}

/** The fields of a stock, as requests have them. */
export function stock(symbol: string): Field[] {
  return [0, symbol, 'STK', '', '', '', '', 'SMART', '', 'USD', '', ''];
}

export function historyRequest(
  id: number,
  symbol: string,
  given: { barSize?: string; duration?: string; what?: string; end?: string; keep?: boolean } = {},
): Field[] {
  const { barSize = '5 secs', duration = '60 S', what = 'TRADES', end = '', keep = false } = given;
  return [20, id, ...stock(symbol), false, end, barSize, duration, true, what, 1, keep, ''];
}

/** What of an order a test may choose; the rest is as clients leave it. */
export interface OrderWish {
  readonly symbol?: string;
  readonly action?: string;
  readonly quantity?: number;
  readonly type?: string;
  readonly limit?: number | string;
  readonly aux?: number | string;
  readonly tif?: string;
  readonly account?: string;
  readonly reference?: string;
  readonly transmit?: boolean;
  readonly parentId?: number;
  readonly ocaGroup?: string;
  readonly ocaType?: number;
  readonly outsideRth?: boolean;
  readonly trailingPercent?: number | string;
  readonly algorithm?: string;
  readonly hedge?: string;
  readonly whatIf?: boolean;
}

/** An order as clients of server version 193 send it, up to its what-if flag. */
export function orderRequest(id: number, wish: OrderWish = {}): Field[] {
  const { symbol = 'AAPL', action = 'BUY', quantity = 100, type = 'LMT', limit = '', aux = '' } = wish;
  const { tif = 'DAY', account = '', reference = '', transmit = true, parentId = 0 } = wish;
  const { ocaGroup = '', ocaType = 0, outsideRth = false, trailingPercent = '', whatIf = false } = wish;
  const { algorithm, hedge } = wish;
  return [
    ...[3, id, ...stock(symbol), '', '', action, quantity, type, limit, aux, tif, ocaGroup, account, '', 0],
    ...[
      reference,
      transmit,
      parentId,
      false,
      false,
      '',
      0,
      outsideRth,
      false,
      '',
      '',
      '',
      '',
      '',
      '',
      '',
      '',
    ],
    ...[
      0,
      '',
      -1,
      ocaType,
      '',
      '',
      false,
      '',
      '',
      false,
      false,
      '',
      0,
      '',
      '',
      '',
      '',
      '',
      false,
      '',
      '',
      '',
      '',
    ],
    ...[false, '', '', trailingPercent, '', '', '', '', '', ''],
    ...(hedge === undefined ? [''] : [hedge, '0.5']),
    ...[false, '', '', false, false],
    ...(algorithm === undefined ? [''] : [algorithm, 2, 'a', '1', 'b', '2']),
    ...['', whatIf, '', false, false, false, 0, '', '', '', '', '', '', '', 0],
  ];
}
