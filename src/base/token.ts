import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { ValueError } from './units.js';

/** A shorter token could be guessed from one answer to a challenge. */
const SHORTEST = 16;
const LONGEST = 256;

/** A new token of 128 random bits. */
export function newToken(): string {
  return randomBytes(16).toString('base64url');
}

/** Reads a token that somebody chose. Throws a ValueError that does not quote it. */
export function parseToken(text: string): string {
  const token = text.trim();
  if (!/^[!-~]*$/.test(token)) throw new ValueError('a token has only letters, digits and ASCII punctuation');
  if (token.length < SHORTEST || token.length > LONGEST)
    throw new ValueError(`a token has ${SHORTEST} to ${LONGEST} characters; this one has ${token.length}`);
  return token;
}

/** A number that is used once. A peer that claims to know the token signs it. */
export function newChallenge(): string {
  return randomBytes(16).toString('base64url');
}

/** Proves knowledge of the token without revealing it, even to an impostor who chose the challenge. */
export function proofOf(token: string, challenge: string): string {
  return createHmac('sha256', token).update(challenge).digest('base64url');
}

/** Compares in a time that does not depend on where the texts differ. */
export function isSameSecret(given: string, wanted: string): boolean {
  const key = randomBytes(32);
  const digest = (text: string) => createHmac('sha256', key).update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
