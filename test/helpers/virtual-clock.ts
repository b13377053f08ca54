export { VirtualClock } from '../../src/lab/virtual-clock.js';
