/** The mark of a process whose pools are watched from its start, or by `poolctl attach`. */
export const STARTED = Symbol.for('poolctl.started');
