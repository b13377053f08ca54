#!/usr/bin/env node
// Writes docs/rules/*.md from the texts of `poolctl audit-leaks --explain`. Run it after a build.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { markdownPage, topics } from '../dist/src/audit/explain.js';

const folder = join(import.meta.dirname, '../docs/rules');
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const topic of topics()) writeFileSync(join(folder, `${topic}.md`), markdownPage(topic));
