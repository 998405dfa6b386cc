import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { DataReport } from '../../contracts/data-report.ts';
import { PROGRAM } from '../program.ts';
import { formatFixture } from './support/read-data.ts';

const folder = mkdtempSync(join(tmpdir(), 'toolsample-cli-data-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function toolsample(...args: readonly string[]): string {
  return execFileSync(process.execPath, [PROGRAM, ...args], { cwd: folder, encoding: 'utf8' });
}

describe('toolsample data', () => {
  it('inspects, converts and splits files', () => {
    const rows = JSON.parse(readFileSync(formatFixture('toolace.json'), 'utf8')) as unknown[];
    // An escape sequence of a file does not reach the terminal.
    writeFileSync(join(folder, 'in'), JSON.stringify([...rows, { conversations: '\u001b[31m' }]));
    const text = toolsample('data', 'inspect', 'in');
    expect(text).toContain('format toolace, 4 samples of 2 rows, 1 bad row\n');
    expect(text).toMatch(/row 3, field "conversations": is not a list of objects/u);
    expect(text).toContain('calls per sample: 0 in 2, 1 in 1, 2 in 1');
    expect(text).not.toContain('\u001b');
    const report = JSON.parse(toolsample('data', 'inspect', 'in', '--json')) as DataReport;
    expect(report).toMatchObject({ format: 'toolace', samples: 4, badRows: 1 });

    expect(toolsample('data', 'convert', 'in', 'out.jsonl', '--max-bad-rows', '1')).toMatch(
      /^wrote 4 samples to .*out\.jsonl, 1 bad row left out\n$/u,
    );
    const deduped = toolsample('data', 'dedupe', 'out.jsonl', 'once.jsonl', '--json');
    expect(JSON.parse(deduped)).toMatchObject({ written: { samples: 4 }, duplicates: 0 });
    const split = ['data', 'split', formatFixture('xlam.json'), 'train', 'held-out', '--share'];
    expect(() => toolsample(...split, '0.2')).toThrow(/each tool is shown in 100\.0%/u);
  });
});
