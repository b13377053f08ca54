import { once } from 'node:events';
import { connect } from 'node:net';

/** Evaluates scripts on a Redis server. Their answers are a number and a text. For tests, and for processes that they start. */
export class RedisClient {
  #socket;
  /** @type {((answer: string) => void)[]} */
  #waiting = [];

  /** @param {number} port */
  static async connect(port) {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RedisClient(socket);
  }

  /** @param {import('node:net').Socket} socket */
  constructor(socket) {
    this.#socket = socket;
    let text = '';
    const pattern = /^(-[^\r]*|\*2\r\n:\d+\r\n\$\d+\r\n[^\r]*)\r\n/;
    socket.on('data', (bytes) => {
      text += bytes.toString();
      for (let answer = pattern.exec(text); answer !== null; answer = pattern.exec(text)) {
        text = text.slice(answer[0].length);
        this.#waiting.shift()?.(answer[1] ?? '');
      }
    });
  }

  /**
   * @param {string} script
   * @param {readonly string[]} keys
   * @param {readonly string[]} args
   * @returns {Promise<unknown>}
   */
  async evaluate(script, keys, args) {
    const words = ['EVAL', script, `${keys.length}`, ...keys, ...args];
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    /** @type {string} */
    const answer = await new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#socket.write(`*${words.length}\r\n${parts.join('')}`);
    });
    if (answer.startsWith('-')) throw new Error(answer);
    const [, number, , text] = answer.split('\r\n');
    return [Number(number?.slice(1)), text];
  }

  close() {
    this.#socket.destroy();
  }
}
