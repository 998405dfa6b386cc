import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parsePythonJson } from '../../dscl/python-json.ts';
import type { PythonDict } from '../../dscl/python-value.ts';
import {
  BFCL_CATEGORIES,
  questionFiles,
  type BfclCategory,
} from '../../evaluation/bfcl/categories.ts';
import { checkBfcl, type BfclFunction } from '../../evaluation/bfcl/check.ts';
import { packageData } from './support/bfcl-package.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/bfcl', import.meta.url));
/** A Python with bfcl-eval: `python3 -m venv ~/bfcl && ~/bfcl/bin/pip install --no-deps bfcl-eval`. */
const PYTHON = process.env['TOOLSAMPLE_BFCL_PYTHON'];
const DATA = process.env['TOOLSAMPLE_DATA'];

/** A line that `verdicts.py` wrote. */
interface RecordedCase {
  readonly id: string;
  readonly category: BfclCategory;
  readonly underscored: boolean;
  readonly valid: boolean;
  readonly error_type: string | null;
}

function lines(path: string): string[] {
  return readFileSync(path, 'utf8').trimEnd().split('\n');
}

/** Field by field, with Python's kinds of numbers. */
function dictOf(line: string): PythonDict {
  return parsePythonJson(line) as PythonDict;
}

/** Verdicts of ours on the cases of a file that are not the official checker's. */
function disagreements(questions: string, casesFile: string) {
  const functions = new Map<string, readonly BfclFunction[]>();
  const answers = new Map<string, readonly PythonDict[]>();
  const files = BFCL_CATEGORIES.flatMap((category) => questionFiles(category).slice(0, 1));
  for (const file of files) {
    if (!existsSync(join(questions, 'possible_answer', file))) continue;
    for (const line of lines(join(questions, file))) {
      const question = JSON.parse(line) as { id: string; function: readonly BfclFunction[] };
      functions.set(question.id, question.function);
    }
    for (const line of lines(join(questions, 'possible_answer', file))) {
      const row = dictOf(line);
      answers.set(row.get('id') as string, row.get('ground_truth') as readonly PythonDict[]);
    }
  }
  const recorded = lines(casesFile);
  const categories = new Set<string>();
  const wrong = recorded.filter((line) => {
    const { id, category, underscored, valid, error_type } = JSON.parse(line) as RecordedCase;
    categories.add(category);
    const calls = dictOf(line).get('calls') as readonly (readonly [string, PythonDict])[];
    const verdict = checkBfcl({
      category,
      functions: functions.get(id) ?? [],
      answers: answers.get(id) ?? [],
      underscoredNames: underscored,
      calls: calls.map(([name, given]) => ({ name, arguments: given })),
    });
    return verdict.valid !== valid || verdict.errorType !== error_type;
  });
  return { cases: recorded.length, categories, wrong };
}

/** Has the official checker judge right calls and mutations of the questions of a folder. @returns the categories */
function expectAgreement(questions: string): ReadonlySet<string> {
  const folder = mkdtempSync(join(tmpdir(), 'toolsample-bfcl-'));
  try {
    const out = join(folder, 'verdicts.jsonl');
    execFileSync(PYTHON ?? '', [join(FIXTURES, 'verdicts.py'), questions, out]);
    const { cases, categories, wrong } = disagreements(questions, out);
    expect(wrong).toEqual([]);
    expect(cases).toBeGreaterThan(3000);
    return categories;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("verdicts of BFCL's official checker", () => {
  it('are ours on made-up questions: right calls and mutations, all types, three languages', () => {
    const { cases, wrong } = disagreements(FIXTURES, join(FIXTURES, 'verdicts.jsonl'));
    expect(wrong).toEqual([]);
    expect(cases).toBeGreaterThan(700);
  });

  it.skipIf(PYTHON === undefined || DATA === undefined)(
    'are ours on the real questions (needs TOOLSAMPLE_BFCL_PYTHON and TOOLSAMPLE_DATA)',
    () => {
      expectAgreement(join(DATA ?? '', 'bfcl'));
    },
    300_000,
  );

  it.skipIf(PYTHON === undefined)(
    "are ours on the package's own questions, live ones too (needs TOOLSAMPLE_BFCL_PYTHON)",
    () => {
      expect(expectAgreement(packageData(PYTHON ?? ''))).toContain('live_parallel_multiple');
    },
    600_000,
  );

  it('on a list for which the answer allows nothing', () => {
    const parameters = { properties: { ids: { type: 'array', items: { type: 'string' } } } };
    const verdict = (ids: readonly string[]) =>
      checkBfcl({
        category: 'live_simple',
        functions: [{ name: 'f', parameters }],
        answers: [new Map([['f', new Map([['ids', []]])]])],
        calls: [{ name: 'f', arguments: new Map([['ids', ids]]) }],
      });
    // In live_simple_112-68-0; not `nested`, as where an answer has other elements.
    expect(verdict(['x'])).toMatchObject({ valid: false, errorType: 'type_error:simple' });
  });

  it('on answers that call nothing: right where nothing fits, wrong elsewhere', () => {
    const question = { functions: [], answers: null };
    const call = { name: 'f', arguments: new Map() };
    for (const [category, calls, valid] of [
      ['irrelevance', null, true],
      ['irrelevance', [], true],
      ['live_irrelevance', [call], false],
      ['live_relevance', [call], true],
      ['live_relevance', null, false],
    ] as const) {
      expect(checkBfcl({ ...question, category, calls }).valid, category).toBe(valid);
    }
    const simple = { ...question, category: 'simple_python', answers: [new Map()] } as const;
    expect(checkBfcl({ ...simple, calls: null })).toMatchObject({
      valid: false,
      errorType: 'ast_decoder:decoder_failed',
    });
  });
});
