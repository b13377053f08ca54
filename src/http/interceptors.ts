import { interceptors as all } from 'undici';

/** Sends a request and reports to the handler. A method type, so that undici's own types fit. */
export type HttpDispatch = { dispatch(options: object, handler: object): boolean }['dispatch'];

/** An interceptor in undici's form, `Dispatcher.DispatcherComposeInterceptor`: it makes a dispatch of another. */
export type HttpInterceptor = { intercept(dispatch: HttpDispatch): HttpDispatch }['intercept'];

type Name = 'redirect' | 'decompress' | 'dns' | 'dump' | 'cache';

/** undici's own interceptors, with its options. Left out are `retry`, since the pool retries, and `responseError`, for which there is `raiseOnStatus`. */
export const interceptors: Readonly<Record<Name, (options?: object) => HttpInterceptor>> = {
  redirect: all.redirect,
  decompress: all.decompress,
  dns: all.dns,
  dump: all.dump,
  cache: all.cache,
};
