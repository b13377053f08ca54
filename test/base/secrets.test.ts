import { describe, expect, it } from 'vitest';
import { maskSecrets } from '../../src/base/secrets.js';

describe('masking secrets', () => {
  it.each([
    ['postgres://anna:s3cret@db:5432/x', 'postgres://anna:***@db:5432/x'],
    [
      'a password with an at-sign: postgres://anna:s3@cret@db/x',
      'a password with an at-sign: postgres://anna:***@db/x',
    ],
    ['with a slash: postgres://anna:s3/cr?t#@db/x', 'with a slash: postgres://anna:***@db/x'],
    ["with a quote: 'postgres://anna:s3'cret@db/x'", "with a quote: 'postgres://anna:***@db/x'"],
    ['without a user: redis://:s3cret@db', 'without a user: redis://:***@db'],
    ['two: a://b:s3cret@c d://e:s3cret@f', 'two: a://b:***@c d://e:***@f'],
    ['host=db password=s3cret user=anna', 'host=db password=*** user=anna'],
    ["host=db password='s3cret two' user=anna", 'host=db password=*** user=anna'],
    ['https://x/?user=a&password=s3cret&b=c', 'https://x/?user=a&password=***&b=c'],
    ['PGPASSWORD=s3cret', 'PGPASSWORD=***'],
  ])('%s', (text, masked) => {
    expect(maskSecrets(text)).toBe(masked);
  });

  it.each(['postgres://anna@db:5432/x', 'http://127.0.0.1:8080/path', 'sqlite:./file.db', 'a: b@c'])(
    'leaves %s alone',
    (text) => {
      expect(maskSecrets(text)).toBe(text);
    },
  );
});
