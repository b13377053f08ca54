/**
 * `node --import poolctl/register app.js`: watches the pools of a program from its first line on, and publishes them.
 * What it takes from the environment is in `start.ts`.
 */
import { startWatching } from './start.js';

startWatching();
