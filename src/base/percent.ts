/** Percent-encodes text for a URL. Half a surrogate pair becomes U+FFFD, where encodeURIComponent throws. */
export function percentEncoded(text: string): string {
  return encodeURIComponent(wellFormed(text));
}

/** Decodes as much as there is to decode: `100%25%` is `100%%`, where decodeURIComponent throws. */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text.replace(/(?:%[0-9a-f]{2})+/gi, (codes) =>
      Buffer.from(codes.replaceAll('%', ''), 'hex').toString(),
    );
  }
}

export function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd');
}
