/** The token of pools that tests publish on a port. */
export const TOKEN = 'token-of-the-tests';

/** What readers of such a port have in their environment. */
export const TOKEN_ENV = { POOLCTL_TOKEN: TOKEN };
