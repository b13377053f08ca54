import type { DoctorResult } from '../../doctor/types.js';
import { renderJson } from '../json.js';
import type { RenderOptions } from '../render-options.js';
import { renderJunit } from './junit.js';
import { renderMarkdown } from './markdown.js';
import { renderText } from './text.js';

export type DoctorReport = (result: DoctorResult, options: RenderOptions) => string;

/** The formats of what the doctor found; the first is the default. */
export const DOCTOR_FORMATS = ['text', 'json', 'markdown', 'junit'] as const;
export type DoctorFormat = (typeof DOCTOR_FORMATS)[number];

export const doctorReports: Readonly<Record<DoctorFormat, DoctorReport>> = {
  text: renderText,
  json: renderJson,
  markdown: renderMarkdown,
  junit: renderJunit,
};
