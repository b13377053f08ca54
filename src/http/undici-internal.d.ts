declare module 'undici/lib/handler/unwrap-handler.js' {
  const UnwrapHandler: {
    /** Makes a handler of the old form (onConnect, onHeaders, ...) of one of the new (onRequestStart, ...). */
    unwrap(handler: unknown): unknown;
  };
  export default UnwrapHandler;
}
