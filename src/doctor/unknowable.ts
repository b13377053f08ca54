import { CodedError } from '../base/coded-error.js';

/** Why a check cannot be judged: thrown, or stored in place of a value that could not be read. */
export class Unknowable extends CodedError<'ERR_DOCTOR_UNKNOWABLE'> {
  constructor(reason: string) {
    super('ERR_DOCTOR_UNKNOWABLE', reason);
    this.name = 'Unknowable';
  }
}
