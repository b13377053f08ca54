/** The image that the defaults were made for. */
export const IMAGE = 'edoburu/pgbouncer:1.21.0';
/** The folder in which that image, and most others, look for the files. */
export const IMAGE_FOLDER = '/etc/pgbouncer';
/** On which it listens inside; outside is the port that was asked for. */
export const IMAGE_PORT = '5432';

export interface ComposeRequest {
  readonly image: string;
  readonly port: string;
  /** On the host. */
  readonly ini: string;
  readonly userlist: string;
}

/** A compose file with the pooler as its one service, for `docker compose -f compose.yaml -f this.yaml up`. */
export function composeService({ image, port, ini, userlist }: ComposeRequest): string {
  // A quoted text of JSON means the same in YAML.
  const quoted = (text: string): string => JSON.stringify(text);
  return [
    'services:',
    '  pgbouncer:',
    `    image: ${quoted(image)}`,
    '    container_name: pgbouncer',
    '    restart: unless-stopped',
    '    ports:',
    `      - ${quoted(`${port}:${IMAGE_PORT}`)}`,
    '    volumes:',
    `      - ${quoted(`${ini}:${IMAGE_FOLDER}/pgbouncer.ini:ro`)}`,
    `      - ${quoted(`${userlist}:${IMAGE_FOLDER}/userlist.txt:ro`)}`,
    '',
  ].join('\n');
}
