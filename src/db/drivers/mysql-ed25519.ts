import { createHash } from 'node:crypto';
import type { AuthPlugin } from './mysql-wire.js';

/**
 * MariaDB's authentication plugin ed25519, on the client's side: signs the server's challenge. It differs from Ed25519 of
 * RFC 8032 in one thing: the secret is the password itself, of any length, in place of 32 random bytes. Node signs only
 * with the latter, so the curve is computed here. https://mariadb.com/kb/en/authentication-plugin-ed25519/
 */
export function ed25519Plugin(password: string): AuthPlugin {
  return () => (challenge) =>
    password === '' ? Buffer.alloc(0) : signed(challenge.subarray(0, 32), password);
}

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = mod(-121665n * power(121666n, P - 2n));

interface Point {
  readonly x: bigint;
  readonly y: bigint;
  readonly z: bigint;
  readonly t: bigint;
}

const BASE_Y = mod(4n * power(5n, P - 2n));
const BASE_X = evenRoot(mod((BASE_Y * BASE_Y - 1n) * power(D * BASE_Y * BASE_Y + 1n, P - 2n)));
const BASE: Point = { x: BASE_X, y: BASE_Y, z: 1n, t: mod(BASE_X * BASE_Y) };

function signed(challenge: Buffer, password: string): Buffer {
  const secret = sha512(Buffer.from(password));
  const scalar = Buffer.from(secret.subarray(0, 32));
  scalar[0] = (scalar[0] ?? 0) & 248;
  scalar[31] = ((scalar[31] ?? 0) & 63) | 64;
  const a = fromBytes(scalar);
  const publicKey = packed(multiplied(BASE, a));
  const r = fromBytes(sha512(secret.subarray(32), challenge)) % ORDER;
  const first = packed(multiplied(BASE, r));
  const k = fromBytes(sha512(first, publicKey, challenge)) % ORDER;
  return Buffer.concat([first, toBytes((r + k * a) % ORDER)]);
}

function sha512(...parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function multiplied(point: Point, by: bigint): Point {
  let result: Point = { x: 0n, y: 1n, z: 1n, t: 0n };
  let doubled = point;
  for (let left = by; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = sum(result, doubled);
    doubled = sum(doubled, doubled);
  }
  return result;
}

/** In extended coordinates, as in RFC 8032, 5.1.4. */
function sum(p: Point, q: Point): Point {
  const a = mod((p.y - p.x) * (q.y - q.x));
  const b = mod((p.y + p.x) * (q.y + q.x));
  const c = mod(2n * p.t * q.t * D);
  const d = mod(2n * p.z * q.z);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return { x: mod(e * f), y: mod(g * h), z: mod(f * g), t: mod(e * h) };
}

function packed({ x, y, z }: Point): Buffer {
  const inverse = power(z, P - 2n);
  const bytes = toBytes(mod(y * inverse));
  bytes[31] = (bytes[31] ?? 0) | (Number(mod(x * inverse) & 1n) << 7);
  return bytes;
}

function evenRoot(square: bigint): bigint {
  const root = power(square, (P + 3n) / 8n);
  const exact = mod(root * root) === square ? root : mod(root * power(2n, (P - 1n) / 4n));
  return (exact & 1n) === 0n ? exact : P - exact;
}

function mod(value: bigint): bigint {
  const rest = value % P;
  return rest < 0n ? rest + P : rest;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = mod(base);
  for (let left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = mod(result * square);
    square = mod(square * square);
  }
  return result;
}

/** Little-endian, as everything on this curve. */
function fromBytes(bytes: Buffer): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}

function toBytes(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
}
